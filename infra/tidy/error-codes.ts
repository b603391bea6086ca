/** Every code of the error catalogue is used, and every code that is used or written about is in the catalogue. */
import { isTest, lineAt, type Repository, type Rule } from './repository.ts';

const CATALOGUE = 'services/contracts/src/catalogue/';

/** Codes of Node's that our code compares with or our texts speak of. */
const nodeCodes =
  /^ERR_(?:HTTP_HEADERS_SENT|IPC_|INVALID_|MODULE_NOT_FOUND|STREAM_|UNHANDLED_|USE_AFTER_CLOSE|VM_|WORKER_|ASSERTION|UNKNOWN_BUILTIN_MODULE|PARSE_ARGS_|PACKAGE_PATH_NOT_EXPORTED)/;

export const errorCodes: Rule = (repository) => {
  const texts = repository.matching(/^services\/contracts\/src\/catalogue\//).map((file) => repository.text(file));
  const rows = texts.flatMap((text) => [...text.matchAll(/^ {2}(ERR_[A-Z0-9_]+): \{/gm)]);
  const catalogue = new Set(rows.map((match) => match[1] ?? ''));
  if (catalogue.size === 0) return [`${CATALOGUE} has no codes that this rule can read`];
  const used = usesOf(repository);
  const problems: string[] = [];
  for (const code of catalogue) {
    if (!used.some((use) => use.code === code && use.inSource)) problems.push(`${CATALOGUE}: ${code} is used nowhere`);
  }
  for (const { code, place } of used) {
    if (!catalogue.has(code) && !nodeCodes.test(code)) problems.push(`${place}: ${code} is not in the catalogue`);
  }
  return problems;
};

interface Use {
  readonly code: string;
  readonly place: string;
  /** In code that runs, and not in a test or a text. */
  readonly inSource: boolean;
}

function usesOf(repository: Repository): Use[] {
  const files = repository
    .matching(/\.(?:ts|mjs|js|md|json|c|h)$/)
    .filter((file) => !file.startsWith(CATALOGUE) && file !== 'package-lock.json' && !file.startsWith('infra/'));
  return files.flatMap((file) => {
    const text = repository.text(file);
    const inSource = /\.(?:ts|mjs|js)$/.test(file) && !isTest(file);
    return [...text.matchAll(/\bERR_[A-Z0-9_]*[A-Z0-9]\b(?!_)/g)].map((match) => ({
      code: match[0],
      place: `${file}:${lineAt(text, match.index)}`,
      // A comment that speaks of a code does not use it.
      inSource: inSource && /['"]$/.test(text.slice(0, match.index)),
    }));
  });
}
