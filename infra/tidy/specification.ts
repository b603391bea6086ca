/** Every promise of test/SPECIFICATION.md names a test file that exists, or says honestly that its test is pending. */
import type { Repository, Rule } from './repository.ts';

const SPECIFICATION = 'test/SPECIFICATION.md';
const PENDING = 'test pending';

export const specification: Rule = (repository) => {
  if (!repository.has(SPECIFICATION)) return [`${SPECIFICATION} is missing`];
  const lines = repository.text(SPECIFICATION).split('\n');
  const promises = lines.flatMap((text, index) => (isPromise(lines, index) ? [{ text, line: index + 1 }] : []));
  if (promises.length === 0) return [`${SPECIFICATION} has no promise that this rule can read`];
  return promises.flatMap(({ text, line }) =>
    problemsOf(repository, text).map((problem) => `${SPECIFICATION}:${line}: ${problem}`),
  );
};

/** An item of a list, or a row of a table below its head. */
function isPromise(lines: readonly string[], index: number): boolean {
  const line = lines[index] ?? '';
  if (/^[-*] /.test(line)) return true;
  const isRow = (text: string | undefined): boolean => text?.startsWith('|') ?? false;
  const isRule = (text: string | undefined): boolean => /^\|[\s|:-]+$/.test(text ?? '');
  return isRow(line) && !isRule(line) && !isRule(lines[index + 1]);
}

function problemsOf(repository: Repository, text: string): string[] {
  const files = [...text.matchAll(/[\w./-]+\.test\.ts/g)].map((match) => match[0]);
  if (files.length === 0 && !text.includes(PENDING)) return [`no test file is named, nor "${PENDING}"`];
  return files.filter((file) => !repository.has(file)).map((file) => `${file} does not exist`);
}
