import { type EgressPolicy, fail } from '@hob/contracts';
import type { NativeNetwork } from '@hob/native';
import { CompiledPolicy } from './compiled-policy.ts';
import { namedElement, networkElement, ownerElement, type PlacedElement } from './filter-element.ts';
import { PUBLIC_POLICY, ROUTER_TABLE } from './ruleset.ts';

/** Addresses of names that one policy may have open at the same time. */
const NAMED_MAX = 1024;
const NUMBERS_MAX = 0xffff;

/** A policy that is in force in the packet filter, under a number. */
export interface ActivePolicy {
  readonly number: number;
  readonly rules: CompiledPolicy;
}

interface Entry extends ActivePolicy {
  readonly key: string;
  users: number;
  /** The addresses of names that were opened, by set and key, and when each is closed again, monotonic ms. */
  readonly named: Map<string, { readonly placed: PlacedElement; readonly untilMs: number }>;
}

/** What is needed to change the router's packet filter. */
export interface FilterPlace {
  readonly native: NativeNetwork;
  /** A netfilter socket of the router's namespace. */
  readonly filter: number;
}

/** The policies in use. Containers with equal policies share one, so a claim changes one element for each family. */
export class Policies {
  readonly #place: FilterPlace;
  readonly #nowMs: () => number;
  readonly #entries = new Map<string, Entry>();
  readonly #numbers = new Set<number>([0, PUBLIC_POLICY]);
  #next = PUBLIC_POLICY + 1;

  constructor(place: FilterPlace, nowMs: () => number = () => performance.now()) {
    this.#place = place;
    this.#nowMs = nowMs;
  }

  /** Puts a policy in force, until `release`. @throws ERR_NATIVE_SYSCALL; nothing is in force then. */
  acquire(policy: EgressPolicy): ActivePolicy {
    const key = JSON.stringify(policy);
    let entry = this.#entries.get(key);
    if (entry === undefined) {
      entry = this.#add(key, new CompiledPolicy(policy));
      this.#entries.set(key, entry);
    }
    entry.users += 1;
    return entry;
  }

  release(policy: ActivePolicy): void {
    const entry = policy as Entry;
    entry.users -= 1;
    if (entry.users > 0) return;
    this.#entries.delete(entry.key);
    this.#remove(entry);
  }

  /** Makes packets from an address those of a policy and a slot. @throws ERR_NATIVE_SYSCALL */
  admit(policy: ActivePolicy, address: Uint8Array, slot: number): void {
    this.#set(ownerElement(address, policy.number, slot));
  }

  /** Undoes `admit`. */
  dismiss(policy: ActivePolicy, address: Uint8Array, slot: number): void {
    this.#drop(ownerElement(address, policy.number, slot));
  }

  /**
   * Opens an address that an allowed name resolved to. One that stays open for at least half of the time is left as it is.
   *
   * @returns false when the policy has as many open as it may.
   * @throws ERR_NATIVE_SYSCALL
   */
  openNamed(policy: ActivePolicy, address: Uint8Array, opening: { port: number | 'any'; forMs: number }): boolean {
    const { named } = policy as Entry;
    const { port, forMs } = opening;
    const placed = namedElement(policy.number, address, port);
    const place = `${placed.set} ${Buffer.from(placed.element.key).toString('hex')}`;
    const nowMs = this.#nowMs();
    const before = named.get(place);
    if (before !== undefined && before.untilMs - nowMs >= forMs / 2) return true;
    if (before === undefined && named.size >= NAMED_MAX && !forgetClosed(policy as Entry, nowMs)) return false;
    // Older kernels do not let an element's timeout be changed.
    if (before !== undefined) this.#drop(placed);
    this.#set({ ...placed, element: { ...placed.element, timeoutMs: forMs } });
    named.set(place, { placed, untilMs: nowMs + forMs });
    return true;
  }

  #add(key: string, rules: CompiledPolicy): Entry {
    const number = rules.isPublic ? PUBLIC_POLICY : this.#takeNumber();
    const entry: Entry = { key, number, rules, users: 0, named: new Map() };
    try {
      for (const network of rules.networks) this.#set(networkElement(number, network));
      return entry;
    } catch (error) {
      this.#remove(entry);
      throw error;
    }
  }

  #remove({ number, rules, named }: Entry): void {
    for (const network of rules.networks) this.#drop(networkElement(number, network));
    for (const { placed } of named.values()) this.#drop(placed);
    if (number !== PUBLIC_POLICY) this.#numbers.delete(number);
  }

  #set({ set, element }: PlacedElement): void {
    this.#place.native.setElement(this.#place.filter, ROUTER_TABLE, set, element);
  }

  #drop({ set, element }: PlacedElement): void {
    this.#place.native.deleteElement(this.#place.filter, ROUTER_TABLE, set, element);
  }

  /** The one that was given back longest ago comes first. */
  #takeNumber(): number {
    for (let tries = 0; tries < NUMBERS_MAX; tries++) {
      const number = this.#next;
      this.#next = this.#next >= NUMBERS_MAX ? PUBLIC_POLICY + 1 : this.#next + 1;
      if (this.#numbers.has(number)) continue;
      this.#numbers.add(number);
      return number;
    }
    throw fail('ERR_SCHED_START_FAILED', [`all ${NUMBERS_MAX} numbers of policies are in use`]);
  }
}

/** @returns whether there was one. */
function forgetClosed(entry: Entry, nowMs: number): boolean {
  const before = entry.named.size;
  for (const [place, { untilMs }] of entry.named) if (untilMs <= nowMs) entry.named.delete(place);
  return entry.named.size < before;
}
