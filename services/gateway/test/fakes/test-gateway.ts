import { pino } from 'pino';
import { createGateway, type Gateway, type GatewayLimits, Metrics, type MetricsOptions } from '../../src/index.ts';
import { FakeInvoker } from './fake-invoker.ts';
import { FakeQueue } from './fake-queue.ts';
import { configOf, FakeBundleStore, FakeControl, FakeDirectory, FakeLogStore } from './fake-services.ts';

/** The one token that the test's gateway accepts. */
export const TOKEN = 'hob_test-token';

/** A gateway on a free port of the loopback interface, the fakes behind it, and one open function `hello`. */
export interface TestGateway extends AsyncDisposable {
  readonly gateway: Gateway;
  readonly url: string;
  readonly port: number;
  readonly invoker: FakeInvoker;
  readonly directory: FakeDirectory;
  readonly bundles: FakeBundleStore;
  readonly logs: FakeLogStore;
  readonly queue: FakeQueue;
  readonly control: FakeControl;
  readonly metrics: Metrics;
  /** What was logged, one parsed line each. */
  readonly logged: Record<string, unknown>[];
  /** What `/readyz` gives as its reason. */
  notReady: string | undefined;
}

/** Starts one. Disposing it closes the gateway. */
export async function startGateway(
  limits: Partial<GatewayLimits> = {},
  labels: NonNullable<MetricsOptions['labels']> = {},
): Promise<TestGateway> {
  const logged: Record<string, unknown>[] = [];
  const fakes = {
    invoker: new FakeInvoker(),
    directory: new FakeDirectory(),
    bundles: new FakeBundleStore(),
    logs: new FakeLogStore(),
    queue: new FakeQueue(),
    metrics: new Metrics({ version: '1.2.3', labels }),
  };
  const control = new FakeControl();
  const state: { notReady: string | undefined } = { notReady: undefined };
  fakes.directory.add(configOf('hello'));
  const gateway = await createGateway({
    ...fakes,
    scheduler: control,
    logger: pino({ level: 'debug' }, { write: (line: string) => void logged.push(JSON.parse(line)) }),
    tokens: { verify: (token) => token === TOKEN },
    ready: () => state.notReady,
    version: '1.2.3',
    limits: { drainMs: 2000, ...limits },
  });
  const url = await gateway.listen({ host: '127.0.0.1', port: 0 });
  return Object.assign(state, fakes, {
    control,
    gateway,
    logged,
    url,
    port: Number(new URL(url).port),
    [Symbol.asyncDispose]: () => gateway.close(),
  });
}

/** Waits until something holds, looking again at each turn of the event loop. */
export async function until(holds: () => boolean, what: string | (() => string)): Promise<void> {
  const giveUpAt = Date.now() + 10_000;
  while (!holds()) {
    if (Date.now() > giveUpAt) throw new Error(`it never came to be: ${typeof what === 'string' ? what : what()}`);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}
