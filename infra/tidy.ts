/**
 * The rules of the repository that no linter knows. `node infra/tidy.ts` prints every broken one and ends with 1 when
 * there is any.
 */
import { resolve } from 'node:path';
import { errorCodes } from './tidy/error-codes.ts';
import { importDirection } from './tidy/import-direction.ts';
import { lockfile } from './tidy/lockfile.ts';
import { metricNames } from './tidy/metric-names.ts';
import { Repository, type Rule } from './tidy/repository.ts';
import { sourceText } from './tidy/source-text.ts';
import { specification } from './tidy/specification.ts';
import { topLevel } from './tidy/top-level.ts';

/** Every rule, by name. */
export const rules: Readonly<Record<string, Rule>> = {
  'top-level': topLevel,
  'source-text': sourceText,
  'import-direction': importDirection,
  'error-codes': errorCodes,
  'metric-names': metricNames,
  specification,
  lockfile,
};

/** Broken rules, `rule: file:line: what is wrong`; an empty list when all is well. */
export function tidyProblems(repository: Repository): string[] {
  return Object.entries(rules).flatMap(([name, rule]) => rule(repository).map((problem) => `${name}: ${problem}`));
}

if (import.meta.main) {
  const problems = tidyProblems(new Repository(resolve(import.meta.dirname, '..')));
  for (const problem of problems) console.error(problem);
  process.exitCode = problems.length === 0 ? 0 : 1;
}
