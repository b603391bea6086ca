import {
  type EgressPolicy,
  type EgressRule,
  type IpNetwork,
  ipAddressReach,
  ipNetworkHolds,
  ipReach,
  parseEgressRule,
} from '@hob/contracts';

/** Ports that a rule opens, both ends included. */
export interface PortRange {
  readonly first: number;
  readonly last: number;
}

/** A network that a policy opens. */
export interface OpenNetwork {
  /** `inner`: it lies in a private network. `listed`: only its public part is opened. */
  readonly set: 'inner' | 'listed';
  readonly network: IpNetwork;
  readonly ports: PortRange;
}

const ALL_PORTS: PortRange = { first: 0, last: 65_535 };

type NameRule = Extract<EgressRule, { kind: 'name' }>;

/** A policy in the form that questions are answered from. */
export class CompiledPolicy {
  /** Whether the whole public internet is open. */
  readonly isPublic: boolean;
  readonly networks: readonly OpenNetwork[];
  readonly #names: readonly NameRule[];

  /** @param policy as it was checked with its hob.json; a rule that cannot be read opens nothing. */
  constructor(policy: EgressPolicy) {
    const texts = typeof policy === 'string' ? [] : policy;
    const rules = texts
      .map((text) => parseEgressRule(text))
      .flatMap((reading) => ('rule' in reading ? [reading.rule] : []));
    this.isPublic = policy === 'public';
    this.#names = rules.filter((rule) => rule.kind === 'name');
    const networks = rules.filter((rule) => rule.kind === 'network');
    this.networks = disjoint(
      networks.map(({ network, port }) => ({
        set: ipReach(network) === 'private' ? 'inner' : 'listed',
        network,
        ports: portsOf(port),
      })),
    );
  }

  /** Whether a name may be asked for. @param name lower case, without a last dot. */
  allowsName(name: string): boolean {
    return this.isPublic || this.#names.some((rule) => matches(rule, name));
  }

  /** The ports that are open at the addresses of a name: `any`, or each one. */
  portsOfName(name: string): 'any' | readonly number[] {
    const ports = this.#names.filter((rule) => matches(rule, name)).map((rule) => rule.port);
    return ports.includes(undefined) ? 'any' : ports.filter((port) => port !== undefined);
  }

  /** Whether an address may be in an answer: a public one, or one that a rule opens by itself. */
  allowsAnswer(address: Uint8Array): boolean {
    const reach = ipAddressReach(address);
    if (reach !== 'private') return reach === 'public';
    const single: IpNetwork = { address, prefixBits: 8 * address.byteLength };
    return this.networks.some(({ set, network }) => set === 'inner' && ipNetworkHolds(network, single));
  }
}

function portsOf(port: number | undefined): PortRange {
  return port === undefined ? ALL_PORTS : { first: port, last: port };
}

function matches({ name: ruleName, isWildcard }: NameRule, name: string): boolean {
  return isWildcard ? name.endsWith(`.${ruleName}`) : name === ruleName;
}

/**
 * The same openings without one that has a part of another: the kernel refuses such elements. Networks hold one another or
 * have nothing in common, and a rule has one port or all, so that of two only the wider network's single port must be cut
 * out of the narrower one's.
 */
function disjoint(open: readonly OpenNetwork[]): OpenNetwork[] {
  const holds = (outer: OpenNetwork, inner: OpenNetwork): boolean =>
    outer.set === inner.set && ipNetworkHolds(outer.network, inner.network);
  const covers = (outer: OpenNetwork, inner: OpenNetwork): boolean =>
    holds(outer, inner) && outer.ports.first <= inner.ports.first && outer.ports.last >= inner.ports.last;
  const needed = open.filter(
    (one, at) =>
      !open.some((other, place) => other !== one && covers(other, one) && (!covers(one, other) || place < at)),
  );
  return needed.flatMap((one) => {
    const cuts = needed.filter((other) => other !== one && holds(other, one) && other.ports !== ALL_PORTS);
    if (one.ports !== ALL_PORTS) return [one];
    return without(cuts.map(({ ports }) => ports.first)).map((ports) => ({ ...one, ports }));
  });
}

/** All ports but some. */
function without(cuts: readonly number[]): PortRange[] {
  const ranges: PortRange[] = [];
  let first = ALL_PORTS.first;
  for (const cut of [...new Set(cuts)].toSorted((a, b) => a - b)) {
    if (cut > first) ranges.push({ first, last: cut - 1 });
    first = cut + 1;
  }
  return first > ALL_PORTS.last ? ranges : [...ranges, { first, last: ALL_PORTS.last }];
}
