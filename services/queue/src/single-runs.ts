import { randomUUID } from 'node:crypto';
import { fail, HobError } from '@hob/contracts';
import { DelayedError } from 'bullmq';
import type { Redis } from 'ioredis';
import { type EventTarget, MARGIN_S } from './enqueue.ts';
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

/**
 * KEYS: run, the job's lock. ARGV: value, the longest that it is kept, s, the worker's token. Gives what was there, unless it is the same: the
 * command came twice then. Gives 0 when the job is another worker's by now, which may have ended it, and forgotten that.
 */
const BEGIN = `
if redis.call('GET', KEYS[2]) ~= ARGV[3] then return 0 end
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
  readonly #queue: EventTarget['queue'];

  /** What it is given stays the caller's. @param target its client waits for Redis while that is away. */
  constructor({ redis, keys, queue }: Pick<EventTarget, 'redis' | 'keys' | 'queue'>) {
    this.#redis = redis;
    this.#keys = keys;
    this.#queue = queue;
  }

  /**
   * Makes a call of an event, unless one was begun before: then this gives how that ended, if anybody knows, else ERR_FN_INTERRUPTED.
   *
   * @param token of the worker that has the job.
   * @param call may be made again when it ends without having reached the function.
   * @throws DelayedError when the worker stood still for so long that the job is not its own any more: nothing is to be done with it.
   */
  async only(job: EventJob, token: string | undefined, call: () => Promise<EventEnd>): Promise<EventEnd> {
    const place = this.#placeOf(job);
    const keepS = Math.ceil(job.data.policy.maxAgeMs / 1000) + MARGIN_S;
    const run: StoredRun = { run: randomUUID() };
    const lock = `${this.#queue.toKey(job.id ?? '')}:lock`;
    const found = await this.#redis.eval(BEGIN, 2, place, lock, JSON.stringify(run), keepS, token ?? '');
    if (found === 0) throw new DelayedError();
    if (typeof found === 'string') return endOf(JSON.parse(found) as StoredRun);
    const end = await call();
    if (!end.mayHaveRun) await this.#redis.del(place);
    else await this.#redis.set(place, JSON.stringify({ ...run, attempt: end.attempt }), 'EX', keepS, 'XX');
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
