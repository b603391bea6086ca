import { hash } from 'node:crypto';
import type { FunctionAlias, FunctionVersion } from '@hob/contracts';

/** An alias with the versions that it names: decides which of them a call gets. */
export class AliasTarget {
  readonly alias: FunctionAlias;
  /** Ascending by number, never empty. */
  readonly versions: readonly FunctionVersion[];
  /** For each version, the sum of its weight and of those before. */
  readonly #bounds: readonly number[];
  readonly #source: 'header' | 'cookie';
  readonly #key: string;

  /** @param versions at least one of those that the alias names. */
  constructor(alias: FunctionAlias, versions: readonly FunctionVersion[]) {
    this.alias = alias;
    this.versions = versions;
    const weights = new Map(alias.weights.map(({ version, weight }) => [version, weight]));
    let sum = 0;
    this.#bounds = versions.map(({ version }) => (sum += weights.get(version) ?? 0));
    const [source, key = ''] = alias.sticky.split(':', 2);
    this.#source = source === 'cookie' ? 'cookie' : 'header';
    // Names of headers are the same in any case, those of cookies are not.
    this.#key = this.#source === 'header' ? key.toLowerCase() : key;
  }

  /** The version with the largest weight, the latest of equal ones. */
  get heaviest(): FunctionVersion {
    let best = 0;
    for (let at = 1; at < this.versions.length; at += 1) if (this.#weight(at) >= this.#weight(best)) best = at;
    return this.versions[best] as FunctionVersion;
  }

  /**
   * The version for a call. Equal values of the sticky header or cookie get the same one, and when weight moves to later
   * versions, values that had one of these keep it.
   *
   * @param headers flat list with names in lower case.
   */
  choose(headers: readonly string[]): FunctionVersion {
    if (this.versions.length === 1) return this.versions[0] as FunctionVersion;
    const value = this.#source === 'header' ? headerOf(headers, this.#key) : cookieOf(headers, this.#key);
    const point = (value === undefined ? Math.random() : fractionOf(value)) * (this.#bounds.at(-1) as number);
    const at = this.#bounds.findIndex((bound) => point < bound);
    return this.versions[at] as FunctionVersion;
  }

  #weight(at: number): number {
    return (this.#bounds[at] as number) - (this.#bounds[at - 1] ?? 0);
  }
}

/** A number from 0 up to, not including, 1 that stands for a text. */
function fractionOf(text: string): number {
  return hash('sha256', text, 'buffer').readUInt32BE(0) / 2 ** 32;
}

function headerOf(headers: readonly string[], name: string): string | undefined {
  for (let at = 0; at < headers.length; at += 2) if (headers[at] === name) return headers[at + 1];
  return undefined;
}

function cookieOf(headers: readonly string[], name: string): string | undefined {
  for (let at = 0; at < headers.length; at += 2) {
    if (headers[at] !== 'cookie') continue;
    for (const pair of (headers[at + 1] as string).split(';')) {
      const equals = pair.indexOf('=');
      if (equals !== -1 && pair.slice(0, equals).trim() === name) return pair.slice(equals + 1).trim();
    }
  }
  return undefined;
}
