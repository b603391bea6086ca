import { fail, formatIpAddress } from '@hob/contracts';
import type { NativeNetwork } from '@hob/native';
import { AddressPlan } from './address-plan.ts';
import { Descriptors } from './descriptors.ts';
import { dnsAddress4, type EgressOptions, outerAddress6 } from './egress-options.ts';
import type { Router } from './router.ts';
import { SLOT_LINK, SLOT_MASK } from './ruleset.ts';

/** The interface inside a container. */
const INNER_LINK = 'eth0';
/** Slots that are made ahead, so that a container need not wait for its own. */
const SPARE_SLOTS = 2;

/** A network namespace for one container, linked to the router. It is never used for another container. */
export interface Slot {
  /** From 0; it names the slot's link and marks its connections. */
  readonly index: number;
  /** For `hob_enter`. */
  readonly path: string;
  /** Number of its interface in the router's namespace. */
  readonly link: number;
  readonly address4: Uint8Array;
  readonly address6: Uint8Array;
}

/** Makes slots, some ahead, and takes them back. An index is used again only after all others have been. */
export class Slots {
  readonly #native: NativeNetwork;
  readonly #router: Router;
  readonly #plan: AddressPlan;
  readonly #spare: Slot[] = [];
  readonly #open = new Map<Slot, Descriptors>();
  readonly #indexes = new Set<number>();
  #next = 0;
  #refill: NodeJS.Immediate | undefined;
  #isClosed = false;

  constructor(native: NativeNetwork, router: Router, options: EgressOptions) {
    this.#native = native;
    this.#router = router;
    this.#plan = new AddressPlan(options);
    this.#refillSoon();
  }

  /** A slot, the caller's until `release`. @throws ERR_NATIVE_SYSCALL, ERR_SCHED_START_FAILED when all are in use. */
  take(): Slot {
    const slot = this.#spare.shift() ?? this.#make();
    this.#refillSoon();
    return slot;
  }

  /** Everything of the slot goes, its tracked connections too; its namespace when no process is in it. Never throws. */
  release(slot: Slot): void {
    const descriptors = this.#open.get(slot);
    if (descriptors === undefined) return;
    this.#open.delete(slot);
    this.#indexes.delete(slot.index);
    descriptors.close();
    try {
      this.#native.deleteFlows(this.#router.filter, slot.index, SLOT_MASK);
    } catch {
      // They end by themselves: what is tracked is forgotten after a time without packets.
    }
  }

  /** Releases whatever is open. */
  close(): void {
    this.#isClosed = true;
    clearImmediate(this.#refill);
    for (const slot of [...this.#open.keys()]) this.release(slot);
  }

  #refillSoon(): void {
    if (this.#isClosed || this.#spare.length >= SPARE_SLOTS) return;
    this.#refill ??= setImmediate(() => {
      this.#refill = undefined;
      try {
        this.#spare.push(this.#make());
      } catch {
        return; // whoever takes one is told
      }
      // One at a time: each takes about two milliseconds of this thread.
      this.#refillSoon();
    });
  }

  #make(): Slot {
    const { share } = this.#router.host;
    const index = this.#takeIndex(share.slots);
    const descriptors = new Descriptors();
    try {
      const namespace = descriptors.keep(this.#native.createNamespace());
      const addresses = this.#plan.slot(share, index);
      const link = this.#connect({ index, ...addresses }, namespace);
      const slot: Slot = { index, link, path: `/proc/${process.pid}/fd/${namespace}`, ...addresses };
      this.#open.set(slot, descriptors);
      return slot;
    } catch (error) {
      this.#indexes.delete(index);
      // The link goes with the namespace that its other end is in.
      descriptors.close();
      throw error;
    }
  }

  #takeIndex(count: number): number {
    for (let tries = 0; tries < count; tries++) {
      const index = this.#next;
      this.#next = (this.#next + 1) % count;
      if (this.#indexes.has(index)) continue;
      this.#indexes.add(index);
      return index;
    }
    throw fail('ERR_SCHED_START_FAILED', [`all ${count} networks for containers are in use`]);
  }

  /** @returns the number of the router's interface. */
  #connect({ index, address4, address6 }: Pick<Slot, 'index' | 'address4' | 'address6'>, namespace: number): number {
    const native = this.#native;
    const { routes, host } = this.#router;
    const outer = `${SLOT_LINK}${index}`;
    native.createVeth(routes, outer, INNER_LINK, namespace);
    native.setLinkUp(routes, outer);
    native.addRoute(routes, { name: outer, destination: formatIpAddress(address4), prefixBits: 32 });
    if (host.hasIpv6) {
      native.addAddress(routes, outer, outerAddress6, 64);
      native.addRoute(routes, { name: outer, destination: formatIpAddress(address6), prefixBits: 128 });
    }
    const inside = new Descriptors();
    try {
      const inner = inside.keep(native.within(namespace, () => native.openRoutes()));
      native.setLinkUp(inner, INNER_LINK);
      native.addAddress(inner, INNER_LINK, formatIpAddress(address4), 32);
      native.addRoute(inner, { name: INNER_LINK, destination: '0.0.0.0', prefixBits: 0, via: dnsAddress4 });
      if (host.hasIpv6) {
        native.addAddress(inner, INNER_LINK, formatIpAddress(address6), 128);
        native.addRoute(inner, { name: INNER_LINK, destination: '::', prefixBits: 0, via: outerAddress6 });
      }
      return native.linkIndex(routes, outer);
    } finally {
      inside.close();
    }
  }
}
