/** What may stand at the top: five folders, the CI's, and the files that tools look for there. */
import type { Rule } from './repository.ts';

const folders = new Set(['.ci', 'functions', 'infra', 'native', 'services', 'test']);
const files = new Set([
  '.editorconfig',
  '.gitignore',
  '.npmrc',
  '.oxfmtrc.json',
  '.oxlintrc.json',
  'CHANGELOG.md',
  'CONTRIBUTING.md',
  'LICENSE',
  'README.md',
  'SECURITY.md',
  'knip.json',
  'package-lock.json',
  'package.json',
  'tsconfig.base.json',
  'tsconfig.json',
  'turbo.json',
]);

export const topLevel: Rule = (repository) => {
  const problems = new Set<string>();
  for (const file of repository.files) {
    const [first = '', ...rest] = file.split('/');
    if (rest.length > 0 && !folders.has(first)) problems.add(`${first}/ is no folder of the layout`);
    if (rest.length === 0 && !files.has(first)) problems.add(`${first} does not belong at the top`);
  }
  return [...problems];
};
