import { type EgressPolicy, fail, formatIpAddress } from '@hob/contracts';
import type { NativeNetwork } from '@hob/native';
import type { NetworkEvents } from '../../container-driver.ts';
import { AddressPlan } from './address-plan.ts';
import { DenialLog, type Watched } from './denial-log.ts';
import { DnsForwarder } from './dns/dns-forwarder.ts';
import { type Asker, DnsResolver } from './dns/dns-resolver.ts';
import { DnsUpstream } from './dns/dns-upstream.ts';
import { NameServers } from './dns/name-servers.ts';
import type { EgressOptions } from './egress-options.ts';
import { findNft } from './nft.ts';
import { type ActivePolicy, Policies } from './policies.ts';
import { Router } from './router.ts';
import { type Slot, Slots } from './slots.ts';

/** A container that may reach something. */
interface Admission extends Asker, Watched {
  readonly slot: Slot;
}

/** A container's network namespace, and its connection to the outside: nothing passes until that is opened. */
export interface ContainerNetwork {
  /** For `hob_enter`. */
  readonly path: string;
  /**
   * Lets out what the policy allows.
   *
   * @throws ERR_NATIVE_SYSCALL, also when that was done before, or where there is no way out; nothing is let out then.
   */
  open(policy: EgressPolicy, events: () => NetworkEvents): void;
  /** Ends it, after it told what was denied last. Idempotent; never throws. */
  release(): void;
}

/** What a network is opened with. */
export interface EgressNetworkParts {
  readonly native: NativeNetwork;
  readonly options: EgressOptions;
  /** See `DriverOptions`. */
  readonly instance: string;
}

/**
 * Everything between containers of class `egress` and the world: a router in a network namespace of its own, a namespace for
 * each container, the packet filter, and the name server. All of it needs root; nothing of it is left after `close`.
 */
export class EgressNetwork {
  readonly #native: NativeNetwork;
  readonly #router: Router;
  readonly #slots: Slots;
  readonly #policies: Policies;
  readonly #denials: DenialLog;
  readonly #upstream: DnsUpstream;
  readonly #admissions = new Map<string, Admission>();
  #forwarder: DnsForwarder | undefined;

  private constructor({ native, options }: EgressNetworkParts, router: Router) {
    this.#native = native;
    this.#router = router;
    this.#policies = new Policies({ native, filter: router.filter });
    this.#denials = new DenialLog(native, router);
    this.#upstream = new DnsUpstream(new NameServers(options.dns));
    this.#slots = new Slots(native, router, options);
  }

  /** Whether the options can be used at all. @throws ERR_CONFIG_INVALID */
  static check(options: EgressOptions): void {
    void new AddressPlan(options);
    void new NameServers(options.dns);
  }

  /** @throws ERR_NATIVE_UNSUPPORTED, ERR_CONFIG_INVALID, ERR_NATIVE_SYSCALL; nothing is left then. */
  static async open(parts: EgressNetworkParts): Promise<EgressNetwork> {
    const router = await Router.open({ ...parts, nft: findNft() });
    const network = new EgressNetwork(parts, router);
    try {
      await network.#listen();
      return network;
    } catch (error) {
      await network.close();
      throw error;
    }
  }

  /** A network for one container. @throws ERR_NATIVE_SYSCALL, ERR_SCHED_START_FAILED */
  take(): ContainerNetwork {
    const slot = this.#slots.take();
    let admission: Admission | undefined;
    return {
      path: slot.path,
      open: (policy, events) => {
        if (admission !== undefined) throw fail('ERR_NATIVE_SYSCALL', ['egress', 'EEXIST']);
        admission = this.#admit(slot, this.#policies.acquire(policy), events);
      },
      release: () => {
        if (admission !== undefined) this.#dismiss(admission);
        admission = undefined;
        this.#slots.release(slot);
      },
    };
  }

  /** Idempotent. Containers are to be gone by now; whatever is still open is ended. */
  async close(): Promise<void> {
    for (const admission of new Set(this.#admissions.values())) this.#dismiss(admission);
    this.#slots.close();
    this.#upstream.close();
    await this.#forwarder?.close();
    this.#router.close();
  }

  async #listen(): Promise<void> {
    this.#forwarder = await DnsForwarder.open({
      native: this.#native,
      namespace: this.#router.namespace,
      hasIpv6: this.#router.host.hasIpv6,
      resolver: new DnsResolver(this.#upstream, this.#policies),
      askerAt: (address) => this.#admissions.get(address),
    });
  }

  #admit(slot: Slot, policy: ActivePolicy, events: () => NetworkEvents): Admission {
    const addresses = this.#addressesOf(slot);
    const admission: Admission = {
      slot,
      policy,
      link: slot.link,
      addresses: addresses.map(formatIpAddress),
      questions: 0,
      tell: (denial) => events().denied?.(denial),
      tellResolved: (tally) => events().resolved?.(tally),
      denied: (reason, target) => this.#denials.add(admission, reason, target),
      resolved: (outcome) => this.#denials.resolved(admission, outcome),
    };
    try {
      for (const address of addresses) this.#policies.admit(policy, address, slot.index);
    } catch (error) {
      this.#close(admission);
      throw error;
    }
    for (const address of admission.addresses) this.#admissions.set(address, admission);
    this.#denials.watch(admission);
    return admission;
  }

  #dismiss(admission: Admission): void {
    for (const address of admission.addresses) this.#admissions.delete(address);
    this.#denials.forget(admission);
    this.#close(admission);
  }

  /** The slot goes at once, and its address is not used again for long: what cannot be undone here does no harm. */
  #close({ slot, policy }: Admission): void {
    try {
      for (const address of this.#addressesOf(slot)) this.#policies.dismiss(policy, address, slot.index);
      this.#policies.release(policy);
    } catch {
      // The router's namespace is gone, or is broken and every further container will say so.
    }
  }

  #addressesOf({ address4, address6 }: Slot): Uint8Array[] {
    return this.#router.host.hasIpv6 ? [address4, address6] : [address4];
  }
}
