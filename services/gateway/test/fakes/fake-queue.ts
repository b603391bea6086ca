import {
  type AsyncEvent,
  type AsyncInvocations,
  type DeadLetter,
  type DeadLetterChoice,
  type DeadLetters,
  fail,
  type HobError,
  type IdempotencyKeys,
  type InvocationRecord,
  type KeptResponse,
  type KeyedCall,
  type QueueBoard,
  type QueueCounts,
  type Schedules,
} from '@hob/contracts';

const nightly = { function: 'hello', name: 'nightly', everyMs: 1000, method: 'POST', path: '/' };

/** A key that a call has taken. */
interface HeldKey {
  readonly call: KeyedCall;
  readonly response?: KeptResponse;
  /** Whoever made the call is gone. */
  readonly isAbandoned?: true;
}

/** A queue that keeps what was submitted and says what the test told it. */
export class FakeQueue implements AsyncInvocations {
  bodyBytesMax = 1000;
  readonly events: AsyncEvent[] = [];
  readonly records = new Map<string, InvocationRecord>();
  readonly cancelledIds: string[] = [];
  current: QueueCounts | undefined = {
    waiting: 4,
    running: 3,
    failed: 2,
    dead: 1,
    oldestAgeMs: 1500,
    schedules: { active: 5, paused: 2 },
  };
  /** Set: every question fails. */
  failure: HobError | undefined;

  readonly letters = new Map<string, DeadLetter>();
  /** What was done to which dead letters. */
  readonly done: (readonly [act: string, choice: DeadLetterChoice])[] = [];

  get deadLetters(): DeadLetters {
    return {
      list: (name, limit) => {
        const chosen = [...this.letters.values()].filter((letter) => name === undefined || letter.function === name);
        return this.#answer({ total: this.letters.size, letters: chosen.slice(0, limit) });
      },
      read: (id) => this.#answer(this.letters.get(id)),
      redrive: (choice) => this.#answer(this.done.push(['redrive', choice])),
      purge: (choice) => this.#answer(this.done.push(['purge', choice])),
    };
  }

  /** What the schedules were told. */
  readonly scheduled: string[] = [];
  readonly schedules: Schedules = {
    check: ({ name, schedule }) => {
      if (schedule?.some(({ cron }) => cron === 'never')) throw fail('ERR_CONFIG_INVALID', ['schedule[0]', name]);
    },
    apply: ({ name, version }) => this.#answer(void this.scheduled.push(`${name}@${version}`)),
    remove: (name) => this.#answer(void this.scheduled.push(`no ${name}`)),
    list: () => this.#answer([nightly]),
    read: (of, name) => this.#known(of, name, { ...nightly, nextTimes: [], runs: [] }),
    run: (live, name) => {
      this.scheduled.push(`run ${live.name}@${live.version}/${name}`);
      return this.#known(live.name, name, 'the-id');
    },
    pause: (of, name) => this.#known(of, name, { ...nightly, pausedAt: '2026-01-01T00:00:00.000Z' }),
    resume: (of, name) => this.#known(of, name, { ...nightly, nextAt: '2026-01-02T00:00:00.000Z' }),
  };

  /** What of the board was asked for; all of it is there but what ends with `none`. */
  readonly boardPaths: string[] = [];
  readonly board: QueueBoard = {
    read: (path) => {
      this.boardPaths.push(path);
      const page = { contentType: 'text/html', body: Buffer.from(`<p>${path}`) };
      return this.#answer(path.endsWith('none') ? undefined : page);
    },
  };

  /** Keys in memory, as the real ones are taken and freed. */
  readonly held = new Map<string, HeldKey>();
  readonly keys: IdempotencyKeys = {
    claim: (call) => {
      const place = `${call.scope} ${call.key}`;
      const found = this.held.get(place);
      if (found === undefined) {
        this.held.set(place, { call });
        return this.#answer({ id: call.id, response: undefined, isFirst: true });
      }
      if (found.call.fingerprint !== call.fingerprint) return Promise.reject(fail('ERR_IDEMPOTENCY_KEY_REUSED', []));
      const isCut = found.isAbandoned === true && found.call.isOnce && found.response === undefined;
      const claim = { id: found.call.id, response: found.response, isFirst: false };
      return this.#answer(isCut ? { ...claim, isCut } : claim);
    },
    settle: (call, response) => {
      const place = `${call.scope} ${call.key}`;
      const { response: kept = response } = this.held.get(place) ?? {};
      this.held.set(place, { call, response: kept });
      return this.#answer(kept);
    },
    release: (call) => {
      this.held.delete(`${call.scope} ${call.key}`);
      return this.#answer(undefined);
    },
  };

  counts(): Promise<QueueCounts | undefined> {
    return Promise.resolve(this.current);
  }

  submit(event: AsyncEvent): Promise<void> {
    this.events.push(event);
    return this.#answer(undefined);
  }

  read(id: string): Promise<InvocationRecord | undefined> {
    return this.#answer(this.records.get(id));
  }

  cancel(id: string): Promise<boolean> {
    this.cancelledIds.push(id);
    return this.#answer(this.records.has(id));
  }

  /** An answer about the one schedule that there is. */
  #known<T>(functionName: string, schedule: string, value: T): Promise<T> {
    if (functionName === nightly.function && schedule === nightly.name) return this.#answer(value);
    return Promise.reject(fail('ERR_SCHEDULE_NOT_FOUND', [functionName, schedule]));
  }

  #answer<T>(value: T): Promise<T> {
    return this.failure === undefined ? Promise.resolve(value) : Promise.reject(this.failure);
  }
}
