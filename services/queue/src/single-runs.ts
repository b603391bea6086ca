import { randomUUID } from 'node:crypto';
import { fail, HobError } from '@hob/contracts';
import type { Redis } from 'ioredis';
import { MARGIN_S } from './enqueue.ts';
import type { EventEnd } from './event-runner.ts';
import type { EventJob } from './event-store.ts';
import type { QueueKeys } from './redis-keys.ts';
import type { Attempt } from './stored-event.ts';

/** What Redis has of a run. */
interface StoredRun {
  readonly run: string;
  /** How it ended; not there while it goes on, or when nobody knows. */
  readonly attempt?: Attempt;
}

/** KEYS: run. ARGV: value, the longest that it is kept, s. Gives what was there, unless it is the same: the command came twice then. */
const BEGIN = `
local found = redis.call('GET', KEYS[1])
if found then
  if found == ARGV[1] then return false end
  return found
end
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
return false`;

/**
 * Keeps events of functions whose `delivery` is `at-most-once` from being run a second time, whichever process ends or stands still: Redis
 * has that a run began before it does, and how it ended before the queue is told.
 */
export class SingleRuns {
  readonly #redis: Redis;
  readonly #keys: QueueKeys;

  /** @param redis waits for Redis while that is away. It stays the caller's. */
  constructor(redis: Redis, keys: QueueKeys) {
    this.#redis = redis;
    this.#keys = keys;
  }

  /**
   * Makes a call of an event, unless one was begun before: then this gives how that ended, if anybody knows, else ERR_FN_INTERRUPTED.
   *
   * @param call may be made again when it ends without having reached the function.
   */
  async only(job: EventJob, call: () => Promise<EventEnd>): Promise<EventEnd> {
    const place = this.#placeOf(job);
    const keepS = Math.ceil(job.data.policy.maxAgeMs / 1000) + MARGIN_S;
    const run: StoredRun = { run: randomUUID() };
    const found = await this.#redis.eval(BEGIN, 1, place, JSON.stringify(run), keepS);
    if (typeof found === 'string') return endOf(JSON.parse(found) as StoredRun);
    const end = await call();
    if (!end.mayHaveRun) await this.#redis.del(place);
    else
      await this.#redis.set(place, JSON.stringify({ ...run, attempt: end.attempt } satisfies StoredRun), 'EX', keepS);
    return end;
  }

  /** Forgets what was kept of an event that is over. */
  async forget(job: EventJob): Promise<void> {
    await this.#redis.del(this.#placeOf(job));
  }

  /** One that was redriven begins anew. */
  #placeOf(job: EventJob): string {
    return this.#keys.run(`${job.id}:${job.data.redrivenMs ?? 0}`);
  }
}

/** How a call ended that was cut in its middle and is not made again. */
export function cutShort({ receipt }: Pick<Attempt, 'receipt'> = {}): EventEnd {
  const error = fail('ERR_FN_INTERRUPTED', []);
  const { code, message } = error;
  return { attempt: { error: { code, message }, ...(receipt && { receipt }) }, error, mayHaveRun: true };
}

function endOf({ attempt }: StoredRun): EventEnd {
  if (attempt === undefined) return cutShort();
  const { error } = attempt;
  return { attempt, ...(error && { error: new HobError(error.code, error.message) }), mayHaveRun: true };
}
