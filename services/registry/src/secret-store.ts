import {
  asHobError,
  fail,
  type FunctionConfig,
  type FunctionVersion,
  type SecretDirectory,
  secretForm,
  type SecretKeyNote,
  type SecretNote,
} from '@hob/contracts';
import type { RedisTarget } from '@hob/redis';
import type { Logger } from 'pino';
import { RedisConnection } from './redis-connection.ts';
import { registryKeys } from './redis-keys.ts';
import {
  beginSealing,
  checkOf,
  isOpenedBy,
  nameKey,
  readSealed,
  replaceSealed,
  type SealedPlace,
  type SealedSecrets,
  storeSecret,
} from './sealed-secrets.ts';
import { SecretCipher } from './secret-cipher.ts';
import type { SecretKeySource } from './secret-key-source.ts';

/** One value, bytes of UTF-8. */
const VALUE_BYTES_MAX = 32 * 1024;
/** All values of one function, as JSON: a container gets them in one frame. */
const FUNCTION_BYTES_MAX = 256 * 1024;

export interface SecretStoreOptions {
  readonly redis: RedisTarget;
  /** Stays the caller's. */
  readonly keys: SecretKeySource;
  readonly log: Logger;
}

/** A secret as Redis has it, as JSON in the hash of all under `<function>/<secret>`. */
interface StoredSecret {
  readonly sealed: string;
  readonly updatedAt: string;
}

/** What is in Redis, with the key that opens it: they change together. */
interface Opened extends SealedSecrets {
  readonly key: Buffer;
  readonly cipher: SecretCipher;
  readonly fields: Map<string, string>;
}

/** Secrets of functions: encrypted in Redis, and as such in memory, where containers' starts find them. */
export class SecretStore implements SecretDirectory, AsyncDisposable {
  readonly #place: SealedPlace;
  readonly #keys: SecretKeySource;
  readonly #log: Logger;
  #opened: Opened;
  /** The end of the last change: they go one after another. */
  #changed: Promise<unknown> = Promise.resolve();

  private constructor(place: SealedPlace, { keys, log }: SecretStoreOptions, opened: Opened) {
    this.#place = place;
    this.#keys = keys;
    this.#log = log;
    this.#opened = opened;
  }

  /**
   * Connects to Redis and reads all of it. What is encrypted with the former key is encrypted with the one in use.
   *
   * @throws ERR_SERVE_SECRET_KEY when what is there was encrypted with another key, ERR_SECRET_DAMAGED, ERR_REGISTRY_UNAVAILABLE, and what
   *   the source of the keys gives.
   */
  static async open(options: SecretStoreOptions): Promise<SecretStore> {
    const { redis, keys, log } = options;
    const connection = new RedisConnection(redis, 'secrets', log);
    const place = { connection, keys: registryKeys(redis) };
    let store: SecretStore;
    try {
      const sealed = (await readSealed(place)) ?? (await beginSealing(place, keys.keys[0] ?? (await keys.next())));
      store = new SecretStore(place, options, opened(sealed, keys));
      await store.#settle();
    } catch (error) {
      connection.close();
      throw error;
    }
    // A command that was cut off by the loss of the connection may have been done or not.
    connection.onReady(() => {
      store
        .#alone(() => store.#reload())
        .catch((error: unknown) => {
          log.warn({ err: asHobError(error) }, 'the secrets could not be read again; going on with those in memory');
        });
    });
    return store;
  }

  list(functionName: string): readonly SecretNote[] {
    return this.#namesOf(functionName).map((name) => {
      const { updatedAt } = this.#stored(fieldOf(functionName, name));
      return { name, updatedAt };
    });
  }

  missing({ name, secrets = [] }: FunctionConfig): readonly string[] {
    return secrets.filter((secret) => !this.#opened.fields.has(fieldOf(name, secret)));
  }

  /**
   * What a version gets as environment variables, decrypted now.
   *
   * @throws ERR_FN_LOAD_FAILED when one of them is not set, ERR_SECRET_DAMAGED
   */
  env({ name, config }: FunctionVersion): Readonly<Record<string, string>> {
    const [missing] = this.missing(config);
    if (missing !== undefined) throw fail('ERR_FN_LOAD_FAILED', ['MissingSecret', `the secret ${missing} is not set`]);
    return Object.fromEntries((config.secrets ?? []).map((secret) => [secret, this.#value(fieldOf(name, secret))]));
  }

  set(functionName: string, secret: string, value: string): Promise<SecretNote> {
    return this.#alone(async () => {
      this.#check(functionName, secret, value);
      const field = fieldOf(functionName, secret);
      for (;;) {
        const { cipher, check, fields } = this.#opened;
        const updatedAt = new Date().toISOString();
        const stored = toJson({ sealed: cipher.seal(value, field), updatedAt });
        if (await storeSecret(this.#place, check, [field, stored])) {
          fields.set(field, stored);
          return { name: secret, updatedAt };
        }
        await this.#reload();
      }
    });
  }

  remove(functionName: string, secret: string): Promise<void> {
    return this.#alone(async () => {
      const field = fieldOf(functionName, secret);
      const { connection, keys } = this.#place;
      const found = await connection.run((redis) => redis.hdel(keys.secrets, field));
      if (!this.#opened.fields.delete(field) && found === 0) throw fail('ERR_SECRET_NOT_FOUND', [functionName, secret]);
    });
  }

  removeAll(functionName: string): Promise<void> {
    return this.#alone(async () => {
      const fields = this.#namesOf(functionName).map((secret) => fieldOf(functionName, secret));
      if (fields.length === 0) return;
      const { connection, keys } = this.#place;
      await connection.run((redis) => redis.hdel(keys.secrets, ...fields));
      for (const field of fields) this.#opened.fields.delete(field);
    });
  }

  rotateKey(): Promise<SecretKeyNote> {
    return this.#alone(async () => {
      // An earlier rotation may have come as far as Redis.
      await this.#keys.use(this.#opened.key);
      const former = this.#opened.cipher.id;
      await this.#reseal(await this.#keys.next());
      await this.#keys.use(this.#opened.key);
      const note = { key: this.#opened.cipher.id, former, secrets: this.#opened.fields.size };
      this.#log.info(note, 'the secrets are encrypted with a new key');
      return note;
    });
  }

  /** Disconnects. Idempotent. */
  close(): Promise<void> {
    this.#place.connection.close();
    return Promise.resolve();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #check(functionName: string, secret: string, value: string): void {
    const why = this.#refusal(functionName, secret, value);
    if (why !== undefined) throw fail('ERR_API_BAD_REQUEST', [why]);
  }

  #refusal(functionName: string, secret: string, value: string): string | undefined {
    if (!secretForm.test(secret) || secret === '__proto__') {
      return 'a secret is named by 1 to 128 letters, digits and underscores, not starting with a digit';
    }
    if (value === '' || Buffer.byteLength(value) > VALUE_BYTES_MAX) return `a secret has 1 to ${VALUE_BYTES_MAX} bytes`;
    if (value.includes('\0')) return 'a secret has no NUL character';
    const others = this.#namesOf(functionName).filter((name) => name !== secret);
    const all = [...others.map((name) => this.#value(fieldOf(functionName, name))), value];
    if (Buffer.byteLength(JSON.stringify(all)) <= FUNCTION_BYTES_MAX) return undefined;
    return `the secrets of a function have at most ${FUNCTION_BYTES_MAX} bytes together`;
  }

  #value(field: string): string {
    try {
      return this.#opened.cipher.open(this.#stored(field).sealed, field);
    } catch (cause) {
      throw fail('ERR_SECRET_DAMAGED', [field], { cause });
    }
  }

  #stored(field: string): StoredSecret {
    try {
      return JSON.parse(this.#opened.fields.get(field) ?? '') as StoredSecret;
    } catch (cause) {
      throw fail('ERR_SECRET_DAMAGED', [field], { cause });
    }
  }

  /** Names of the secrets of one function, sorted. */
  #namesOf(functionName: string): string[] {
    const prefix = fieldOf(functionName, '');
    const own = [...this.#opened.fields.keys()].filter((field) => field.startsWith(prefix));
    return own.map((field) => field.slice(prefix.length)).toSorted();
  }

  /** Makes a change when those before it are over. */
  #alone<T>(change: () => Promise<T>): Promise<T> {
    const done = this.#changed.then(change);
    this.#changed = done.catch(() => undefined);
    return done;
  }

  /** What a start has to do once the key is known. */
  async #settle(): Promise<void> {
    const { former, keys } = this.#keys;
    const { key, keyId, cipher } = this.#opened;
    if (former?.equals(key) === true) {
      await this.#reseal(keys[0] ?? (await this.#keys.next()));
      const note = { key: this.#opened.cipher.id, former: cipher.id, secrets: this.#opened.fields.size };
      this.#log.info(
        note,
        'the secrets are encrypted with the new key; HOB_SECRET_KEY_PREVIOUS is not needed any more',
      );
    } else if (keyId !== cipher.id) {
      await nameKey(this.#place, cipher);
    }
    await this.#keys.use(this.#opened.key);
    await this.#keys.forget();
  }

  /** Encrypts everything with a key, at once. */
  async #reseal(key: Buffer): Promise<void> {
    const cipher = new SecretCipher(key);
    while (!this.#opened.key.equals(key)) {
      const before = this.#opened;
      const fields = new Map(
        [...before.fields.keys()].map((field): [string, string] => {
          const sealed = cipher.seal(this.#value(field), field);
          return [field, toJson({ ...this.#stored(field), sealed })];
        }),
      );
      const after = { key, cipher, check: checkOf(cipher), keyId: cipher.id, fields };
      if (await replaceSealed(this.#place, before, after)) this.#opened = after;
      else await this.#reload();
    }
  }

  async #reload(): Promise<void> {
    // A Redis that has lost everything goes on with the same key.
    const sealed = (await readSealed(this.#place)) ?? (await beginSealing(this.#place, this.#opened.key));
    this.#opened = opened(sealed, this.#keys);
  }
}

/** @throws ERR_SERVE_SECRET_KEY when none of the keys is that of what is in Redis. */
function opened(sealed: SealedSecrets, { name, keys, former }: SecretKeySource): Opened {
  const known = [...keys, ...(former === undefined ? [] : [former])];
  const key = known.find((each) => isOpenedBy(each, sealed));
  if (key !== undefined) return { ...sealed, key, cipher: new SecretCipher(key), fields: new Map(sealed.fields) };
  const ids = known.map((each) => new SecretCipher(each).id);
  const given = ids.length === 0 ? `there is no ${name}` : `${name} is ${ids.join(' or ')}`;
  throw fail('ERR_SERVE_SECRET_KEY', [sealed.keyId, given]);
}

function toJson(stored: StoredSecret): string {
  return JSON.stringify(stored);
}

/** No name of a function has a slash. */
function fieldOf(functionName: string, secret: string): string {
  return `${functionName}/${secret}`;
}
