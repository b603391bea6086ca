/**
 * The licences of every installed package against the list of those that an MIT project may use.
 *
 * `node infra/licences.ts` prints what is not allowed and ends with 1 when there is anything.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

/** SPDX identifiers. All of them ask for no more than keeping their text. */
export const allowedLicences: ReadonlySet<string> = new Set([
  '0BSD',
  'Apache-2.0',
  'BlueOak-1.0.0',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'ISC',
  'MIT',
]);

/** An installed package and what it says of its licence, as npm's package.json has it, old forms included. */
export interface LicensedPackage {
  readonly name: string;
  readonly version: string;
  readonly licence: string;
}

/**
 * Whether an SPDX expression lets us choose allowed licences only. `OR` is a choice, `AND` is both; brackets nest.
 * Whatever is not understood is not allowed.
 */
export function isAllowed(expression: string, allowed: ReadonlySet<string>): boolean {
  const tokens = expression.match(/\(|\)|[^\s()]+/g) ?? [];
  let at = 0;
  const one = (): boolean => {
    const token = tokens[at];
    at += 1;
    if (token === undefined || token === ')') throw new SyntaxError(expression);
    if (token !== '(') return allowed.has(token);
    const inside = either();
    if (tokens[at] !== ')') throw new SyntaxError(expression);
    at += 1;
    return inside;
  };
  const both = (): boolean => {
    let all = one();
    while (tokens[at] === 'AND') {
      at += 1;
      all = one() && all;
    }
    return all;
  };
  const either = (): boolean => {
    let any = both();
    while (tokens[at] === 'OR') {
      at += 1;
      any = both() || any;
    }
    return any;
  };
  try {
    return either() && at === tokens.length;
  } catch {
    return false;
  }
}

/**
 * Every package that npm has installed in a repository, its own workspaces included.
 *
 * @param root the repository's top folder, with node_modules
 */
export function installedPackages(root: string): LicensedPackage[] {
  const lock: { packages: Record<string, unknown> } = readJson(join(root, 'node_modules', '.package-lock.json'));
  return Object.keys(lock.packages)
    .map((path) => join(root, path, 'package.json'))
    .filter((file) => existsSync(file))
    .map((file) => describe(readJson(file)));
}

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly license?: string | { readonly type: string };
  readonly licenses?: readonly { readonly type: string }[];
}

function describe(manifest: Manifest): LicensedPackage {
  const { name, version, license, licenses } = manifest;
  const single = typeof license === 'string' ? license : license?.type;
  const licence = single ?? licenses?.map((each) => each.type).join(' OR ') ?? 'none';
  return { name, version, licence };
}

function readJson(file: string) {
  return JSON.parse(readFileSync(file, 'utf8'));
}

/** What is not allowed in a repository, one line each; an empty list when all is well. */
export function licenceProblems(root: string): string[] {
  const packages = installedPackages(root);
  if (packages.length === 0) return ['no package is installed: nothing was checked'];
  return packages
    .filter((each) => !isAllowed(each.licence, allowedLicences))
    .map((each) => `${each.name}@${each.version}: licence ${each.licence} is not in the list of infra/licences.ts`);
}

if (import.meta.main) {
  const problems = licenceProblems(resolve(import.meta.dirname, '..'));
  for (const problem of problems) console.error(problem);
  process.exitCode = problems.length === 0 ? 0 : 1;
}
