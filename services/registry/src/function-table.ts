import {
  checkFunctionConfig,
  fail,
  type FunctionAlias,
  type FunctionRecord,
  type FunctionSummary,
  type FunctionVersion,
  LIVE_ALIAS,
} from '@hob/contracts';
import { AliasTarget } from './alias-target.ts';

/** What Redis holds of a version: all but what its key and field say. */
export type StoredVersion = Omit<FunctionVersion, 'name' | 'version'>;

interface Entry {
  readonly summary: FunctionSummary;
  /** Ascending by number. */
  readonly versions: ReadonlyMap<number, FunctionVersion>;
  readonly aliases: ReadonlyMap<string, AliasTarget>;
}

const NO_HEADERS: readonly string[] = [];

/** Every function, version and alias, in memory. What it gives out never changes. */
export class FunctionTable {
  readonly #entries = new Map<string, Entry>();

  /** @throws ERR_FN_NOT_FOUND, ERR_FN_VERSION_NOT_FOUND, ERR_FN_ALIAS_NOT_FOUND, ERR_FN_NOT_LIVE */
  resolve(name: string, qualifier: number | string | undefined, headers = NO_HEADERS): FunctionVersion {
    const { versions, aliases } = this.#entry(name);
    if (typeof qualifier === 'number') {
      const found = versions.get(qualifier);
      if (found === undefined) throw fail('ERR_FN_VERSION_NOT_FOUND', [name, String(qualifier)]);
      return found;
    }
    const target = aliases.get(qualifier ?? LIVE_ALIAS);
    if (target !== undefined) return target.choose(headers);
    if (qualifier === undefined || qualifier === LIVE_ALIAS) throw fail('ERR_FN_NOT_LIVE', [name]);
    throw fail('ERR_FN_ALIAS_NOT_FOUND', [name, qualifier]);
  }

  /** Sorted by name. */
  list(): FunctionSummary[] {
    return [...this.#entries.values()].map((entry) => entry.summary).toSorted((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** @throws ERR_FN_NOT_FOUND */
  describe(name: string): { readonly summary: FunctionSummary; readonly versions: readonly FunctionVersion[] } {
    const { summary, versions } = this.#entry(name);
    return { summary, versions: [...versions.values()] };
  }

  /** Every version that an alias names, once, the live ones first. @throws ERR_FN_NOT_FOUND */
  inService(name: string): FunctionVersion[] {
    const { summary, aliases } = this.#entry(name);
    const named = [...aliases.values()].flatMap((target) => target.versions);
    return [...new Set([...(summary.live === undefined ? [] : [summary.live]), ...named])];
  }

  /** Adds a version, to which no alias leads. */
  add(version: FunctionVersion): void {
    const before = this.#entries.get(version.name);
    this.set([...(before?.versions.values() ?? []), version], this.#aliasesOf(version.name));
  }

  /** Sets or makes an alias of a function that has versions. */
  setAlias(name: string, alias: FunctionAlias): void {
    const others = this.#aliasesOf(name).filter((other) => other.name !== alias.name);
    this.set([...(this.#entries.get(name)?.versions.values() ?? [])], [...others, alias]);
  }

  /** Removes versions of a function, but never all of them. */
  prune(name: string, versions: ReadonlySet<number>): void {
    const all = [...(this.#entries.get(name)?.versions.values() ?? [])];
    const kept = all.filter(({ version }) => !versions.has(version));
    if (kept.length < all.length) this.set(kept, this.#aliasesOf(name));
  }

  removeAlias(name: string, alias: string): void {
    const others = this.#aliasesOf(name).filter((other) => other.name !== alias);
    this.set([...(this.#entries.get(name)?.versions.values() ?? [])], others);
  }

  /**
   * Replaces all versions and aliases of one function.
   *
   * @param versions of one name, in any order; none changes nothing.
   * @param aliases what they name beside these versions is left out; `live` then names the last version, when nothing of it
   *   is left.
   */
  set(versions: readonly FunctionVersion[], aliases: readonly FunctionAlias[]): void {
    const ascending = new Map(versions.toSorted((a, b) => a.version - b.version).map((one) => [one.version, one]));
    const last = [...ascending.values()].at(-1);
    if (last === undefined) return;
    const targets = new Map<string, AliasTarget>();
    for (const alias of aliases.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
      const named = alias.weights.flatMap(({ version }) => ascending.get(version) ?? []);
      const lived = named.length === 0 && alias.name === LIVE_ALIAS ? [last] : named;
      if (lived.length > 0) targets.set(alias.name, new AliasTarget(alias, lived));
    }
    const summary = {
      name: last.name,
      live: targets.get(LIVE_ALIAS)?.heaviest,
      versions: [...ascending.keys()],
      aliases: [...targets.values()].map(({ alias }) => alias),
    };
    this.#entries.set(last.name, { summary, versions: ascending, aliases: targets });
  }

  /** All of one function, also of one that is unknown. */
  record(name: string): FunctionRecord {
    const entry = this.#entries.get(name);
    return { name, versions: [...(entry?.versions.values() ?? [])], aliases: this.#aliasesOf(name) };
  }

  /** Takes what `record` of another table gave. */
  replace({ name, versions, aliases }: FunctionRecord): void {
    this.#entries.delete(name);
    this.set(versions, aliases);
  }

  /** @returns the versions that the function had; none when it was unknown. */
  remove(name: string): readonly FunctionVersion[] {
    const entry = this.#entries.get(name);
    this.#entries.delete(name);
    return [...(entry?.versions.values() ?? [])];
  }

  /** Whether any version of any function is made of a bundle. */
  uses(digest: string): boolean {
    for (const { versions } of this.#entries.values()) {
      for (const version of versions.values()) if (version.digest === digest) return true;
    }
    return false;
  }

  #aliasesOf(name: string): readonly FunctionAlias[] {
    return this.#entries.get(name)?.summary.aliases ?? [];
  }

  #entry(name: string): Entry {
    const entry = this.#entries.get(name);
    if (entry === undefined) throw fail('ERR_FN_NOT_FOUND', [name]);
    return entry;
  }
}

/**
 * Reads a version as Redis has it. Settings that hob did not know when it was deployed get their defaults.
 *
 * @throws when it is no version.
 */
export function readStoredVersion(name: string, version: number, json: string): FunctionVersion {
  const stored = JSON.parse(json) as StoredVersion;
  const { digest, bundleBytes, hasAssets, createdAt } = stored;
  return { name, version, digest, config: checkFunctionConfig(stored.config), bundleBytes, hasAssets, createdAt };
}
