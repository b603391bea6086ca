import { ipNetworkEnds } from '@hob/contracts';
import type { FilterElement } from '@hob/native';
import type { OpenNetwork } from './compiled-policy.ts';
import { POLICY_SHIFT } from './ruleset.ts';

/** An element of the router's packet filter, and the set that it is in. */
export interface PlacedElement {
  readonly set: string;
  readonly element: FilterElement;
}

/** The mark of a policy's packets; a slot's number is added to it. */
function policyMark(number: number): number {
  return (number << POLICY_SHIFT) >>> 0;
}

/** Lets a policy's packets to a network. */
export function networkElement(policy: number, { set, network, ports }: OpenNetwork): PlacedElement {
  const { first, last } = ipNetworkEnds(network);
  // Sets of ranges compare bytes, so that nft has marks in network order there, and in the machine's elsewhere.
  const key = fields(policyMark(policy), first, { port: ports.first, isRange: true });
  const keyEnd = fields(policyMark(policy), last, { port: ports.last, isRange: true });
  return { set: `${set}${ipFamily(first)}`, element: { key, keyEnd } };
}

/** Lets a policy's packets to the address of a name, for a time. */
export function namedElement(policy: number, address: Uint8Array, port: number | 'any'): PlacedElement {
  const key = fields(policyMark(policy), address, { port: port === 'any' ? undefined : port, isRange: false });
  return { set: `${port === 'any' ? 'anyport' : 'named'}${ipFamily(address)}`, element: { key } };
}

/** Says whose packets those from an address are. */
export function ownerElement(address: Uint8Array, policy: number, slot: number): PlacedElement {
  return { set: `owners${ipFamily(address)}`, element: { key: address, mark: policyMark(policy) + slot } };
}

function ipFamily(address: Uint8Array): 4 | 6 {
  return address.byteLength === 4 ? 4 : 6;
}

/** Each field is padded to four bytes. */
function fields(
  mark: number,
  address: Uint8Array,
  { port, isRange }: { readonly port: number | undefined; readonly isRange: boolean },
): Uint8Array {
  const end = 4 + address.byteLength;
  const key = new Uint8Array(port === undefined ? end : end + 4);
  const view = new DataView(key.buffer);
  view.setUint32(0, mark, !isRange);
  key.set(address, 4);
  if (port !== undefined) view.setUint16(end, port);
  return key;
}
