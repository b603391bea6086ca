import { fail, formatIpAddress, type IpNetwork, ipNetworkEnds, parseIpNetwork } from '@hob/contracts';
import type { EgressOptions } from './egress-options.ts';

/** Bits of the part of a range that one running hob takes; there are several on some hosts, in tests at least. */
const SHARE_BITS_4 = 20;
const SHARE_BITS_6 = 64;
const SHARES_MAX = 16;
/** The first of a share's addresses are for the link to the host. */
const SLOT_FIRST = 16;

/** The addresses of one running hob. */
export interface AddressShare {
  readonly number: number;
  readonly network4: string;
  readonly network6: string;
  readonly bits4: number;
  readonly bits6: number;
  /** The two ends of the link between the host and the router; its IPv6 ends have link-local addresses. */
  readonly host4: string;
  readonly router4: string;
  /** How many containers may have addresses of it. */
  readonly slots: number;
}

/** How the configured ranges are divided. */
export class AddressPlan {
  readonly #range4: IpNetwork;
  readonly #range6: IpNetwork;
  readonly shares: number;

  /** @throws ERR_CONFIG_INVALID for a range that cannot be used. */
  constructor({ range4, range6 }: Pick<EgressOptions, 'range4' | 'range6'>) {
    this.#range4 = readRange('HOB_EGRESS_RANGE4', range4, { bytes: 4, bitsMin: 8, bitsMax: SHARE_BITS_4 });
    this.#range6 = readRange('HOB_EGRESS_RANGE6', range6, { bytes: 16, bitsMin: 8, bitsMax: SHARE_BITS_6 });
    const spare = Math.min(SHARE_BITS_4 - this.#range4.prefixBits, SHARE_BITS_6 - this.#range6.prefixBits);
    this.shares = Math.min(SHARES_MAX, 2 ** Math.min(spare, 16));
  }

  /** @param number from 0 to below `shares`. */
  share(number: number): AddressShare {
    const first4 = plus(this.#range4.address, number * 2 ** (32 - SHARE_BITS_4));
    const first6 = Uint8Array.from(this.#range6.address);
    first6.set(plus(first6.subarray(4, 8), number), 4);
    return {
      number,
      network4: formatIpAddress(first4),
      network6: formatIpAddress(first6),
      bits4: SHARE_BITS_4,
      bits6: SHARE_BITS_6,
      host4: formatIpAddress(plus(first4, 1)),
      router4: formatIpAddress(plus(first4, 2)),
      slots: 2 ** (32 - SHARE_BITS_4) - SLOT_FIRST - 1,
    };
  }

  /** The addresses of a container. @param index from 0 to below the share's `slots`. */
  slot(share: AddressShare, index: number): { readonly address4: Uint8Array; readonly address6: Uint8Array } {
    const first4 = parseIpNetwork(share.network4)?.address ?? new Uint8Array(4);
    const first6 = parseIpNetwork(share.network6)?.address ?? new Uint8Array(16);
    return { address4: plus(first4, SLOT_FIRST + index), address6: plus6(first6, SLOT_FIRST + index) };
  }
}

interface RangeBounds {
  readonly bytes: number;
  readonly bitsMin: number;
  readonly bitsMax: number;
}

function readRange(name: string, text: string, { bytes, bitsMin, bitsMax }: RangeBounds): IpNetwork {
  const range = parseIpNetwork(text);
  const isFit =
    range !== undefined &&
    range.address.byteLength === bytes &&
    range.prefixBits >= bitsMin &&
    range.prefixBits <= bitsMax &&
    ipNetworkEnds(range).first.every((byte, at) => byte === range.address[at]);
  if (isFit) return range;
  const family = bytes === 4 ? 'IPv4' : 'IPv6';
  throw fail('ERR_CONFIG_INVALID', [
    name,
    `must be an ${family} network with /${bitsMin} to /${bitsMax}, not "${text}"`,
  ]);
}

/** The address that comes `count` after one of four bytes. */
function plus(address: Uint8Array, count: number): Uint8Array {
  const sum = new DataView(address.buffer, address.byteOffset).getUint32(0) + count;
  return Uint8Array.of((sum >>> 24) & 0xff, (sum >>> 16) & 0xff, (sum >>> 8) & 0xff, sum & 0xff);
}

function plus6(address: Uint8Array, count: number): Uint8Array {
  const sum = Uint8Array.from(address);
  sum.set(plus(sum.subarray(12, 16), count), 12);
  return sum;
}
