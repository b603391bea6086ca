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
/** How often it is tried to tell Redis what it did not take, and for how long, ms. */
const AGAIN_EVERY_MS = 1000;
const AGAIN_MS_MAX = 600_000;

/** What Redis has of a key. */
interface StoredKey {
  readonly id: string;
  readonly fingerprint: string;
  /** The key stays taken when its holder is gone; whether it is there another key tells. */
  readonly isOnce?: true;
  readonly response?: { readonly status: number; readonly headers: readonly string[]; readonly body: string };
}

/**
 * KEYS: key, holder. ARGV: value, ms, for how long the holder is there without renewing it, ms, or '' when the key itself tells. Gives what was
 * there and whether its holder is, or takes the key.
 */
const CLAIM = `
local found = redis.call('GET', KEYS[1])
if found then return {found, redis.call('EXISTS', KEYS[2])} end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
if ARGV[3] ~= '' then redis.call('SET', KEYS[2], '1', 'PX', ARGV[3]) end
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
    const found = await this.#found(call);
    if (found === undefined) {
      this.#hold(
        call,
        setInterval(() => void this.#renew(call).catch(() => undefined), HOLD_MS / 3),
      );
      return { id: call.id, response: undefined, isFirst: true };
    }
    const { id, fingerprint, response, isOnce } = JSON.parse(found.value) as StoredKey;
    const isSame = fingerprint === call.fingerprint;
    this.#options.hit(!isSame ? 'different' : response === undefined ? 'busy' : 'replayed');
    if (!isSame) throw fail('ERR_IDEMPOTENCY_KEY_REUSED', []);
    const isCut = isOnce === true && response === undefined && !found.isHeld;
    return { id, response: response && keptResponse(response), isFirst: false, ...(isCut && { isCut }) };
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
    try {
      await this.#held(call, 0, '');
    } catch (error) {
      this.#releaseLater(call, error);
      throw error;
    }
  }

  [Symbol.dispose](): void {
    this.#isDisposed = true;
    for (const { timer } of this.#holders.values()) clearInterval(timer);
  }

  /** @returns undefined when the key is this call's now. */
  async #found(call: KeyedCall): Promise<{ readonly value: string; readonly isHeld: boolean } | undefined> {
    const { ask, redis } = this.#options;
    const place = this.#placeOf(call);
    const holder = this.#holders.get(place)?.call;
    if (holder !== undefined) return { value: heldValue(holder), isHeld: true };
    const taking = [heldValue(call), this.#holdMs(call), call.isOnce ? HOLD_MS : ''];
    try {
      const found = await ask(() => redis.eval(CLAIM, 2, place, this.#holderOf(call), ...taking));
      if (!Array.isArray(found)) return undefined;
      const [value, isHeld] = found as [string, number];
      return { value, isHeld: isHeld === 1 };
    } catch (error) {
      this.#releaseLater(call, error);
      throw error;
    }
  }

  async #renew(call: KeyedCall): Promise<void> {
    await this.#held(call, this.#holdMs(call), heldValue(call));
    const { ask, redis } = this.#options;
    if (call.isOnce) await ask(() => redis.set(this.#holderOf(call), '1', 'PX', HOLD_MS));
  }

  /** How long a key is taken without being renewed, ms. */
  #holdMs({ isOnce }: KeyedCall): number {
    return isOnce ? Math.max(HOLD_MS, this.#options.keepMs) : HOLD_MS;
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
    const endMs = performance.now() + AGAIN_MS_MAX;
    const again = async (): Promise<void> => {
      try {
        await this.#settle(call, response);
      } catch (error) {
        if (!isUnavailable(error) || performance.now() > endMs) this.#stopHolding(call);
      }
    };
    this.#hold(
      call,
      setInterval(() => void again(), AGAIN_EVERY_MS),
    );
  }

  /**
   * Frees the key of a call that was not made when Redis, which did not answer, can be asked again: it may have taken the key all the same. That of
   * a call without `isOnce` is free by itself then.
   */
  #releaseLater(call: KeyedCall, why: unknown, endMs = performance.now() + AGAIN_MS_MAX): void {
    if (!call.isOnce || !isUnavailable(why) || this.#isDisposed || performance.now() > endMs) return;
    const again = (): Promise<unknown> =>
      this.#held(call, 0, '').catch((error: unknown) => this.#releaseLater(call, error, endMs));
    setTimeout(() => void again(), AGAIN_EVERY_MS).unref();
  }

  /** @returns what was there, when that is not the holder's. */
  #held(call: KeyedCall, ms: number, value: string): Promise<unknown> {
    const { ask, redis } = this.#options;
    return ask(() => redis.eval(HELD, 1, this.#placeOf(call), heldValue(call), ms, value));
  }

  #placeOf(call: KeyedCall): string {
    return this.#options.keys.idempotency(digestOf(call));
  }

  #holderOf(call: KeyedCall): string {
    return this.#options.keys.idempotencyHolder(digestOf(call));
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

function digestOf({ scope, key }: KeyedCall): string {
  return createHash('sha256').update(`${scope}\0${key}`).digest('hex');
}

function heldValue({ id, fingerprint, isOnce }: KeyedCall): string {
  return JSON.stringify({ id, fingerprint, ...(isOnce && { isOnce }) } satisfies StoredKey);
}
