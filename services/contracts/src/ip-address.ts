/** IP addresses as bytes: 4 of IPv4, 16 of IPv6. */

const V4_BYTES = 4;
const V6_GROUPS = 8;

/** Reads an address in text, IPv6 without a zone. @returns undefined for anything else. */
export function parseIpAddress(text: string): Uint8Array | undefined {
  return text.includes(':') ? parseV6(text) : parseV4(text);
}

/** Writes an address in its one canonical form (RFC 5952 for IPv6), as the kernel does. */
export function formatIpAddress(bytes: Uint8Array): string {
  if (bytes.byteLength === V4_BYTES) return bytes.join('.');
  const groups = groupsOf(bytes);
  const { start, length } = longestZeros(groups);
  const hex = groups.map((group) => group.toString(16));
  if (length < 2) return hex.join(':');
  return `${hex.slice(0, start).join(':')}::${hex.slice(start + length).join(':')}`;
}

/** A range of addresses: those that begin with the same bits. */
export interface IpNetwork {
  /** The lowest address of it. */
  readonly address: Uint8Array;
  readonly prefixBits: number;
}

/** Reads `address/bits`, or an address alone as the network of that one. @returns undefined for anything else. */
export function parseIpNetwork(text: string): IpNetwork | undefined {
  const [before = '', bits, ...more] = text.split('/');
  const address = parseIpAddress(before);
  if (address === undefined || more.length > 0) return undefined;
  const bitsMax = 8 * address.byteLength;
  if (bits !== undefined && !/^(?:0|[1-9]\d{0,2})$/.test(bits)) return undefined;
  const prefixBits = bits === undefined ? bitsMax : Number(bits);
  return prefixBits > bitsMax ? undefined : { address, prefixBits };
}

/** `address/bits`. */
export function formatIpNetwork({ address, prefixBits }: IpNetwork): string {
  return `${formatIpAddress(address)}/${prefixBits}`;
}

/** The lowest and the highest address with the same first bits. */
export function ipNetworkEnds({ address, prefixBits }: IpNetwork): { first: Uint8Array; last: Uint8Array } {
  const hostMask = (at: number): number => 0xff >> Math.min(8, Math.max(0, prefixBits - 8 * at));
  return {
    first: address.map((byte, at) => byte & ~hostMask(at)),
    last: address.map((byte, at) => byte | hostMask(at)),
  };
}

/** Whether a network has all the addresses of another one. */
export function ipNetworkHolds(outer: IpNetwork, inner: IpNetwork): boolean {
  if (outer.address.byteLength !== inner.address.byteLength || outer.prefixBits > inner.prefixBits) return false;
  const start = ipNetworkEnds({ address: inner.address, prefixBits: outer.prefixBits }).first;
  return ipNetworkEnds(outer).first.every((byte, at) => byte === start[at]);
}

function parseV4(text: string): Uint8Array | undefined {
  const parts = text.split('.');
  // Leading zeros are octal to some readers and decimal to others.
  if (parts.length !== V4_BYTES || !parts.every((part) => /^(?:0|[1-9]\d{0,2})$/.test(part) && Number(part) < 256)) {
    return undefined;
  }
  return Uint8Array.from(parts, Number);
}

function parseV6(text: string): Uint8Array | undefined {
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const [left, right] = halves.map((half) => readGroups(half));
  if (left === undefined || (halves.length === 2 && right === undefined)) return undefined;
  const absent = V6_GROUPS - left.length - (right?.length ?? 0);
  if (halves.length === 1 ? absent !== 0 : absent < 1) return undefined;
  const groups = [...left, ...Array.from({ length: absent }, () => 0), ...(right ?? [])];
  return Uint8Array.from(groups.flatMap((group) => [group >> 8, group & 0xff]));
}

/** The groups of one side of `::`; the last two may be written as an IPv4 address. */
function readGroups(text: string): number[] | undefined {
  if (text === '') return [];
  const parts = text.split(':');
  const last = parts.at(-1) ?? '';
  const v4 = last.includes('.') ? parseV4(last) : undefined;
  const hex = v4 === undefined ? parts : parts.slice(0, -1);
  if (!hex.every((part) => /^[0-9a-f]{1,4}$/i.test(part))) return undefined;
  const groups = hex.map((part) => Number.parseInt(part, 16));
  if (v4 === undefined) return groups;
  const [a = 0, b = 0, c = 0, d = 0] = v4;
  return [...groups, a * 256 + b, c * 256 + d];
}

function groupsOf(bytes: Uint8Array): number[] {
  return Array.from({ length: V6_GROUPS }, (_, at) => (bytes[2 * at] ?? 0) * 256 + (bytes[2 * at + 1] ?? 0));
}

function longestZeros(groups: readonly number[]): { readonly start: number; readonly length: number } {
  let best = { start: 0, length: 0 };
  for (let start = 0; start < groups.length; start++) {
    let length = 0;
    while (groups[start + length] === 0) length++;
    if (length > best.length) best = { start, length };
  }
  return best;
}
