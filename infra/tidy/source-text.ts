/** Rules on the text of single source files. */
import { isTest, lineAt, type Repository, type Rule, scripts } from './repository.ts';

const LINES_MAX = 400;
const source = /\.(?:ts|mts|mjs|js|c|h|py|sh)$/;

/** Written so that this file does not hold the words that it looks for. */
const leftovers = /\b(?:TOD[O]|FIXM[E]|XX[X])\b/;

/** Main files and functions may read the environment that they were given; everything else gets settings by parameter. */
const readsEnvironment = /(?:^|\/)(?:main\.ts|build\.ts|bin\/[^/]+)$|^infra\/|^functions\/|^test\//;

/** Where `npm test` looks for test files: see infra/commands/test-plan.ts. */
const testPlaces = /^(?:services\/[^/]+|native|functions\/runtimes\/[^/]+|infra)\/test\/|^test\//;

export const sourceText: Rule = (repository) => [
  ...repository.matching(source).flatMap((file) => problemsOf(repository, file)),
  ...repository
    .matching(/\.test\.\w+$/)
    .filter((file) => !testPlaces.test(file) || !file.endsWith('.test.ts'))
    .map((file) => `${file}: npm test does not find a test file here`),
];

function problemsOf(repository: Repository, file: string): string[] {
  const problems: string[] = [];
  const text = repository.text(file);
  const lines = text.split('\n');
  const count = lines.at(-1) === '' ? lines.length - 1 : lines.length;
  if (count > LINES_MAX) problems.push(`${file}: ${count} lines, at most ${LINES_MAX}`);
  const leftover = leftovers.exec(text);
  if (leftover) problems.push(`${file}:${lineAt(text, leftover.index)}: ${leftover[0]} is left`);
  const environment = /\bprocess\.env\b/.exec(withoutComments(text));
  if (environment && scripts.test(file) && !isTest(file) && !readsEnvironment.test(file)) {
    problems.push(`${file}: only a main file reads process.env; take settings by parameter`);
  }
  return problems;
}

/** Drops comments, roughly: good enough for a word that is in no string of ours. */
function withoutComments(text: string): string {
  return text.replaceAll(/\/\*[\s\S]*?\*\//g, '').replaceAll(/^\s*\/\/.*$|\s\/\/ .*$/gm, '');
}
