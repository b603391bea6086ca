/**
 * package-lock.json names packages by version and digest, never by the address of somebody's registry, and agrees with
 * every package.json.
 */
import { lineAt, type Repository, type Rule } from './repository.ts';

const LOCKFILE = 'package-lock.json';
const kinds = ['dependencies', 'devDependencies', 'optionalDependencies'] as const;

interface Entry extends Partial<Record<(typeof kinds)[number], Record<string, string>>> {
  readonly integrity?: string;
  readonly link?: boolean;
}

export const lockfile: Rule = (repository) => {
  if (!repository.has(LOCKFILE)) return [`${LOCKFILE} is missing`];
  const text = repository.text(LOCKFILE);
  const address = /"resolved":\s*"[a-z+]+:\/\//.exec(text);
  if (address) return [`${LOCKFILE}:${lineAt(text, address.index)}: a registry's address; .npmrc keeps them out`];
  const lock: { packages: Record<string, Entry> } = JSON.parse(text);
  return [...withoutDigest(lock.packages), ...outOfStep(repository, lock.packages)];
};

function withoutDigest(packages: Record<string, Entry>): string[] {
  return Object.entries(packages)
    .filter(([path, entry]) => path.includes('node_modules/') && !entry.link && entry.integrity === undefined)
    .map(([path]) => `${LOCKFILE}: ${path} has no integrity digest`);
}

/** Set-up installs what the lockfile says: a dependency that only a package.json names would never arrive. */
function outOfStep(repository: Repository, packages: Record<string, Entry>): string[] {
  return repository.matching(/^(?:.*\/)?package\.json$/).flatMap((file) => {
    const locked = packages[file === 'package.json' ? '' : file.slice(0, -'/package.json'.length)];
    const manifest: Entry = JSON.parse(repository.text(file));
    return kinds
      .filter((kind) => sorted(manifest[kind]) !== sorted(locked?.[kind]))
      .map((kind) => `${LOCKFILE}: ${kind} differ from those of ${file}; npm install`);
  });
}

function sorted(versions: Record<string, string> | undefined): string {
  return JSON.stringify(Object.entries(versions ?? {}).toSorted(([a], [b]) => (a < b ? -1 : 1)));
}
