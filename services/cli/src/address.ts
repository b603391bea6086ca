import { fail } from '@hob/contracts';

/** Where the gateway listens when nothing is said. */
export const LISTEN_DEFAULT = '127.0.0.1:8080';

/** A host to bind to (no brackets) and a port, 0 for any free one. */
export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

const form = /^(?:(?:\[([0-9a-fA-F:.]+)\]|([^\s:[\]/]+)):)?(\d{1,5})$/;

/**
 * Reads `host:port`, `[::1]:8080` or a port alone, which listens on 127.0.0.1.
 *
 * @param place what names the value in a complaint, such as `HOB_LISTEN`.
 * @throws ERR_CONFIG_INVALID
 */
export function parseListen(text: string, place: string): ListenAddress {
  const [, v6, name, port] = form.exec(text) ?? [];
  const number = Number(port);
  if (port === undefined || number > 65_535) {
    const problem = `must be host:port, [::1]:port or a port from 0 to 65535, not "${text}"`;
    throw fail('ERR_CONFIG_INVALID', [place, problem]);
  }
  return { host: v6 ?? name ?? '127.0.0.1', port: number };
}

/** The URL that a client on the same machine reaches a listening address by. */
export function localUrl({ host, port }: ListenAddress): string {
  const reachable = host === '0.0.0.0' || host === 'localhost' ? '127.0.0.1' : host === '::' ? '::1' : host;
  return `http://${reachable.includes(':') ? `[${reachable}]` : reachable}:${port}`;
}

/**
 * Reads the URL of a hob server: without a path, and with `localhost` written as 127.0.0.1, so that one server has one
 * key in the operator's token file.
 *
 * @throws ERR_CONFIG_INVALID
 */
export function parseServerUrl(text: string, place: string): string {
  const url = URL.parse(text);
  if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:') || url.pathname !== '/' || url.search) {
    throw fail('ERR_CONFIG_INVALID', [place, `must be a URL such as http://127.0.0.1:8080, not "${text}"`]);
  }
  if (url.hostname === 'localhost') url.hostname = '127.0.0.1';
  return url.origin;
}
