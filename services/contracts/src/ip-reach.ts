import { type IpNetwork, ipNetworkHolds, parseIpNetwork } from './ip-address.ts';

/**
 * What a function may be let to: `public` is the internet; `private` are networks that are somebody's own, reached only
 * by a rule that lies inside one of them; `never` cannot be opened at all.
 */
export type IpReach = 'public' | 'private' | 'never';

/** Networks that no function reaches: the host itself, links, clouds' metadata, and other ways to write an address. */
export const neverReached: readonly string[] = [
  '0.0.0.0/8', // this network; Linux takes 0.0.0.0 for itself
  '127.0.0.0/8', // loopback
  '169.254.0.0/16', // link-local, with the metadata services of most clouds
  '100.100.100.200/32', // metadata service of Alibaba Cloud
  '168.63.129.16/32', // Azure's platform service, an address of the internet that only its machines see
  '192.0.0.0/24', // protocol assignments; metadata service of Oracle Cloud
  '192.88.99.0/24', // relays of 6to4
  '224.0.0.0/4', // multicast
  '240.0.0.0/4', // reserved, and broadcast
  '::/3', // unspecified, loopback, IPv4-mapped and -compatible, NAT64 (64:ff9b::/96), unassigned
  '2001::/32', // Teredo carries an IPv4 address
  '2002::/16', // 6to4 carries an IPv4 address
  '4000::/2', // unassigned, as are the next five
  '8000::/2',
  'c000::/3',
  'e000::/4',
  'f000::/5',
  'f800::/6',
  'fd00:ec2::/32', // metadata service of AWS
  'fd20:ce::/32', // metadata service of Google Cloud
  'fe00::/7', // link-local, site-local, multicast
];

/** Networks that are somebody's own. */
export const privateNetworks: readonly string[] = [
  '10.0.0.0/8',
  '100.64.0.0/10', // carriers' NAT, and some overlay networks
  '172.16.0.0/12',
  '192.168.0.0/16',
  '192.0.2.0/24', // documentation, as are the next two: not in use on the internet
  '198.51.100.0/24',
  '203.0.113.0/24',
  '198.18.0.0/15', // benchmarks
  '2001:db8::/32', // documentation
  '3fff::/20', // documentation
  'fc00::/7', // unique local
];

const never = neverReached.map(network);
const own = privateNetworks.map(network);

/** What an address, or a whole network, is: `public` when no part of the table has all of it. */
export function ipReach(target: IpNetwork): IpReach {
  if (never.some((each) => ipNetworkHolds(each, target))) return 'never';
  return own.some((each) => ipNetworkHolds(each, target)) ? 'private' : 'public';
}

/** What a single address is. */
export function ipAddressReach(address: Uint8Array): IpReach {
  return ipReach({ address, prefixBits: 8 * address.byteLength });
}

function network(text: string): IpNetwork {
  const parsed = parseIpNetwork(text);
  if (parsed === undefined) throw new Error(`no network: ${text}`);
  return parsed;
}
