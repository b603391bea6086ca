import type { DenialReading, FilterDenial, NativeNetwork } from '@hob/native';
import { denialReasons, type DnsTally, type EgressDenial } from '../../container-driver.ts';
import type { Router } from './router.ts';

/** How often the kernel is asked for denials, ms, while there is anybody to tell. */
const LOOK_AGAIN_MS = 200;
/** How many packets are read at once, and how many different denials of one container are told at once. */
const READ_MAX = 1024;
const TOLD_MAX = 256;

const protocols: Readonly<Record<number, string>> = { 1: 'icmp', 6: 'tcp', 17: 'udp', 58: 'icmpv6' };

/** A container whose denials are told. */
export interface Watched {
  /** Number of its interface in the router's namespace. */
  readonly link: number;
  /** Its addresses in text. */
  readonly addresses: readonly string[];
  /** Must not throw, as the next one. */
  tell(denial: EgressDenial): void;
  tellResolved(tally: DnsTally): void;
}

/** What was collected of one container. */
interface Collected {
  readonly denials: Map<string, EgressDenial>;
  readonly outcomes: Map<DnsTally['outcome'], number>;
}

/** Collects what containers were denied, by the packet filter and otherwise, and asked, and tells each of its own, counted. */
export class DenialLog {
  readonly #native: NativeNetwork;
  readonly #router: Router;
  readonly #byLink = new Map<number, Watched>();
  readonly #byAddress = new Map<string, Watched>();
  readonly #collected = new Map<Watched, Collected>();
  #timer: NodeJS.Timeout | undefined;

  constructor(native: NativeNetwork, router: Router) {
    this.#native = native;
    this.#router = router;
  }

  watch(watched: Watched): void {
    this.#byLink.set(watched.link, watched);
    for (const address of watched.addresses) this.#byAddress.set(address, watched);
    this.#timer ??= setInterval(() => this.flush(), LOOK_AGAIN_MS).unref();
  }

  /** Tells what is left, and no more after that. */
  forget(watched: Watched): void {
    this.flush();
    this.#byLink.delete(watched.link);
    for (const address of watched.addresses) this.#byAddress.delete(address);
    if (this.#byLink.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  add(watched: Watched, reason: EgressDenial['reason'], target: string): void {
    const { denials } = this.#of(watched);
    const key = `${reason} ${target}`;
    const count = (denials.get(key)?.count ?? 0) + 1;
    if (count > 1 || denials.size < TOLD_MAX) denials.set(key, { reason, target, count });
  }

  /** A DNS question of it came to its end. */
  resolved(watched: Watched, outcome: DnsTally['outcome']): void {
    const { outcomes } = this.#of(watched);
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
  }

  /** Reads what the kernel has, and tells all that was collected. */
  flush(): void {
    this.#read(this.#router.denials, ({ link }) => this.#byLink.get(link));
    // The host sees one interface for all containers, but each packet with its container's own address.
    this.#read(this.#router.hostDenials, ({ source }) => this.#byAddress.get(source));
    for (const [watched, { denials, outcomes }] of this.#collected) {
      for (const denial of denials.values()) watched.tell(denial);
      for (const [outcome, count] of outcomes) watched.tellResolved({ outcome, count });
    }
    this.#collected.clear();
  }

  #of(watched: Watched): Collected {
    let collected = this.#collected.get(watched);
    if (collected === undefined)
      this.#collected.set(watched, (collected = { denials: new Map(), outcomes: new Map() }));
    return collected;
  }

  #read(fd: number, find: (packet: FilterDenial) => Watched | undefined): void {
    for (let packets = 0; packets < READ_MAX; packets++) {
      const reading: DenialReading = this.#native.readDenial(fd);
      if (reading === 'none') return;
      if (reading === 'lost') continue;
      const watched = find(reading);
      const reason = denialReasons.find((known) => known === reading.prefix);
      if (watched !== undefined && reason !== undefined) this.add(watched, reason, targetOf(reading));
    }
  }
}

function targetOf({ protocol, destination, port }: FilterDenial): string {
  const name = protocols[protocol] ?? `protocol ${protocol}`;
  if (port === 0) return `${name} ${destination}`;
  return `${name} ${destination.includes(':') ? `[${destination}]` : destination}:${port}`;
}
