import { readFileSync } from 'node:fs';
import { type IpNetwork, ipNetworkHolds } from '@hob/contracts';

/** The networks that the calling thread's network namespace has routes to, default routes and the loopback's left out. */
export function routedNetworks(): IpNetwork[] {
  return [...read('/proc/net/route').flatMap(readRoute4), ...read('/proc/net/ipv6_route').flatMap(readRoute6)];
}

/** Flags of the kernel's IPv6 routes: made from a router's advertisement, and a default one. */
const RTF_DEFAULT = 0x0001_0000;
const RTF_ADDRCONF = 0x0004_0000;

/** Whether the host owes its IPv6 default route to router advertisements, which it ignores once it forwards. */
export function dependsOnAdvertisements(): boolean {
  return read('/proc/net/ipv6_route').some((fields) => {
    const flags = Number.parseInt(fields[8] ?? '0', 16);
    return (flags & RTF_DEFAULT) !== 0 && (flags & RTF_ADDRCONF) !== 0;
  });
}

/** Whether a network has addresses that one of the routed networks has too. */
export function isTaken(network: IpNetwork, routed: readonly IpNetwork[]): boolean {
  return routed.some((each) => ipNetworkHolds(each, network) || ipNetworkHolds(network, each));
}

function read(path: string): string[][] {
  try {
    const lines = readFileSync(path, 'utf8').trimEnd().split('\n');
    return lines.map((line) => line.trim().split(/\s+/));
  } catch {
    return []; // that family is not in this kernel
  }
}

/** Destination and mask are 32-bit numbers of the machine's own byte order, which is little-endian wherever hob runs. */
function readRoute4([link, destination = '', , , , , , mask = '']: readonly string[]): IpNetwork[] {
  if (link === 'Iface' || link === 'lo' || mask === '00000000' || destination.length !== 8) return [];
  const address = Uint8Array.from(Buffer.from(destination, 'hex').reverse());
  const bits = Number.parseInt(mask, 16).toString(2).replaceAll('0', '').length;
  return [{ address, prefixBits: bits }];
}

function readRoute6(fields: readonly string[]): IpNetwork[] {
  const [destination = '', bits = ''] = fields;
  const prefixBits = Number.parseInt(bits, 16);
  if (fields.at(-1) === 'lo' || destination.length !== 32 || prefixBits === 0) return [];
  return [{ address: Uint8Array.from(Buffer.from(destination, 'hex')), prefixBits }];
}
