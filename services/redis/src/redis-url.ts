import { fail } from '@hob/contracts';

/** Where a server listens. The host is a name or an address, without brackets. */
export interface HostPort {
  readonly host: string;
  readonly port: number;
}

/** What a client says who it is with; nothing where nobody asks. */
export interface Credentials {
  readonly username?: string;
  readonly password?: string;
}

/** What all forms of a Redis but a cluster have: databases, by number. */
interface WithDatabase {
  readonly credentials: Credentials;
  readonly db: number;
}

export interface SocketLocation extends WithDatabase {
  readonly kind: 'socket';
  readonly path: string;
}

export interface ServerLocation extends WithDatabase {
  readonly kind: 'server';
  readonly at: HostPort;
  readonly tls: boolean;
  /** It is one of a cluster. */
  readonly isNode: boolean;
}

/** A master and its replicas, watched by Sentinels that say which of them is the master. */
export interface SentinelLocation extends WithDatabase {
  readonly kind: 'sentinel';
  readonly sentinels: readonly HostPort[];
  /** What the Sentinels call the master. */
  readonly master: string;
  /** For the servers and for the Sentinels. */
  readonly tls: boolean;
  readonly sentinelCredentials: Credentials;
}

/** A Redis Cluster, by some of its nodes. */
export interface ClusterLocation {
  readonly kind: 'cluster';
  readonly nodes: readonly HostPort[];
  readonly tls: boolean;
  readonly credentials: Credentials;
}

export type RedisLocation = SocketLocation | ServerLocation | SentinelLocation | ClusterLocation;

const REDIS_PORT = 6379;
const SENTINEL_PORT = 26_379;

/** What stands where, as text. The authority goes up to the first slash, so that everything else of a password needs escapes. */
const form = /^([a-z+]+):\/\/(?:([^/?#]*)@)?([^/?#@]*)([^?#]*)(?:\?([^#]*))?$/;
const hostForm = /^(?:\[([0-9a-fA-F:.]+)\]|([\w.-]+))(?::(\d{1,5}))?$/;
/** What Redis allows. */
const masterForm = /^[\w.-]+$/;

/** The forms that are taken, for messages. */
const redisUrlForms =
  'redis://user:password@host:port/db, redis+sentinel://user:password@host:port,host:port/master/db, ' +
  'redis+cluster://user:password@host:port,host:port, each with rediss in place of redis for TLS, ' +
  'unix://user:password@/path?db=n, or the absolute path of a socket';

/**
 * Reads what names a Redis. The message of an error has nothing of the text, as there may be a password in it.
 *
 * @param place what names the value in a complaint, such as `HOB_REDIS_URL`.
 * @throws ERR_CONFIG_INVALID
 */
export function parseRedisUrl(text: string, place: string): RedisLocation {
  try {
    return read(text);
  } catch (error) {
    // Not as the cause, which may have the text.
    if (error instanceof UrlProblem) throw fail('ERR_CONFIG_INVALID', [place, error.message]);
    throw error;
  }
}

/** What is wrong with a URL, in words that tell nothing of it. */
class UrlProblem extends Error {}

function read(text: string): RedisLocation {
  if (text.startsWith('/')) return { kind: 'socket', path: text, db: 0, credentials: {} };
  const [, scheme = '', user, hosts = '', path = '', query = ''] = form.exec(text) ?? [];
  const parts = { credentials: credentialsOf(user), hosts, path, query: new URLSearchParams(query) };
  const tls = scheme.startsWith('rediss');
  switch (scheme) {
    case 'unix':
      return socketOf(parts);
    case 'redis':
    case 'rediss':
      return serverOf(parts, tls);
    case 'redis+sentinel':
    case 'rediss+sentinel':
      return sentinelOf(parts, tls);
    case 'redis+cluster':
    case 'rediss+cluster':
      return clusterOf(parts, tls);
    default:
      throw new UrlProblem(`must be ${redisUrlForms}; in a password, / ? # and % are written as %2F %3F %23 %25`);
  }
}

interface Parts {
  readonly credentials: Credentials;
  readonly hosts: string;
  readonly path: string;
  readonly query: URLSearchParams;
}

function socketOf({ credentials, hosts, path, query }: Parts): SocketLocation {
  onlyParameters(query, ['db']);
  if (hosts !== '' || path.length < 2) throw new UrlProblem('must have the absolute path of a socket: unix:///path');
  return { kind: 'socket', path: decoded(path), db: databaseOf(query.get('db') ?? ''), credentials };
}

function serverOf({ credentials, hosts, path, query }: Parts, tls: boolean): ServerLocation {
  onlyParameters(query, []);
  const [at, ...more] = hostsOf(hosts, REDIS_PORT);
  if (at === undefined || more.length > 0) {
    throw new UrlProblem('must name one host; several are for redis+sentinel:// and redis+cluster://');
  }
  return { kind: 'server', at, tls, isNode: false, db: databaseOf(path.slice(1)), credentials };
}

function sentinelOf({ credentials, hosts, path, query }: Parts, tls: boolean): SentinelLocation {
  onlyParameters(query, ['sentinel_username', 'sentinel_password']);
  const [master = '', db = '', ...rest] = path.slice(1).split('/').map(decoded);
  if (!masterForm.test(master) || rest.length > 0) {
    throw new UrlProblem(
      'must name the master that the Sentinels watch: redis+sentinel://host:port,host:port/master/db',
    );
  }
  return {
    kind: 'sentinel',
    sentinels: hostsOf(hosts, SENTINEL_PORT),
    master,
    tls,
    db: databaseOf(db),
    credentials,
    sentinelCredentials: named(query.get('sentinel_username') ?? '', query.get('sentinel_password') ?? ''),
  };
}

function clusterOf({ credentials, hosts, path, query }: Parts, tls: boolean): ClusterLocation {
  onlyParameters(query, []);
  if (!['', '/', '/0'].includes(path)) throw new UrlProblem('must name no database: a Cluster has only the one');
  return { kind: 'cluster', nodes: hostsOf(hosts, REDIS_PORT), tls, credentials };
}

function onlyParameters(query: URLSearchParams, allowed: readonly string[]): void {
  const isAllowed =
    [...query.keys()].every((key) => allowed.includes(key)) && query.size === new Set(query.keys()).size;
  if (isAllowed) return;
  const none = 'must have nothing after a question mark';
  throw new UrlProblem(allowed.length === 0 ? none : `${none} but ${allowed.join(' and ')}, once each`);
}

function hostsOf(text: string, defaultPort: number): HostPort[] {
  return text.split(',').map((host, index) => {
    const [, v6, name, port = String(defaultPort)] = hostForm.exec(host) ?? [];
    const found = v6 ?? name;
    if (found === undefined || Number(port) < 1 || Number(port) > 65_535) {
      throw new UrlProblem(`its host ${index + 1} must be name:port, 10.0.0.1:port or [fd00::1]:port`);
    }
    return { host: found, port: Number(port) };
  });
}

function databaseOf(text: string): number {
  if (text !== '' && !/^\d{1,5}$/.test(text)) throw new UrlProblem('its database must be a number from 0 up');
  return Number(text);
}

function credentialsOf(text: string | undefined): Credentials {
  if (text === undefined) return {};
  const [, user, password] = /^([^:]*):(.*)$/.exec(text) ?? [];
  if (user === undefined || password === undefined) {
    throw new UrlProblem('must have a user with a password, or a password alone: user:password@ or :password@');
  }
  return named(decoded(user), decoded(password));
}

/** @throws when there is a user without a password. */
function named(username: string, password: string): Credentials {
  if (username !== '' && password === '') throw new UrlProblem('must have a password for the user that it names');
  return { ...(username !== '' && { username }), ...(password !== '' && { password }) };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new UrlProblem('must have two hexadecimal digits after each percent sign; the sign itself is written as %25');
  }
}

/** A URL as people may see it: without user and password. */
export function shownRedisUrl(location: RedisLocation): string {
  switch (location.kind) {
    case 'socket':
      return location.db === 0 ? location.path : `unix://${location.path}?db=${location.db}`;
    case 'server':
      return `${schemeOf(location)}://${shownHosts([location.at])}/${location.db}`;
    case 'sentinel':
      return `${schemeOf(location)}+sentinel://${shownHosts(location.sentinels)}/${location.master}/${location.db}`;
    default:
      return `${schemeOf(location)}+cluster://${shownHosts(location.nodes)}`;
  }
}

function schemeOf({ tls }: { readonly tls: boolean }): string {
  return tls ? 'rediss' : 'redis';
}

function shownHosts(hosts: readonly HostPort[]): string {
  return hosts.map(({ host, port }) => `${host.includes(':') ? `[${host}]` : host}:${port}`).join(',');
}
