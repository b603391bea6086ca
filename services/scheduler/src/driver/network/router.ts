import type { NativeNetwork } from '@hob/native';
import { Descriptors } from './descriptors.ts';
import { dnsAddress4, dnsAddress6, innerAddress6, outerAddress6 } from './egress-options.ts';
import { HostLink, type HostParts } from './host-link.ts';
import { readNetSetting, writeNetSetting } from './host-sysctl.ts';
import { loadRuleset } from './nft.ts';
import { hostLogGroup, LOG_GROUP, routerRuleset, UPLINK } from './ruleset.ts';

/**
 * A network namespace of hob's own that all containers of class `egress` are linked to, and that alone is linked to the host.
 * Their links, addresses and rules are in it, out of the way of the host's own tools, and go when it goes: it lives as long
 * as this process has descriptors of it.
 */
export class Router {
  readonly host: HostLink;
  readonly namespace: number;
  /** Netlink sockets of the namespace: for links and routes, and for the packet filter. */
  readonly routes: number;
  readonly filter: number;
  /** What the router's rules and those of the host log. */
  readonly denials: number;
  readonly hostDenials: number;
  readonly #native: NativeNetwork;
  readonly #nft: string;
  readonly #descriptors: Descriptors;

  private constructor(
    { native, nft }: HostParts,
    host: HostLink,
    made: { namespace: number; descriptors: Descriptors },
  ) {
    const { namespace, descriptors } = made;
    const inside = (open: () => number): number => descriptors.keep(native.within(namespace, open));
    this.#native = native;
    this.#nft = nft;
    this.#descriptors = descriptors;
    this.host = host;
    this.namespace = namespace;
    this.routes = inside(() => native.openRoutes());
    this.filter = inside(() => native.openFilter());
    this.denials = inside(() => native.openDenials(LOG_GROUP));
    this.hostDenials = descriptors.keep(native.openDenials(hostLogGroup(host.share)));
  }

  /**
   * Makes the namespace, its link to the host, and the rules of both.
   *
   * @throws ERR_NATIVE_UNSUPPORTED, ERR_CONFIG_INVALID, ERR_NATIVE_SYSCALL; nothing is left then.
   */
  static async open(parts: HostParts): Promise<Router> {
    const descriptors = new Descriptors();
    let host: HostLink | undefined;
    try {
      const namespace = descriptors.keep(parts.native.createNamespace());
      host = new HostLink(parts, namespace);
      const router = new Router(parts, host, { namespace, descriptors });
      await router.#open();
      return router;
    } catch (error) {
      descriptors.close();
      host?.close();
      throw error;
    }
  }

  /** Idempotent; never throws. What it held is gone when this returns. */
  close(): void {
    if (this.#descriptors.isClosed) return;
    this.host.close();
    this.#descriptors.close();
  }

  async #open(): Promise<void> {
    const { host, routes } = this;
    const { share } = host;
    const native = this.#native;
    native.within(this.namespace, () => setUpNamespace());
    // Rules come before any way out.
    const rules = routerRuleset(host.rulesetParts());
    await native.within(this.namespace, () => loadRuleset(this.#nft, rules));
    native.setLinkUp(routes, UPLINK);
    await host.open();
    native.addAddress(routes, 'lo', dnsAddress4, 32);
    native.addAddress(routes, UPLINK, share.router4, 32);
    native.addRoute(routes, { name: UPLINK, destination: '0.0.0.0', prefixBits: 0, via: share.host4 });
    if (!host.hasIpv6) return;
    native.addAddress(routes, 'lo', dnsAddress6, 128);
    native.addAddress(routes, UPLINK, innerAddress6, 64);
    native.addRoute(routes, { name: UPLINK, destination: '::', prefixBits: 0, via: outerAddress6 });
  }
}

/** It routes, and each refusal is told to whoever was refused: by default the kernel sends one a second. */
function setUpNamespace(): void {
  const settings = [
    ['ipv4/ip_forward', '1'],
    ['ipv4/icmp_ratemask', '0'],
    // The name server's, for which this process may lack the capability.
    ['ipv4/ip_unprivileged_port_start', '0'],
    ['ipv4/conf/all/send_redirects', '0'],
    ['ipv4/conf/default/send_redirects', '0'],
    ['ipv6/conf/all/forwarding', '1'],
    ['ipv6/icmp/ratelimit', '0'],
  ] as const;
  for (const [name, value] of settings) if (readNetSetting(name) !== undefined) writeNetSetting(name, value);
}
