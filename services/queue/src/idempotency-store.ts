import { createHash } from 'node:crypto';
import {
  fail,
  type IdempotencyKeys,
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
 * KEYS: key. ARGV: the holder's value, ms, new value or '' to free the key. Does nothing when somebody else holds it. Its time may have run out
 * before the holder was done, as when the clock was set forward.
 */
const HELD = `
local found = redis.call('GET', KEYS[1])
if found and found ~= ARGV[1] then return 0 end
if ARGV[3] ~= '' then redis.call('SET', KEYS[1], ARGV[3], 'PX', ARGV[2])
else redis.call('DEL', KEYS[1]) end
return 1`;

/** Idempotency keys in Redis. */
export class IdempotencyStore implements IdempotencyKeys, Disposable {
  readonly #options: IdempotencyStoreOptions;
  /** Calls that are being made here, by their places: their keys are held whatever Redis has of them. */
  readonly #holders = new Map<string, { readonly call: KeyedCall; readonly renewal: NodeJS.Timeout }>();

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
      this.#holders.set(place, { call, renewal: setInterval(renew, HOLD_MS / 3).unref() });
      return { id: call.id, response: undefined, isFirst: true };
    }
    const { id, fingerprint, response } = JSON.parse(found) as StoredKey;
    const isSame = fingerprint === call.fingerprint;
    hit(!isSame ? 'different' : response === undefined ? 'busy' : 'replayed');
    if (!isSame) throw fail('ERR_IDEMPOTENCY_KEY_REUSED', []);
    return {
      id,
      response: response && { ...response, body: Buffer.from(response.body, 'base64') },
      isFirst: false,
    };
  }

  async settle(call: KeyedCall, { status, headers, body }: KeptResponse): Promise<void> {
    this.#stopHolding(call);
    const response = { status, headers, body: Buffer.from(body).toString('base64') };
    const value = JSON.stringify({ id: call.id, fingerprint: call.fingerprint, response } satisfies StoredKey);
    await this.#held(call, this.#options.keepMs, value);
  }

  async release(call: KeyedCall): Promise<void> {
    this.#stopHolding(call);
    await this.#held(call, 0, '');
  }

  [Symbol.dispose](): void {
    for (const { renewal } of this.#holders.values()) clearInterval(renewal);
  }

  #held(call: KeyedCall, ms: number, value: string): Promise<unknown> {
    const { ask, redis } = this.#options;
    return ask(() => redis.eval(HELD, 1, this.#placeOf(call), heldValue(call), ms, value));
  }

  #placeOf({ scope, key }: KeyedCall): string {
    return this.#options.keys.idempotency(createHash('sha256').update(`${scope}\0${key}`).digest('hex'));
  }

  #stopHolding(call: KeyedCall): void {
    const place = this.#placeOf(call);
    clearInterval(this.#holders.get(place)?.renewal);
    this.#holders.delete(place);
  }
}

function heldValue({ id, fingerprint }: KeyedCall): string {
  return JSON.stringify({ id, fingerprint } satisfies StoredKey);
}
