/** The command line that runs test files. */
import { join, resolve } from 'node:path';

const reporters = resolve(import.meta.dirname, '../reporters');
/** A test file that hangs must end as a failure. The slowest on the host, the soak, takes about a minute. */
const HOST_TIMEOUT_MS = 10 * 60_000;

/**
 * @param files relative to the repository's top folder, which must be the working folder
 * @param totalsFile where the counts are written
 * @param concurrency how many files run at the same time
 * @param timeoutMs how long a file may take
 */
export function nodeTest(
  files: readonly string[],
  totalsFile: string,
  concurrency: number,
  timeoutMs: number = HOST_TIMEOUT_MS,
): string[] {
  return [
    process.execPath,
    '--conditions=@hob/source',
    '--test',
    `--test-concurrency=${concurrency}`,
    `--test-timeout=${timeoutMs}`,
    `--test-reporter=${join(reporters, 'outcome.ts')}`,
    '--test-reporter-destination=stdout',
    `--test-reporter=${join(reporters, 'totals.ts')}`,
    `--test-reporter-destination=${totalsFile}`,
    ...files,
  ];
}
