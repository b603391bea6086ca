import { parseRedisUrl, type HostPort, type RedisLocation, shownRedisUrl } from './redis-url.ts';

/** What hob's keys begin with when nothing is said. */
export const PREFIX_DEFAULT = 'hob';

/** Prefixes that are taken. Without colons, no key of one prefix can begin with another one. */
export const redisPrefixPattern = '^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$';

/**
 * The Redis of one hob and the part of it that is this hob's: where clients connect, and what names of keys and channels begin
 * with. What shows it has no password.
 */
export class RedisTarget {
  readonly #location: RedisLocation;
  readonly #prefix: string;

  private constructor(location: RedisLocation, prefix: string) {
    this.#location = location;
    this.#prefix = prefix;
  }

  /**
   * Reads what the operator says.
   *
   * @param url one of the forms in redis-url.ts.
   * @param prefix of the form `redisPrefixPattern`.
   * @param place what names the URL in a complaint.
   * @throws ERR_CONFIG_INVALID with nothing of the URL in it.
   */
  static parse(url: string, prefix = PREFIX_DEFAULT, place = 'HOB_REDIS_URL'): RedisTarget {
    return new RedisTarget(parseRedisUrl(url, place), prefix);
  }

  /** Where clients connect, and what they say there. Never to be shown. */
  get location(): RedisLocation {
    return this.#location;
  }

  /** The full name of a key or channel. */
  key(name: string): string {
    return `${this.#root}:${name}`;
  }

  /** The same with one server of those behind the URL, whatever its part there is. */
  at(server: HostPort): RedisTarget {
    const location = this.#location;
    if (location.kind === 'socket') return this;
    const { tls, credentials } = location;
    const isNode = location.kind === 'cluster';
    const db = isNode ? 0 : location.db;
    return new RedisTarget({ kind: 'server', at: server, tls, isNode, db, credentials }, this.#prefix);
  }

  /** The URL without user and password. */
  toString(): string {
    return shownRedisUrl(this.#location);
  }

  toJSON(): string {
    return this.toString();
  }

  /** On a cluster a hash tag: all keys are in one slot, since scripts take several. */
  get #root(): string {
    return this.#location.kind === 'cluster' ? `{${this.#prefix}}` : this.#prefix;
  }
}
