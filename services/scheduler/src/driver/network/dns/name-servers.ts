import { readFileSync, statSync } from 'node:fs';
import { fail, parseIpAddress } from '@hob/contracts';

const RESOLV_CONF = '/etc/resolv.conf';
const DNS_PORT = 53;
const SERVERS_MAX = 3;

export interface NameServer {
  /** An IPv6 one may have a zone: `fe80::1%eth0`. */
  readonly address: string;
  readonly port: number;
}

/** Reads `address`, `address:port` or `[address]:port`. @returns undefined for anything else. */
export function parseNameServer(text: string): NameServer | undefined {
  const [, inBrackets, plain, port] = /^(?:\[([^\]]+)\]|([^:[\]]+))(?::(\d{1,5}))?$/.exec(text) ?? [];
  const address = inBrackets ?? plain ?? text;
  if (parseIpAddress(address.replace(/%[\w.-]+$/, '')) === undefined) return undefined;
  const number = port === undefined ? DNS_PORT : Number(port);
  return number >= 1 && number <= 65_535 ? { address, port: number } : undefined;
}

/** Where questions go: the configured servers, or those of the host, which are read again when the file changes. */
export class NameServers {
  readonly #fixed: readonly NameServer[];
  #read: readonly NameServer[] = [];
  #readAt = '';

  /** @param configured each as `parseNameServer` takes it. @throws ERR_CONFIG_INVALID */
  constructor(configured: readonly string[]) {
    this.#fixed = configured.map((text) => {
      const server = parseNameServer(text);
      if (server !== undefined) return server;
      throw fail('ERR_CONFIG_INVALID', ['HOB_EGRESS_DNS', `must be addresses of name servers, not "${text}"`]);
    });
  }

  current(): readonly NameServer[] {
    if (this.#fixed.length > 0) return this.#fixed;
    const stat = statSync(RESOLV_CONF, { bigint: true, throwIfNoEntry: false });
    const version = stat === undefined ? 'absent' : `${stat.ino} ${stat.mtimeNs} ${stat.size}`;
    if (version !== this.#readAt) {
      this.#read = stat === undefined ? [] : parseResolvConf(readFileSync(RESOLV_CONF, 'utf8'));
      this.#readAt = version;
    }
    return this.#read;
  }
}

/** The name servers of a resolv.conf(5). */
export function parseResolvConf(text: string): NameServer[] {
  const addresses = text.split('\n').map((line) => /^nameserver\s+(\S+)/.exec(line)?.[1]);
  const servers = addresses.map((address) => {
    if (address === undefined) return undefined;
    return parseNameServer(address.includes(':') ? `[${address}]` : address);
  });
  return servers.filter((server) => server !== undefined).slice(0, SERVERS_MAX);
}
