import type { InvocationTarget } from './invocation-target.ts';

/** Decides whether a token is one of the operator's. Implementations compare in constant time. */
export interface TokenVerifier {
  verify(token: string): boolean;
}

/** The part of a request that its headers are in. */
export interface HeadedRequest {
  readonly method: string | undefined;
  /** Flat list: name, value, … */
  readonly rawHeaders: readonly string[];
  /** Address of the client. */
  readonly peer: string | undefined;
}

/** What the headers of a request to a function say. */
export interface ForwardedRequest {
  /** Flat list for the function: lower-case names, duplicates kept, hop-by-hop headers and hob's own token removed. */
  readonly headers: string[];
  /** Absolute URL as the function sees it, or undefined when the host cannot be part of one. */
  readonly url: string | undefined;
  /** The caller presented a valid token. */
  readonly trusted: boolean;
  /** A body follows. */
  readonly hasBody: boolean;
  /** The declared length of the body, or undefined when it comes in chunks or there is none. */
  readonly contentLength: number | undefined;
  /** What `hob-invocation-type` says. */
  readonly invocationType: string | undefined;
  /** What `idempotency-key` says; the function gets it too. */
  readonly idempotencyKey: string | undefined;
}

/** Headers that speak of one connection only (RFC 9110 §7.6.1), and `expect`, which the gateway itself answers. */
export const hopByHop: ReadonlySet<string> = new Set([
  'connection',
  'expect',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** What a client may only say when it is trusted as a proxy. */
const forwarding: ReadonlySet<string> = new Set([
  'forwarded',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-prefix',
  'x-forwarded-proto',
]);

const BEARER = /^bearer +([\x21-\x7e]+) *$/i;

/** The token of an `authorization` header, or undefined when it has none. */
export function bearerToken(value: string | undefined): string | undefined {
  return value === undefined ? undefined : BEARER.exec(value)?.[1];
}

const BASIC = /^basic +([a-z0-9+/]+={0,2}) *$/i;

/** The password of an `authorization` header with HTTP Basic (RFC 7617), or undefined when it has none. */
export function basicPassword(value: string | undefined): string | undefined {
  const encoded = value === undefined ? undefined : BASIC.exec(value)?.[1];
  if (encoded === undefined) return undefined;
  const credentials = Buffer.from(encoded, 'base64').toString();
  const colon = credentials.indexOf(':');
  return colon === -1 ? undefined : credentials.slice(colon + 1);
}

const HOST = /^(?:[a-z0-9._-]+|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?$/i;
const HOSTS_MAX = 1024;

/** Remembers which hosts can be part of a URL: there are few, and asking the URL parser each time is dear. */
class HostCheck {
  readonly #known = new Map<string, boolean>();

  accepts(host: string): boolean {
    const known = this.#known.get(host);
    if (known !== undefined) return known;
    const accepted = host.length <= 255 && HOST.test(host) && URL.canParse(`http://${host}/`);
    if (this.#known.size >= HOSTS_MAX) this.#known.clear();
    this.#known.set(host, accepted);
    return accepted;
  }
}

/** Everything of a request's headers that the list for the function is made from. */
interface Sorted {
  headers: string[];
  connection: string | undefined;
  host: string | undefined;
  contentLength: string | undefined;
  chunked: boolean;
  trusted: boolean;
  invocationType: string | undefined;
  idempotencyKey: string | undefined;
  forwardedFor: string | undefined;
  forwardedProto: string | undefined;
  forwardedHost: string | undefined;
  forwardedPrefix: string | undefined;
}

/** Makes of a request's headers what the function gets. */
export class RequestHeaders {
  readonly #tokens: TokenVerifier;
  readonly #trustForwarded: boolean;
  readonly #hosts = new HostCheck();

  constructor(tokens: TokenVerifier, trustForwarded: boolean) {
    this.#tokens = tokens;
    this.#trustForwarded = trustForwarded;
  }

  /** Reads a request's headers once. A body of GET and HEAD is not passed on: the web's Request knows none. */
  read(request: HeadedRequest, target: InvocationTarget): ForwardedRequest {
    const sorted = this.#sort(request.rawHeaders);
    if (sorted.connection !== undefined) dropListed(sorted.headers, sorted.connection);
    const { headers, invocationType, idempotencyKey } = sorted;
    const bodyless = request.method === 'GET' || request.method === 'HEAD';
    const contentLength = sorted.contentLength === undefined ? undefined : Number(sorted.contentLength);
    const hasBody = !bodyless && (sorted.chunked || (contentLength !== undefined && contentLength > 0));
    if (sorted.contentLength !== undefined && !bodyless) headers.push('content-length', sorted.contentLength);

    const proto = sorted.forwardedProto === 'https' ? 'https' : 'http';
    const host = sorted.forwardedHost ?? sorted.host ?? 'localhost';
    const { peer } = request;
    const before = sorted.forwardedFor;
    if (peer !== undefined) headers.push('x-forwarded-for', before === undefined ? peer : `${before}, ${peer}`);
    headers.push('x-forwarded-proto', proto, 'x-forwarded-host', host);
    headers.push('x-forwarded-prefix', (sorted.forwardedPrefix ?? '') + target.prefix);
    const url = this.#hosts.accepts(host) ? `${proto}://${host}${target.path}` : undefined;
    return { headers, url, trusted: sorted.trusted, hasBody, contentLength, invocationType, idempotencyKey };
  }

  #sort(raw: readonly string[]): Sorted {
    const sorted: Sorted = {
      headers: [],
      connection: undefined,
      host: undefined,
      contentLength: undefined,
      chunked: false,
      trusted: false,
      invocationType: undefined,
      idempotencyKey: undefined,
      forwardedFor: undefined,
      forwardedProto: undefined,
      forwardedHost: undefined,
      forwardedPrefix: undefined,
    };
    for (let at = 0; at + 1 < raw.length; at += 2) {
      this.#take(sorted, (raw[at] as string).toLowerCase(), raw[at + 1] as string);
    }
    return sorted;
  }

  #take(sorted: Sorted, name: string, value: string): void {
    switch (name) {
      case 'host':
        sorted.host ??= value;
        break;
      case 'content-length':
        sorted.contentLength = value;
        return;
      case 'transfer-encoding':
        sorted.chunked = true;
        return;
      case 'connection':
        sorted.connection = sorted.connection === undefined ? value : `${sorted.connection},${value}`;
        return;
      case 'hob-invocation-type':
        sorted.invocationType ??= value;
        return;
      case 'idempotency-key':
        sorted.idempotencyKey ??= value;
        break;
      case 'authorization': {
        const token = bearerToken(value);
        // The operator's token opens the control API: no function may ever see it.
        if (token !== undefined && this.#tokens.verify(token)) {
          sorted.trusted = true;
          return;
        }
        // A browser that was told the token for the board sends it to whoever asks for it by the same name. It opens nothing here.
        const password = basicPassword(value);
        if (password !== undefined && this.#tokens.verify(password)) return;
        break;
      }
      default:
        if (hopByHop.has(name)) return;
        if (forwarding.has(name)) {
          if (this.#trustForwarded) takeForwarded(sorted, name, value);
          return;
        }
    }
    sorted.headers.push(name, value);
  }
}

function takeForwarded(sorted: Sorted, name: string, value: string): void {
  if (name === 'x-forwarded-for') {
    sorted.forwardedFor = sorted.forwardedFor === undefined ? value : `${sorted.forwardedFor}, ${value}`;
  } else if (name === 'x-forwarded-proto') sorted.forwardedProto = value.toLowerCase();
  else if (name === 'x-forwarded-host') sorted.forwardedHost = value;
  else if (name === 'x-forwarded-prefix') sorted.forwardedPrefix = value;
  else sorted.headers.push(name, value);
}

/** Removes the headers that a `connection` header names. */
function dropListed(headers: string[], connection: string): void {
  if (connection === 'keep-alive' || connection === 'close') return;
  const listed = new Set(connection.split(',').map((name) => name.trim().toLowerCase()));
  // `host` is how the function learns its own URL; a client may not take it away.
  listed.delete('host');
  let kept = 0;
  for (let at = 0; at < headers.length; at += 2) {
    if (listed.has(headers[at] as string)) continue;
    headers[kept] = headers[at] as string;
    headers[kept + 1] = headers[at + 1] as string;
    kept += 2;
  }
  headers.length = kept;
}
