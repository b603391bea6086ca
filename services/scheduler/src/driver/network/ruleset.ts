import { neverReached, privateNetworks } from '@hob/contracts';
import type { AddressShare } from './address-plan.ts';
import { dnsAddress4, dnsAddress6, type EgressOptions } from './egress-options.ts';

/** The router's table. */
export const ROUTER_TABLE = 'hob';
/** Names of the router's links: to the host, and to containers, which end in their slot's number. */
export const UPLINK = 'up';
export const SLOT_LINK = 's';
/** The group of nfnetlink_log that the router's table logs to: the only one in its namespace. */
export const LOG_GROUP = 1;
/** Those that hobs log to in the host's namespace, each to one of its own; far from what other programs use. */
const HOST_LOG_GROUP_FIRST = 26_970;

/** A policy's number is in the upper half of a packet's mark, its slot's in the lower one. */
export const POLICY_SHIFT = 16;
export const SLOT_MASK = 0xffff;
/** The policy of functions that may reach the public internet. */
export const PUBLIC_POLICY = 1;
const POLICY_MASK = '0xffff0000';

/** Denials of one container that are told in a second, and at once. The rest is refused without a word. */
const DENIALS_PER_SECOND = 20;
const DENIALS_AT_ONCE = 40;
const DNS_PACKETS_PER_SECOND = 100;
const SETS_MAX = 65_535;

/** What the tables are made for. */
export interface RulesetParts {
  readonly options: EgressOptions;
  readonly share: AddressShare;
  /** The host's link to the router. */
  readonly hostLink: string;
  /** All tracked connections together, for the sake of the host's own. */
  readonly connectionsTotalMax: number;
}

/**
 * How a denied packet is answered, so that whoever sent it knows at once. A reset, for TCP: an ICMP error that arrives while
 * connect(2) still holds its socket, as it does here, is lost.
 */
const refuse = 'meta l4proto tcp reject with tcp reset\n    reject with icmpx admin-prohibited';

const tooOften = `limit rate over ${DENIALS_PER_SECOND}/second burst ${DENIALS_AT_ONCE} packets`;

function denial(reason: string): string {
  return `
  chain deny-${reason} {
    update @told { iif ${tooOften} } goto refuse
    log prefix "${reason}" group ${LOG_GROUP} snaplen 128
    goto refuse
  }`;
}

function elements(networks: readonly string[], isV6: boolean): string {
  return networks.filter((network) => network.includes(':') === isV6).join(', ');
}

function family(isV6: boolean, { options }: RulesetParts): string {
  const [v, type] = isV6 ? ['6', 'ipv6_addr'] : ['4', 'ipv4_addr'];
  const rule = `type mark . ${type} . inet_service; flags interval`;
  const own = isV6 ? options.range6 : options.range4;
  return `
  set never${v} { type ${type}; flags interval; auto-merge; elements = { ${elements(neverReached, isV6)} }; }
  set private${v} { type ${type}; flags interval; auto-merge; elements = { ${elements(privateNetworks, isV6)} }; }
  set own${v} { type ${type}; flags interval; elements = { ${own} }; }
  map owners${v} { type ${type} : mark; }
  set inner${v} { ${rule}; }
  set listed${v} { ${rule}; }
  set named${v} { type mark . ${type} . inet_service; flags timeout; }
  set anyport${v} { type mark . ${type}; flags timeout; }`;
}

/** Where a new connection ends up by its policy. */
const policyChains = `
  chain by-list {
    meta mark . ip daddr . th dport @inner4 accept
    meta mark . ip6 daddr . th dport @inner6 accept
    ip daddr @private4 goto deny-address
    ip6 daddr @private6 goto deny-address
    meta mark . ip daddr . th dport @listed4 accept
    meta mark . ip6 daddr . th dport @listed6 accept
    meta mark . ip daddr . th dport @named4 accept
    meta mark . ip6 daddr . th dport @named6 accept
    meta mark . ip daddr @anyport4 accept
    meta mark . ip6 daddr @anyport6 accept
    goto deny-not-listed
  }
  chain public {
    ip daddr @private4 goto deny-address
    ip6 daddr @private6 goto deny-address
    accept
  }`;

/** What comes from a container's link: its source must be the container's own, its destination one that there is. */
const arrivingChains = `
  chain arriving {
    type filter hook prerouting priority raw; policy accept;
    iifname != "${SLOT_LINK}*" accept
    ip6 saddr :: drop
    fib saddr . iif oif missing goto spoofed
    ip daddr ${dnsAddress4} accept
    ip6 daddr ${dnsAddress6} accept
    icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept
    ip daddr @never4 goto deny-address
    ip6 daddr @never6 goto deny-address
  }
  chain spoofed {
    update @told { iif ${tooOften} } drop
    log prefix "spoofed" group ${LOG_GROUP} snaplen 128
    drop
  }`;

/** What is for the router itself: questions for names, and neighbours that look for each other. */
const inputChains = `
  chain input {
    type filter hook input priority filter; policy drop;
    icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept
    iifname "${SLOT_LINK}*" ip daddr ${dnsAddress4} meta l4proto { tcp, udp } th dport 53 goto dns
    iifname "${SLOT_LINK}*" ip6 daddr ${dnsAddress6} meta l4proto { tcp, udp } th dport 53 goto dns
    iifname "${SLOT_LINK}*" meta l4proto { tcp, udp } goto deny-host
  }
  chain dns {
    update @asked { iif limit rate over ${DNS_PACKETS_PER_SECOND}/second burst ${2 * DNS_PACKETS_PER_SECOND} packets } drop
    accept
  }`;

/** What passes through, in both directions. */
function forwardChains({ connectionsMax, bytesPerSecond }: EgressOptions): string {
  const burst = Math.max(1, Math.round(bytesPerSecond / 4));
  const tooMuch = `limit rate over ${bytesPerSecond} bytes/second burst ${burst} bytes`;
  return `
  chain from-container {
    update @sent { iif ${tooMuch} } drop
    ct state established,related accept
    ct state invalid drop
    ip daddr @own4 goto deny-neighbour
    ip6 daddr @own6 goto deny-neighbour
    oifname != "${UPLINK}" goto deny-neighbour
    meta l4proto != { tcp, udp } goto deny-protocol
    meta mark set 0
    meta mark set ip saddr map @owners4
    meta mark set ip6 saddr map @owners6
    ct mark set meta mark
    meta mark set meta mark and ${POLICY_MASK}
    meta mark 0 goto deny-not-listed
    add @connections { iif ct count over ${connectionsMax} } goto deny-connections
    meta mark 0x${(PUBLIC_POLICY << POLICY_SHIFT).toString(16)} goto public
    goto by-list
  }
  chain forward {
    type filter hook forward priority filter; policy drop;
    iifname "${SLOT_LINK}*" goto from-container
    iifname "${UPLINK}" oifname "${SLOT_LINK}*" update @received { oif ${tooMuch} } drop
    iifname "${UPLINK}" oifname "${SLOT_LINK}*" ct state established,related accept
  }`;
}

/**
 * What the router lets through: new connections of containers to the outside only, each by its container's policy, which is
 * found by its source address; that address is its own, because nothing else comes in by a container's link.
 */
export function routerRuleset(parts: RulesetParts): string {
  const denials = ['not-listed', 'address', 'host', 'neighbour', 'protocol', 'connections'].map(denial);
  return `table inet ${ROUTER_TABLE} {${family(false, parts)}${family(true, parts)}
  set connections { type iface_index; size ${SETS_MAX}; flags dynamic; }${['sent', 'received', 'told', 'asked'].map(recent).join('')}
  chain refuse {
    ${refuse}
  }${denials.join('')}${policyChains}${arrivingChains}${forwardChains(parts.options)}${inputChains}
}
`;
}

/** A set of the links that something was counted for lately. */
function recent(name: string): string {
  return `
  set ${name} { type iface_index; size ${SETS_MAX}; flags dynamic, timeout; timeout 1m; }`;
}

/** The group that the host's table logs to. */
export function hostLogGroup({ number }: AddressShare): number {
  return HOST_LOG_GROUP_FIRST + number;
}

/**
 * What the host itself adds: nothing of containers reaches an address of the host, not even by way of another table's
 * translation of addresses; nothing else is let in to them; and what leaves has the host's address.
 */
export function hostRuleset(table: string, { share, hostLink, connectionsTotalMax }: RulesetParts): string {
  return `table inet ${table} {
  set told4 { type ipv4_addr; size ${SETS_MAX}; flags dynamic, timeout; timeout 1m; }
  set told6 { type ipv6_addr; size ${SETS_MAX}; flags dynamic, timeout; timeout 1m; }

  chain refuse {
    ${refuse}
  }
  chain deny-host {
    update @told4 { ip saddr ${tooOften} } goto refuse
    update @told6 { ip6 saddr ${tooOften} } goto refuse
    log prefix "host" group ${hostLogGroup(share)} snaplen 128
    goto refuse
  }
  chain before {
    type filter hook prerouting priority raw; policy accept;
    iifname "${hostLink}" icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept
    iifname "${hostLink}" fib daddr type { local, broadcast, anycast, multicast } goto deny-host
  }
  chain input {
    type filter hook input priority filter; policy accept;
    iifname "${hostLink}" icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept
    iifname "${hostLink}" drop
  }
  chain forward {
    type filter hook forward priority filter; policy accept;
    oifname "${hostLink}" ct state established,related accept
    oifname "${hostLink}" drop
    iifname "${hostLink}" ct state new ct count over ${connectionsTotalMax} drop
  }
  chain leaving {
    type nat hook postrouting priority srcnat; policy accept;
    iifname "${hostLink}" masquerade
  }
}
`;
}

/**
 * Goes with forwarding that hob has turned on: the host forwards for containers, and for nobody else. That this table is
 * there tells a later run that forwarding was off before.
 */
export function forwardingGuard(table: string, family: 'ipv4' | 'ipv6', hostLink: string): string {
  return `table inet ${table} {
  chain forward {
    type filter hook forward priority filter; policy accept;
    meta nfproto ${family} iifname != "${hostLink}" oifname != "${hostLink}" drop
  }
}
`;
}
