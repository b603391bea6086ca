/** Finding the dynamic libraries that programs need, as the host's own loader finds them. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';

const execFileAsync = promisify(execFile);

/**
 * The libraries of programs, the loader among them, by the absolute paths at which they are looked for.
 *
 * @param programs absolute paths; statically linked ones need nothing
 * @throws Error when ldd cannot find a library
 */
export async function librariesOf(programs: readonly string[]): Promise<string[]> {
  if (programs.length === 0) return [];
  const absent = programs.find((program) => !existsSync(program));
  if (absent !== undefined) throw new Error(`${absent} is not there`);
  const env = { PATH: '/usr/bin:/bin', LC_ALL: 'C' };
  const output = await execFileAsync('ldd', programs, { env, maxBuffer: 16 * 1024 * 1024 }).then(
    (ended) => ended.stdout,
    // One statically linked program among many makes ldd fail after it has told about all.
    (error: Error & { stdout?: string; stderr?: string }) => {
      if (`${error.stdout ?? ''}${error.stderr ?? ''}`.includes('not a dynamic executable')) return error.stdout ?? '';
      throw error;
    },
  );
  return parseLdd(output);
}

/**
 * Paths in the output of ldd, sorted, each once.
 *
 * @throws Error naming a library that was not found
 */
export function parseLdd(output: string): string[] {
  const paths = new Set<string>();
  for (const line of output.split('\n')) {
    const missing = /^\s+(\S+) => not found/.exec(line);
    if (missing) throw new Error(`the library ${missing[1]} is not there`);
    const path = /^\s+(?:\S+ => )?(\/\S+) \(0x[0-9a-f]+\)$/.exec(line)?.[1];
    if (path !== undefined) paths.add(path);
  }
  return [...paths].toSorted();
}

/** Libraries by name, from the folder that holds the libc among `resolved`; those that are not there are left out. */
export function librariesBesideLibc(names: readonly string[], resolved: readonly string[]): string[] {
  const libc = resolved.find((path) => basename(path).startsWith('libc.so.'));
  if (libc === undefined) return [];
  return names.map((name) => join(dirname(libc), name)).filter((path) => existsSync(path));
}

/** Where a library of the host stands in a tree of the merged-/usr layout. */
export function libraryTarget(path: string): string {
  return /^\/lib(?:64)?\//.test(path) ? `/usr${path}` : path;
}
