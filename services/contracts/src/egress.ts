import type { FunctionConfig } from './function-config.ts';
import { formatIpAddress, formatIpNetwork, type IpNetwork, ipNetworkEnds, parseIpNetwork } from './ip-address.ts';
import { ipReach } from './ip-reach.ts';

/** What a function may reach, as in its hob.json. */
export type EgressPolicy = FunctionConfig['egress'];

/** Whether a container's network leads anywhere. It is decided when the container is forked. */
export type NetworkClass = 'none' | 'egress';

/** One rule of an allow-list, for all ports when `port` is undefined. */
export type EgressRule =
  | {
      readonly kind: 'name';
      /** Lower case, without a last dot. */
      readonly name: string;
      /** It stands for every name below `name`, and not for `name` itself. */
      readonly isWildcard: boolean;
      readonly port: number | undefined;
    }
  | { readonly kind: 'network'; readonly network: IpNetwork; readonly port: number | undefined };

/** A rule, or what is wrong with its text. */
export type EgressRuleReading = { readonly rule: EgressRule } | { readonly problem: string };

const NAME_CHARS_MAX = 253;
const label = /^(?!-)[a-z0-9_-]{1,63}(?<!-)$/;
const forms =
  'must be host, host:port, address, address:port, or a network such as 10.1.0.0/16 or 10.1.0.0/16:5432; ' +
  'a host is a name such as api.example.com or *.example.com; IPv6 with a port is written [2001:db8::1]:443';

/** The network class that a policy needs. An empty list lets nothing out. */
export function networkClass(policy: EgressPolicy): NetworkClass {
  return policy === 'none' || policy.length === 0 ? 'none' : 'egress';
}

/** Reads one rule of an allow-list. */
export function parseEgressRule(text: string): EgressRuleReading {
  const split = splitPort(text);
  if (split === undefined) return { problem: forms };
  const { host, port } = split;
  if (port !== undefined && !(port >= 1 && port <= 65_535)) return { problem: 'must have a port from 1 to 65535' };
  const network = parseIpNetwork(host);
  if (network !== undefined) return readNetwork(network, port);
  return readName(host.toLowerCase(), port);
}

/** A rule's text in its one form. */
export function formatEgressRule(rule: EgressRule): string {
  const port = rule.port === undefined ? '' : `:${rule.port}`;
  if (rule.kind === 'name') return `${rule.isWildcard ? '*.' : ''}${rule.name}${port}`;
  const { address, prefixBits } = rule.network;
  const host = prefixBits === 8 * address.byteLength ? formatIpAddress(address) : formatIpNetwork(rule.network);
  return host.includes(':') && port !== '' ? `[${host}]${port}` : `${host}${port}`;
}

function splitPort(text: string): { readonly host: string; readonly port: number | undefined } | undefined {
  const bracketed = /^\[([^\][]+)\](?::(\d{1,5}))?$/.exec(text);
  if (bracketed !== null) {
    const [, host = '', port] = bracketed;
    return host.includes(':') ? { host, port: port === undefined ? undefined : Number(port) } : undefined;
  }
  const [host = '', port, ...more] = text.split(':');
  // More than one colon outside of brackets: an IPv6 address without a port.
  if (more.length > 0) return { host: text, port: undefined };
  if (port === undefined) return { host, port: undefined };
  return /^\d{1,5}$/.test(port) ? { host, port: Number(port) } : undefined;
}

function readNetwork(network: IpNetwork, port: number | undefined): EgressRuleReading {
  const { first } = ipNetworkEnds(network);
  const lowest = { address: first, prefixBits: network.prefixBits };
  if (first.some((byte, at) => byte !== network.address[at])) {
    return { problem: `has bits set behind its prefix; did you mean ${formatIpNetwork(lowest)}?` };
  }
  if (ipReach(network) === 'never') {
    return { problem: 'can never be reached by a function (loopback, link-local, metadata, multicast, translated)' };
  }
  return { rule: { kind: 'network', network, port } };
}

function readName(host: string, port: number | undefined): EgressRuleReading {
  const isWildcard = host.startsWith('*.');
  const name = (isWildcard ? host.slice(2) : host).replace(/\.$/, '');
  const labels = name.split('.');
  const isName = name.length <= NAME_CHARS_MAX && labels.every((each) => label.test(each));
  // A last label of digits is a broken address, not a name.
  if (!isName || /^\d+$/.test(labels.at(-1) ?? '')) return { problem: forms };
  return { rule: { kind: 'name', name, isWildcard, port } };
}
