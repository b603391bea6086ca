import { parseIpAddress } from '@hob/contracts';
import type { Answer } from 'dns-packet';
import type { CompiledPolicy } from '../compiled-policy.ts';
import { canonicalName } from './dns-message.ts';

/** What of an answer a container gets. */
export interface FilteredAnswer {
  readonly answers: readonly Answer[];
  /** The addresses among them, each with the seconds that it holds for. */
  readonly addresses: readonly { readonly address: Uint8Array; readonly ttlSeconds: number }[];
  /** Addresses that were left out, because the policy does not let names lead there. */
  readonly refused: readonly string[];
}

/**
 * Leaves out of an answer what does not belong to the question, and addresses that no name may lead to: whoever has a name of
 * his own could else point it into the networks around the host (DNS rebinding).
 *
 * @param name the one that was asked for, lower case.
 */
export function filterAnswers(name: string, answers: readonly Answer[], policy: CompiledPolicy): FilteredAnswer {
  const chain = aliasesOf(name, answers);
  const kept: Answer[] = [];
  const addresses: { address: Uint8Array; ttlSeconds: number }[] = [];
  const refused: string[] = [];
  for (const record of answers) {
    if (record.type === 'OPT' || record.class !== 'IN' || !chain.has(canonicalName(record.name))) continue;
    if (record.type === 'A' || record.type === 'AAAA') {
      const address = parseIpAddress(record.data);
      if (address === undefined || !policy.allowsAnswer(address)) {
        refused.push(record.data);
        continue;
      }
      addresses.push({ address, ttlSeconds: record.ttl ?? 0 });
    }
    kept.push(record);
  }
  return { answers: kept, addresses, refused };
}

/** A name and what it is an alias of, step by step, in whatever order the records are. */
function aliasesOf(name: string, answers: readonly Answer[]): ReadonlySet<string> {
  const chain = new Set([name]);
  for (let size = 0; size !== chain.size;) {
    size = chain.size;
    for (const record of answers) {
      if (record.type === 'CNAME' && chain.has(canonicalName(record.name))) chain.add(canonicalName(record.data));
    }
  }
  return chain;
}
