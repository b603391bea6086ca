import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Logger, pino } from 'pino';
import { gatewayLimits } from '../../src/gateway-limits.ts';
import { createGateway, type Gateway, type GatewayLimits, Metrics, type MetricsOptions } from '../../src/index.ts';
import { GatewayWorker } from '../../src/workers/gateway-worker.ts';
import { FakeInvoker } from './fake-invoker.ts';
import { FakeQueue } from './fake-queue.ts';
import { configOf, FakeBundleStore, FakeControl, FakeDirectory, FakeLogStore, FakeSecrets } from './fake-services.ts';

/** Whether test gateways are called through a gateway worker: every promise to callers holds there too. */
export const through = { worker: false };

/** The one token that the test's gateway accepts. */
export const TOKEN = 'hob_test-token';

/** A gateway on a free port of the loopback interface, the fakes behind it, and one open function `hello`. */
export interface TestGateway extends AsyncDisposable {
  readonly gateway: Pick<Gateway, 'address' | 'close' | 'listen'>;
  readonly url: string;
  readonly port: number;
  readonly invoker: FakeInvoker;
  readonly directory: FakeDirectory;
  readonly secrets: FakeSecrets;
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
    secrets: new FakeSecrets(),
    bundles: new FakeBundleStore(),
    logs: new FakeLogStore(),
    queue: new FakeQueue(),
    metrics: new Metrics({ version: '1.2.3', labels }),
  };
  const control = new FakeControl();
  const state: { notReady: string | undefined } = { notReady: undefined };
  fakes.directory.add(configOf('hello'));
  const logger = pino({ level: 'debug' }, { write: (line: string) => void logged.push(JSON.parse(line)) });
  const allLimits = { drainMs: 2000, ...limits };
  const own = await createGateway({
    ...fakes,
    scheduler: control,
    logger,
    tokens: { verify: (token) => token === TOKEN },
    ready: () => state.notReady,
    version: '1.2.3',
    limits: allLimits,
  });
  const gateway = through.worker
    ? await throughWorker(own, { limits: allLimits, directory: fakes.directory, logger })
    : own;
  const url = gateway.address ?? (await gateway.listen({ host: '127.0.0.1', port: 0 }));
  return Object.assign(state, fakes, {
    control,
    gateway,
    logged,
    url,
    port: Number(new URL(url).port),
    [Symbol.asyncDispose]: () => gateway.close(),
  });
}

interface WorkerParts {
  readonly limits: Partial<GatewayLimits>;
  readonly directory: FakeDirectory;
  readonly logger: Logger;
}

/** Has a worker serve in the place of a gateway, as `hob serve --workers` does. */
async function throughWorker(gateway: Gateway, parts: WorkerParts): Promise<TestGateway['gateway']> {
  const folder = await mkdtemp(join(tmpdir(), 'hob-worker-'));
  const upstream = join(folder, 'gateway.sock');
  await gateway.listen({ path: upstream });
  const meeting = createServer().listen(join(folder, 'worker.sock'));
  await once(meeting, 'listening');
  const connection = connect(join(folder, 'worker.sock'));
  const [accepted] = await once(meeting, 'connection');
  meeting.close();
  const link = gateway.serveWorker(accepted);
  const worker = new GatewayWorker({
    connection,
    functions: { resolve: (name, version) => parts.directory.resolve(name, version), replace: () => undefined },
    upstream,
    verifier: () => ({ verify: (token) => token === TOKEN }),
    logger: parts.logger,
  });
  link.setUp({ host: '127.0.0.1', port: 0, limits: gatewayLimits(parts.limits), tokens: [] });
  await link.sync();
  const close = async (): Promise<void> => {
    link.drain();
    const [, error] = await Promise.all([gateway.close(), worker.ended]);
    await rm(folder, { recursive: true });
    if (error !== undefined) throw new Error('the worker broke', { cause: error });
  };
  let closed: Promise<void> | undefined;
  return {
    get address() {
      return worker.address;
    },
    listen: () => Promise.reject(new Error('it listens')),
    close: () => (closed ??= close()),
  };
}

/** Waits until something holds, looking again at each turn of the event loop. */
export async function until(holds: () => boolean, what: string | (() => string)): Promise<void> {
  const giveUpAt = Date.now() + 10_000;
  while (!holds()) {
    if (Date.now() > giveUpAt) throw new Error(`it never came to be: ${typeof what === 'string' ? what : what()}`);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}
