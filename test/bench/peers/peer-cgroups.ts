import { existsSync, mkdirSync, readdirSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';

const CGROUPS = '/sys/fs/cgroup';

/** The cgroups of peers' containers, below `hob`, as hob's own are. Disposing removes what they leave. */
export class PeerCgroups implements Disposable {
  /** Roots of the trees: one on hosts with v2 only, else one for each controller of v1. */
  readonly trees: readonly string[];
  /** v2 alone. */
  readonly isUnified: boolean;
  readonly #prefix = `bench-${process.pid}-`;
  readonly #withHob: ReadonlySet<string>;

  constructor() {
    const below = readdirSync(CGROUPS, { withFileTypes: true }).filter((entry) => entry.isDirectory());
    this.isUnified = existsSync(`${CGROUPS}/cgroup.procs`);
    this.trees = this.isUnified ? [CGROUPS] : below.map(({ name }) => join(CGROUPS, name));
    this.#withHob = new Set(this.trees.filter((tree) => existsSync(join(tree, 'hob'))));
  }

  /** Path of a container's cgroup in each tree. */
  pathOf(slot: string): string {
    return `/hob/${this.#prefix}${slot}`;
  }

  /** Makes the parent of all in some of the trees. */
  makeParents(trees: readonly string[]): void {
    for (const tree of trees) mkdirSync(join(tree, 'hob'), { recursive: true });
  }

  [Symbol.dispose](): void {
    for (const tree of this.trees) {
      const hob = join(tree, 'hob');
      if (!existsSync(hob)) continue;
      for (const name of readdirSync(hob)) if (name.startsWith(this.#prefix)) rmdirSync(join(hob, name));
      if (!this.#withHob.has(tree)) removeIfEmpty(hob);
    }
  }
}

/** A hob that was started meanwhile may have come to use it. */
function removeIfEmpty(folder: string): void {
  try {
    rmdirSync(folder);
  } catch (error) {
    if (!['EBUSY', 'ENOTEMPTY'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
  }
}
