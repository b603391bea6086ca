import { createHash } from 'node:crypto';
import {
  fail,
  type IdempotencyKeys,
  isHobError,
  type KeptResponse,
  type KeyClaim,
  type KeyedCall,
  type KeyHit,
} from '@hob/contracts';
import type { Redis } from 'ioredis';
import type { QueueKeys } from './redis-keys.ts';

export interface IdempotencyStoreOptions {
  readonly redis: Redis;
  readonly keys: QueueKeys;
  /** Runs commands; their failure is ERR_QUEUE_UNAVAILABLE. */
  readonly ask: <T>(commands: () => Promise<T>) => Promise<T>;
  /** How long an answer is kept, ms. */
  readonly keepMs: number;
  /** Told of each call whose key was taken. */
  readonly hit: (hit: KeyHit) => void;
}

/** How long a key is held whose holder does not renew it, ms. */
const HOLD_MS = 30_000;
/** How often it is tried to keep an answer that Redis did not take, and for how long, ms. */
const SETTLE_EVERY_MS = 1000;
const SETTLE_MS_MAX = 600_000;

/** What Redis has of a key. */
interface StoredKey {
  readonly id: string;
  readonly fingerprint: string;
  readonly response?: { readonly status: number; readonly headers: readonly string[]; readonly body: string };
}

/** KEYS: key. ARGV: value, ms. Gives what was there, or takes the key. */
const CLAIM = `
local found = redis.call('GET', KEYS[1])
if found then return found end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return false`;

/**
 * KEYS: key. ARGV: the holder's value, ms, new value or '' to free the key. Does nothing but give what is there when it is not the holder's. Its
 * time may have run out before the holder was done, as when the clock was set forward.
 */
const HELD = `
local found = redis.call('GET', KEYS[1])
if found and found ~= ARGV[1] then return found end
if ARGV[3] ~= '' then redis.call('SET', KEYS[1], ARGV[3], 'PX', ARGV[2])
else redis.call('DEL', KEYS[1]) end
return false`;

/** A call that is being made here. */
interface Holder {
  readonly call: KeyedCall;
  readonly timer: NodeJS.Timeout;
}

/** Idempotency keys in Redis. */
export class IdempotencyStore implements IdempotencyKeys, Disposable {
  readonly #options: IdempotencyStoreOptions;
  /** Calls that are being made here, by their places: their keys are held whatever Redis has of them. */
  readonly #holders = new Map<string, Holder>();
  #isDisposed = false;

  constructor(options: IdempotencyStoreOptions) {
    this.#options = options;
  }

  async claim(call: KeyedCall): Promise<KeyClaim> {
    const { ask, redis, hit } = this.#options;
    const place = this.#placeOf(call);
    const holder = this.#holders.get(place)?.call;
    const found = holder ? heldValue(holder) : await ask(() => redis.eval(CLAIM, 1, place, heldValue(call), HOLD_MS));
    if (typeof found !== 'string') {
      const renew = (): void => void this.#held(call, HOLD_MS, heldValue(call)).catch(() => undefined);
      this.#hold(call, setInterval(renew, HOLD_MS / 3));
      return { id: call.id, response: undefined, isFirst: true };
    }
    const { id, fingerprint, response } = JSON.parse(found) as StoredKey;
    const isSame = fingerprint === call.fingerprint;
    hit(!isSame ? 'different' : response === undefined ? 'busy' : 'replayed');
    if (!isSame) throw fail('ERR_IDEMPOTENCY_KEY_REUSED', []);
    return { id, response: response && keptResponse(response), isFirst: false };
  }

  async settle(call: KeyedCall, response: KeptResponse): Promise<KeptResponse> {
    try {
      return await this.#settle(call, response);
    } catch (error) {
      if (isUnavailable(error) && !this.#isDisposed) this.#settleLater(call, response);
      throw error;
    }
  }

  async release(call: KeyedCall): Promise<void> {
    this.#stopHolding(call);
    await this.#held(call, 0, '');
  }

  [Symbol.dispose](): void {
    this.#isDisposed = true;
    for (const { timer } of this.#holders.values()) clearInterval(timer);
  }

  async #settle(call: KeyedCall, response: KeptResponse): Promise<KeptResponse> {
    const { status, headers, body } = response;
    const stored = { status, headers, body: Buffer.from(body).toString('base64') };
    const value = JSON.stringify({ id: call.id, fingerprint: call.fingerprint, response: stored } satisfies StoredKey);
    const found = await this.#held(call, this.#options.keepMs, value);
    this.#stopHolding(call);
    if (typeof found !== 'string') return response;
    const other = JSON.parse(found) as StoredKey;
    if (other.fingerprint !== call.fingerprint) throw fail('ERR_IDEMPOTENCY_KEY_REUSED', []);
    if (other.response === undefined) throw fail('ERR_IDEMPOTENCY_IN_PROGRESS', []);
    return keptResponse(other.response);
  }

  /** Redis may have taken it all the same, and only its answer was lost: then that is what is found. */
  #settleLater(call: KeyedCall, response: KeptResponse): void {
    const endMs = performance.now() + SETTLE_MS_MAX;
    const again = async (): Promise<void> => {
      try {
        await this.#settle(call, response);
      } catch (error) {
        if (!isUnavailable(error) || performance.now() > endMs) this.#stopHolding(call);
      }
    };
    this.#hold(
      call,
      setInterval(() => void again(), SETTLE_EVERY_MS),
    );
  }

  /** @returns what was there, when that is not the holder's. */
  #held(call: KeyedCall, ms: number, value: string): Promise<unknown> {
    const { ask, redis } = this.#options;
    return ask(() => redis.eval(HELD, 1, this.#placeOf(call), heldValue(call), ms, value));
  }

  #placeOf({ scope, key }: KeyedCall): string {
    return this.#options.keys.idempotency(createHash('sha256').update(`${scope}\0${key}`).digest('hex'));
  }

  /** @param timer what keeps it held, or ends that. */
  #hold(call: KeyedCall, timer: NodeJS.Timeout): void {
    this.#stopHolding(call);
    this.#holders.set(this.#placeOf(call), { call, timer: timer.unref() });
  }

  /** Does nothing when another call holds the key. */
  #stopHolding(call: KeyedCall): void {
    const place = this.#placeOf(call);
    const holder = this.#holders.get(place);
    if (holder?.call.id !== call.id) return;
    clearInterval(holder.timer);
    this.#holders.delete(place);
  }
}

function isUnavailable(error: unknown): boolean {
  return isHobError(error) && error.code === 'ERR_QUEUE_UNAVAILABLE';
}

function keptResponse({ body, ...head }: NonNullable<StoredKey['response']>): KeptResponse {
  return { ...head, body: Buffer.from(body, 'base64') };
}

function heldValue({ id, fingerprint }: KeyedCall): string {
  return JSON.stringify({ id, fingerprint } satisfies StoredKey);
}
