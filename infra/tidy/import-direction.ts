/**
 * Imports go one way: service → contracts → nothing. No service imports another, except that `services/cli` composes
 * them all, and that those which keep data in Redis share `services/redis`; native code is reached by its binding only.
 */
import { posix } from 'node:path';
import { isTest, lineAt, type Repository, type Rule, scripts } from './repository.ts';

/** Folder of a package → the packages of this repository that it may import. Tests of a package may do the same. */
function allowedFor(folder: string): readonly RegExp[] {
  if (folder === 'services/contracts' || folder.startsWith('functions/examples/')) return [];
  if (folder === 'services/cli' || folder === 'test' || folder === 'infra') return [/^@hob\//];
  if (folder === 'native') return [/^@hob\/contracts/];
  if (folder.startsWith('functions/runtimes/')) return [/^@hob\/contracts/, /^@hob\/native/];
  if (folder === 'services/scheduler') return [/^@hob\/contracts/, /^@hob\/native/, /^@hob\/runtime-/];
  if (folder === 'services/queue' || folder === 'services/registry') return [/^@hob\/contracts/, /^@hob\/redis/];
  return [/^@hob\/contracts/, /^@hob\/native/];
}

export const importDirection: Rule = (repository) => {
  const problems: string[] = [];
  for (const file of repository.matching(scripts)) {
    const folder = packageFolder(repository, file);
    for (const { specifier, line } of importsOf(repository.text(file))) {
      const problem = judge(repository, { file, folder, specifier });
      if (problem !== undefined) problems.push(`${file}:${line}: ${problem}`);
    }
  }
  return problems;
};

interface Import {
  readonly file: string;
  readonly folder: string;
  readonly specifier: string;
}

function judge(repository: Repository, { file, folder, specifier }: Import): string | undefined {
  if (specifier === 'koffi' && !file.startsWith('native/ts/')) return 'koffi is imported outside native/ts';
  if (specifier.startsWith('.')) {
    const target = posix.join(posix.dirname(file), specifier);
    const there = packageFolder(repository, target);
    if (there === folder) return undefined;
    return `${specifier} leaves ${folder}; import the package by its name`;
  }
  if (!specifier.startsWith('@hob/')) return undefined;
  if (allowedFor(folder).some((allowed) => allowed.test(specifier))) return undefined;
  if (isTest(file) && ownName(repository, folder) === specifier) return undefined;
  return `${folder} must not import ${specifier}`;
}

/** The nearest folder upwards that is a package of its own; `infra` has none of its own and counts as one. */
function packageFolder(repository: Repository, file: string): string {
  if (file.startsWith('infra/')) return 'infra';
  let folder = posix.dirname(file);
  while (folder !== '.' && !repository.has(posix.join(folder, 'package.json'))) folder = posix.dirname(folder);
  return folder;
}

function ownName(repository: Repository, folder: string): string | undefined {
  const manifest: { name?: string } = JSON.parse(repository.text(posix.join(folder, 'package.json')));
  return manifest.name;
}

const importForms = [
  /^\s*(?:import|export)\s[^'"`;]*?\bfrom\s+['"]([^'"]+)['"]/gm,
  /^\s*import\s+['"]([^'"]+)['"]/gm,
  /\b(?:import|require)\(\s*['"]([^'"]+)['"]\s*\)/g,
];

/** Module specifiers in a text, static and dynamic, with their lines. */
export function importsOf(text: string): { readonly specifier: string; readonly line: number }[] {
  return importForms.flatMap((form) =>
    [...text.matchAll(form)].map((match) => ({
      specifier: match[1] ?? '',
      line: lineAt(text, match.index + match[0].length),
    })),
  );
}
