import {
  fail,
  type FunctionVersion,
  type InvocationSink,
  type Lesson,
  type LessonCall,
  type Outcome,
  type Receipt,
} from '@hob/contracts';
import type { ContainerDriver } from './container-driver.ts';
import { deathBy } from './death.ts';
import type { GroupServices } from './group-services.ts';
import { Invocation } from './invocation.ts';
import { VersionGroup } from './version-group.ts';

/** Each system call goes to the host and back, so everything takes longer than it does otherwise. */
const TIMEOUT_FACTOR = 10;
const TIMEOUT_MS_MAX = 900_000;

/** Runs calls of a version in a group of its own, whose containers remember their system calls. For one run. */
export class SystemCallLesson {
  readonly #version: FunctionVersion;
  readonly #group: VersionGroup;
  readonly #systemCalls = new Set<string>();
  readonly #ended = new Map<Invocation, (receipt: Receipt) => void>();

  constructor(version: FunctionVersion, services: GroupServices) {
    const { config } = version;
    this.#version = {
      ...version,
      config: {
        ...config,
        // One container as long as it lives; any rules keep it from being a parked one.
        concurrency: 1,
        maxContainers: 1,
        seccomp: {},
        timeoutMs: Math.min(TIMEOUT_MS_MAX, TIMEOUT_FACTOR * config.timeoutMs),
      },
    };
    this.#group = new VersionGroup(this.#version, {
      ...services,
      env: { ...services.env, driver: this.#learning(services.env.driver) },
      ended: (call, receipt) => this.#ended.get(call)?.(receipt),
      emptied: () => undefined,
    });
  }

  /** @throws the signal's reason; nothing is left then, as always. */
  async run(calls: readonly LessonCall[], signal: AbortSignal): Promise<Lesson> {
    const answers: Lesson['calls'][number][] = [];
    try {
      for (const call of calls) {
        signal.throwIfAborted();
        answers.push(await this.#call(call, signal));
      }
      signal.throwIfAborted();
    } finally {
      const cancelled = fail('ERR_CANCELLED', ['the end of the lesson']);
      await this.#group.end(cancelled, deathBy('cancelled', cancelled));
    }
    return { systemCalls: [...this.#systemCalls], calls: answers };
  }

  /** Resolved when all is over that the call began: `waitUntil` too. */
  #call({ request, body }: LessonCall, signal: AbortSignal): Promise<Lesson['calls'][number]> {
    const over = Promise.withResolvers<Outcome>();
    let status: number | undefined;
    const sink: InvocationSink = {
      head: (head) => (status = head.status),
      chunk: () => true,
      end: () => undefined,
      fail: () => undefined,
      drain: () => undefined,
    };
    const call = new Invocation({ ...request, version: this.#version }, sink, this.#group);
    const stop = (): void => void call.stop('cancelled');
    this.#ended.set(call, ({ outcome }) => {
      signal.removeEventListener('abort', stop);
      this.#ended.delete(call);
      over.resolve(outcome);
    });
    signal.addEventListener('abort', stop, { once: true });
    this.#group.run(call);
    if (body !== undefined) {
      call.write(body);
      call.end();
    }
    return over.promise.then((outcome) => ({ status, outcome }));
  }

  #learning(driver: ContainerDriver): ContainerDriver {
    return {
      create: async (kind) => {
        const container = await driver.create(kind, 'learn');
        void container.exited.then(({ systemCalls }) => {
          for (const name of systemCalls ?? []) this.#systemCalls.add(name);
        });
        return container;
      },
      zygotes: () => driver.zygotes(),
      close: () => driver.close(),
    };
  }
}
