import {
  asHobError,
  fail,
  type FunctionConfig,
  type FunctionVersion,
  type SecretDirectory,
  secretForm,
  type SecretNote,
} from '@hob/contracts';
import type { RedisTarget } from '@hob/redis';
import type { Logger } from 'pino';
import { RedisConnection } from './redis-connection.ts';
import { type RegistryKeys, registryKeys } from './redis-keys.ts';
import { SecretCipher } from './secret-cipher.ts';

/** One value, bytes of UTF-8. */
const VALUE_BYTES_MAX = 32 * 1024;
/** All values of one function, as JSON: a container gets them in one frame. */
const FUNCTION_BYTES_MAX = 256 * 1024;
const CHECK = 'hob';
/** What the check is encrypted for, under whatever key it is stored. */
const CHECK_PLACE = 'hob:secret-check';

/** A secret as Redis has it, in the hash of all under `<function>/<secret>`. */
interface StoredSecret {
  readonly sealed: string;
  readonly updatedAt: string;
}

export interface SecretStoreOptions {
  readonly redis: RedisTarget;
  /** SECRET_KEY_BYTES of them. */
  readonly key: Buffer;
  /** What messages call the key's source. */
  readonly keySource: string;
  readonly log: Logger;
}

/** Secrets of functions: encrypted in Redis, and as such in memory, where containers' starts find them. */
export class SecretStore implements SecretDirectory, AsyncDisposable {
  readonly #connection: RedisConnection;
  readonly #keys: RegistryKeys;
  readonly #cipher: SecretCipher;
  /** By `<function>/<secret>`. */
  #secrets = new Map<string, StoredSecret>();

  private constructor({ redis, key, log }: SecretStoreOptions) {
    this.#connection = new RedisConnection(redis, 'secrets', log);
    this.#keys = registryKeys(redis);
    this.#cipher = new SecretCipher(key);
  }

  /**
   * Connects to Redis and reads all of it.
   *
   * @throws ERR_SERVE_SECRET_KEY when what is there was encrypted with another key, ERR_REGISTRY_UNAVAILABLE
   */
  static async open(options: SecretStoreOptions): Promise<SecretStore> {
    const store = new SecretStore(options);
    try {
      await store.#checkKey(options.keySource);
      await store.#reload();
    } catch (error) {
      await store.close();
      throw error;
    }
    // A command that was cut off by the loss of the connection may have been done or not.
    store.#connection.onReady(() => {
      store.#reload().catch((error: unknown) => {
        options.log.warn(
          { err: asHobError(error) },
          'the secrets could not be read again; going on with those in memory',
        );
      });
    });
    return store;
  }

  list(functionName: string): readonly SecretNote[] {
    return this.#of(functionName).map(([name, { updatedAt }]) => ({ name, updatedAt }));
  }

  missing({ name, secrets = [] }: FunctionConfig): readonly string[] {
    return secrets.filter((secret) => !this.#secrets.has(fieldOf(name, secret)));
  }

  /**
   * What a version gets as environment variables, decrypted now.
   *
   * @throws ERR_FN_LOAD_FAILED when one of them is not set.
   */
  env({ name, config }: FunctionVersion): Readonly<Record<string, string>> {
    const [missing] = this.missing(config);
    if (missing !== undefined) throw fail('ERR_FN_LOAD_FAILED', ['MissingSecret', `the secret ${missing} is not set`]);
    return Object.fromEntries((config.secrets ?? []).map((secret) => [secret, this.#value(fieldOf(name, secret))]));
  }

  async set(functionName: string, secret: string, value: string): Promise<SecretNote> {
    this.#check(functionName, secret, value);
    const field = fieldOf(functionName, secret);
    const stored = { sealed: this.#cipher.seal(value, field), updatedAt: new Date().toISOString() };
    await this.#connection.run((redis) => redis.hset(this.#keys.secrets, field, JSON.stringify(stored)));
    this.#secrets.set(field, stored);
    return { name: secret, updatedAt: stored.updatedAt };
  }

  async remove(functionName: string, secret: string): Promise<void> {
    const field = fieldOf(functionName, secret);
    const found = await this.#connection.run((redis) => redis.hdel(this.#keys.secrets, field));
    if (!this.#secrets.delete(field) && found === 0) throw fail('ERR_SECRET_NOT_FOUND', [functionName, secret]);
  }

  async removeAll(functionName: string): Promise<void> {
    const fields = this.#of(functionName).map(([secret]) => fieldOf(functionName, secret));
    if (fields.length === 0) return;
    await this.#connection.run((redis) => redis.hdel(this.#keys.secrets, ...fields));
    for (const field of fields) this.#secrets.delete(field);
  }

  /** Disconnects. Idempotent. */
  close(): Promise<void> {
    this.#connection.close();
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
    const others = this.#of(functionName).filter(([name]) => name !== secret);
    const all = [...others.map(([name]) => this.#value(fieldOf(functionName, name))), value];
    if (Buffer.byteLength(JSON.stringify(all)) <= FUNCTION_BYTES_MAX) return undefined;
    return `the secrets of a function have at most ${FUNCTION_BYTES_MAX} bytes together`;
  }

  #value(field: string): string {
    return this.#cipher.open(this.#secrets.get(field)?.sealed ?? '', field);
  }

  /** Names and secrets of one function, sorted. */
  #of(functionName: string): [string, StoredSecret][] {
    const prefix = fieldOf(functionName, '');
    return [...this.#secrets]
      .filter(([field]) => field.startsWith(prefix))
      .map(([field, stored]): [string, StoredSecret] => [field.slice(prefix.length), stored])
      .toSorted(([a], [b]) => (a < b ? -1 : 1));
  }

  async #checkKey(source: string): Promise<void> {
    const fresh = this.#cipher.seal(CHECK, CHECK_PLACE);
    await this.#connection.run((redis) => redis.setnx(this.#keys.secretCheck, fresh));
    const sealed = await this.#connection.run((redis) => redis.get(this.#keys.secretCheck));
    try {
      this.#cipher.open(sealed ?? '', CHECK_PLACE);
    } catch (cause) {
      throw fail('ERR_SERVE_SECRET_KEY', [source], { cause });
    }
  }

  async #reload(): Promise<void> {
    const stored = await this.#connection.run((redis) => redis.hgetall(this.#keys.secrets));
    const secrets = Object.entries(stored).map(([field, json]): [string, StoredSecret] => [field, JSON.parse(json)]);
    this.#secrets = new Map(secrets);
  }
}

/** No name of a function has a slash. */
function fieldOf(functionName: string, secret: string): string {
  return `${functionName}/${secret}`;
}
