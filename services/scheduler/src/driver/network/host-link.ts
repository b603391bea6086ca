import { fail, parseIpNetwork } from '@hob/contracts';
import type { NativeNetwork } from '@hob/native';
import { AddressPlan, type AddressShare } from './address-plan.ts';
import { Descriptors } from './descriptors.ts';
import { type EgressOptions, innerAddress6, outerAddress6 } from './egress-options.ts';
import { dependsOnAdvertisements, isTaken, routedNetworks } from './host-routes.ts';
import { hasIpv6, readNetSetting, writeNetSetting } from './host-sysctl.ts';
import { loadRuleset } from './nft.ts';
import { forwardingGuard, hostRuleset, type RulesetParts, UPLINK } from './ruleset.ts';

/** What is known of the host before anything is made. */
export interface HostParts {
  readonly native: NativeNetwork;
  readonly nft: string;
  readonly options: EgressOptions;
  /** Names this hob's tables; see `DriverOptions`. */
  readonly instance: string;
}

/** Sockets of the host's namespace, and the router's namespace. */
interface Place {
  readonly routes: number;
  readonly filter: number;
  readonly router: number;
}

const forwardSettings = { ipv4: 'ipv4/ip_forward', ipv6: 'ipv6/conf/all/forwarding' } as const;
type Family = keyof typeof forwardSettings;
const families: readonly Family[] = ['ipv4', 'ipv6'];

const tableName = (instance: string): string => `hob-${instance}`;
const guardName = (instance: string, family: Family): string => `hob-${instance}-${family}`;
/** Half of what a host can track, when its kernel does not say. */
const CONNECTIONS_TOTAL_MAX = 32_768;

/**
 * Removes what a predecessor of this instance left in the host's own network namespace: its tables, and forwarding that it
 * had turned on. Its links went with its namespaces. Does nothing on a host without nftables.
 */
export function removeHostLeftovers(native: NativeNetwork, instance: string): void {
  const descriptors = new Descriptors();
  try {
    removeTables(native, descriptors.keep(native.openFilter()), instance);
  } catch {
    // A kernel without nftables has no table of ours.
  } finally {
    descriptors.close();
  }
}

/** The host's end of the link to the router: one interface, one table, and forwarding. */
export class HostLink {
  readonly share: AddressShare;
  readonly name: string;
  /** Whether containers get IPv6 addresses. */
  readonly hasIpv6 = mayUseIpv6();
  readonly #parts: HostParts;
  readonly #routes: number;
  /** Open from the start: taking the tables away needs nothing that could be lacking then. */
  readonly #filter: number;
  readonly #descriptors = new Descriptors();

  /**
   * Makes the link to a router's namespace, in the first share of the ranges that the host has no other use for.
   *
   * @throws ERR_NATIVE_UNSUPPORTED, ERR_CONFIG_INVALID, ERR_NATIVE_SYSCALL; nothing is left then.
   */
  constructor(parts: HostParts, router: number) {
    this.#parts = parts;
    try {
      this.#routes = this.#descriptors.keep(parts.native.openRoutes());
      this.#filter = this.#descriptors.keep(parts.native.openFilter());
      this.share = makeLink(parts, { routes: this.#routes, filter: this.#filter, router });
      this.name = linkName(this.share);
    } catch (error) {
      this.#descriptors.close();
      throw error;
    }
  }

  /** Gives it its addresses, rules and routes. `close` is due whether or not this throws. @throws ERR_NATIVE_SYSCALL */
  async open(): Promise<void> {
    const { native, nft, instance } = this.#parts;
    const { share, name } = this;
    await loadRuleset(nft, hostRuleset(tableName(instance), this.rulesetParts()));
    native.setLinkUp(this.#routes, name);
    native.addAddress(this.#routes, name, share.host4, 32);
    native.addRoute(this.#routes, { name, destination: share.router4, prefixBits: 32 });
    this.#route(share.network4, share.bits4, share.router4);
    await this.#forward('ipv4');
    if (!this.hasIpv6) return;
    native.addAddress(this.#routes, name, outerAddress6, 64);
    this.#route(share.network6, share.bits6, innerAddress6);
    await this.#forward('ipv6');
  }

  /** What the router's rules are made from too. */
  rulesetParts(): RulesetParts {
    const tracked = Number(readNetSetting('netfilter/nf_conntrack_max') ?? 0);
    const connectionsTotalMax = tracked > 0 ? Math.ceil(tracked / 2) : CONNECTIONS_TOTAL_MAX;
    return { options: this.#parts.options, share: this.share, hostLink: this.name, connectionsTotalMax };
  }

  /** Removes all that was made. Idempotent; never throws. */
  close(): void {
    const { native, instance } = this.#parts;
    if (this.#descriptors.isClosed) return;
    try {
      native.deleteLink(this.#routes, this.name);
    } catch {
      // It went with the router's namespace.
    }
    try {
      removeTables(native, this.#filter, instance);
    } catch {
      // The next start tries again.
    }
    this.#descriptors.close();
  }

  #route(destination: string, prefixBits: number, via: string): void {
    this.#parts.native.addRoute(this.#routes, { name: this.name, destination, prefixBits, via });
  }

  /** Turns forwarding on where it is off, for containers only; the host's own way of working stays as it was. */
  async #forward(family: Family): Promise<void> {
    const { nft, instance } = this.#parts;
    if (readNetSetting(forwardSettings[family]) !== '0') return;
    await loadRuleset(nft, forwardingGuard(guardName(instance, family), family, this.name));
    writeNetSetting(forwardSettings[family], '1');
  }
}

/** @throws ERR_NATIVE_SYSCALL */
function removeTables(native: NativeNetwork, filter: number, instance: string): void {
  native.deleteTable(filter, tableName(instance));
  for (const family of families) {
    if (native.deleteTable(filter, guardName(instance, family))) writeNetSetting(forwardSettings[family], '0');
  }
}

/** A host that owes its default route to advertisements would lose it by forwarding, unless it is told to keep it. */
function mayUseIpv6(): boolean {
  if (!hasIpv6() || readNetSetting('ipv6/conf/default/disable_ipv6') === '1') return false;
  return readNetSetting(forwardSettings.ipv6) === '1' || !dependsOnAdvertisements();
}

/**
 * Makes the link in the first share that is free. Another hob may want it at the same time: making the link, of a name that
 * only one can have, decides whose it is.
 */
function makeLink({ native, options }: HostParts, { routes, router }: Place): AddressShare {
  const plan = new AddressPlan(options);
  const routed = routedNetworks();
  for (let number = 0; number < plan.shares; number++) {
    const share = plan.share(number);
    if (isUsed(share, routed)) continue;
    try {
      native.createVeth(routes, linkName(share), UPLINK, router);
      return share;
    } catch (error) {
      if (!(error instanceof Error && error.message.endsWith('EEXIST'))) throw error;
    }
  }
  const why = `no part of ${options.range4} and ${options.range6} is free`;
  const remedy = 'set HOB_EGRESS_RANGE4 and HOB_EGRESS_RANGE6 to networks of no other use';
  throw fail('ERR_NATIVE_UNSUPPORTED', [why, remedy]);
}

function linkName({ number }: AddressShare): string {
  return `hob${number}`;
}

function isUsed(
  { network4, bits4, network6, bits6 }: AddressShare,
  routed: ReturnType<typeof routedNetworks>,
): boolean {
  const networks = [parseIpNetwork(`${network4}/${bits4}`), parseIpNetwork(`${network6}/${bits6}`)];
  return networks.some((network) => network !== undefined && isTaken(network, routed));
}
