import type { ActivePolicy, Policies } from '../policies.ts';
import { filterAnswers } from './answer-filter.ts';
import { type DnsQuery, type DnsReply, rcodes, readQuery, replyBytes } from './dns-message.ts';
import type { DnsUpstream } from './dns-upstream.ts';
import type { DnsTally, EgressDenial } from '../../../container-driver.ts';

/** How long an address that a name resolved to stays open at least and at most, ms, whatever the answer says. */
const OPEN_MS_MIN = 60_000;
const OPEN_MS_MAX = 3_600_000;
/** Questions that are being answered for one container, and for all. More are dropped. */
const QUESTIONS_MAX = 64;
const QUESTIONS_TOTAL_MAX = 1024;
/** A name that can be asked for: no other is in use, and others have no safe text form. */
const hostName = /^(?:[a-z0-9_-]{1,63}\.)*[a-z0-9_-]{1,63}$/;

/** A container that asks. */
export interface Asker {
  readonly policy: ActivePolicy;
  /** Questions of it that are being answered. */
  questions: number;
  denied(reason: EgressDenial['reason'], target: string): void;
  resolved(outcome: DnsTally['outcome']): void;
}

/** Answers containers' questions as their policies allow, and opens the addresses that allowed names resolve to. */
export class DnsResolver {
  readonly #upstream: DnsUpstream;
  readonly #policies: Policies;
  #questions = 0;

  constructor(upstream: DnsUpstream, policies: Policies) {
    this.#upstream = upstream;
    this.#policies = policies;
  }

  /**
   * @param message a container's bytes, as they came.
   * @param isDatagram the answer is to fit into what its sender takes.
   * @returns undefined for no answer: the message is no question, or there are too many.
   */
  async answer(message: Buffer, asker: Asker, isDatagram: boolean): Promise<Buffer | undefined> {
    const query = readQuery(message);
    if (query === undefined) return undefined;
    if (asker.questions >= QUESTIONS_MAX || this.#questions >= QUESTIONS_TOTAL_MAX) {
      asker.resolved('failed');
      return undefined;
    }
    asker.questions += 1;
    this.#questions += 1;
    try {
      const reply = await this.#resolve(query, asker);
      return replyBytes(query, reply, isDatagram ? query.udpBytesMax : Number.MAX_SAFE_INTEGER);
    } finally {
      asker.questions -= 1;
      this.#questions -= 1;
    }
  }

  async #resolve(query: DnsQuery, asker: Asker): Promise<Omit<DnsReply, 'isTruncated'>> {
    const { policy } = asker;
    if (!hostName.test(query.name) || !policy.rules.allowsName(query.name)) {
      asker.denied('name', `name ${printable(query.name)}`);
      asker.resolved('denied');
      return { rcode: rcodes.NXDOMAIN, answers: [] };
    }
    const reply = await this.#upstream.ask(query);
    if (reply === undefined) {
      asker.resolved('failed');
      return { rcode: rcodes.SERVFAIL, answers: [] };
    }
    const { answers, addresses, refused } = filterAnswers(query.name, reply.answers, policy.rules);
    for (const address of refused) asker.denied('rebinding', `name ${query.name} at ${address}`);
    asker.resolved(refused.length > 0 && addresses.length === 0 ? 'denied' : 'answered');
    this.#open(query.name, addresses, policy);
    return { rcode: reply.rcode, answers };
  }

  /** Before the answer leaves, so that whoever gets it can connect. */
  #open(name: string, addresses: ReturnType<typeof filterAnswers>['addresses'], policy: ActivePolicy): void {
    if (policy.rules.isPublic) return;
    const open = policy.rules.portsOfName(name);
    for (const port of open === 'any' ? (['any'] as const) : open) {
      for (const { address, ttlSeconds } of addresses) {
        const forMs = Math.min(OPEN_MS_MAX, Math.max(OPEN_MS_MIN, ttlSeconds * 1000));
        this.#policies.openNamed(policy, address, { port, forMs });
      }
    }
  }
}

/** A hostile name as it can be shown. */
function printable(name: string): string {
  return name.replaceAll(/[^\u0021-\u007e]/g, '?').slice(0, 253);
}
