import {
  checkFunctionConfig,
  fail,
  type FunctionRecord,
  type FunctionSummary,
  type FunctionVersion,
} from '@hob/contracts';

/** What Redis holds of a version: all but what its key and field say. */
export type StoredVersion = Omit<FunctionVersion, 'name' | 'version'>;

interface Entry {
  readonly summary: FunctionSummary;
  /** Ascending by number. */
  readonly versions: ReadonlyMap<number, FunctionVersion>;
}

/** Every function and version, in memory. What it gives out never changes. */
export class FunctionTable {
  readonly #entries = new Map<string, Entry>();

  /** @throws ERR_FN_NOT_FOUND, ERR_FN_VERSION_NOT_FOUND */
  resolve(name: string, version?: number): FunctionVersion {
    const { summary, versions } = this.#entry(name);
    if (version === undefined) return summary.live;
    const found = versions.get(version);
    if (found === undefined) throw fail('ERR_FN_VERSION_NOT_FOUND', [name, String(version)]);
    return found;
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

  /** Adds a version, which becomes the live one unless a later one is. */
  add(version: FunctionVersion): void {
    const before = this.#entries.get(version.name);
    const live = Math.max(version.version, before?.summary.live.version ?? 0);
    this.set([...(before?.versions.values() ?? []), version], live);
  }

  /**
   * Replaces all versions of one function.
   *
   * @param versions of one name, in any order; none changes nothing.
   * @param live number of the live one; the last one is when it is not among them.
   */
  set(versions: readonly FunctionVersion[], live: number): void {
    const ascending = new Map(versions.toSorted((a, b) => a.version - b.version).map((one) => [one.version, one]));
    const lived = ascending.get(live) ?? [...ascending.values()].at(-1);
    if (lived === undefined) return;
    const summary = { name: lived.name, live: lived, versions: [...ascending.keys()] };
    this.#entries.set(lived.name, { summary, versions: ascending });
  }

  /** All of one function, also of one that is unknown. */
  record(name: string): FunctionRecord {
    const entry = this.#entries.get(name);
    return { name, live: entry?.summary.live.version ?? 0, versions: [...(entry?.versions.values() ?? [])] };
  }

  /** Takes what `record` of another table gave. */
  replace({ name, live, versions }: FunctionRecord): void {
    this.#entries.delete(name);
    this.set(versions, live);
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
