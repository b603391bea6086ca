import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const runFile = promisify(execFile);

/** Where the programs of the security modules are: they are for root, whose PATH may lack the folders. */
const PATH = '/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin';
/** A policy module of SELinux is linked with all others, which takes a slow machine a minute. */
const LOAD_MS_MAX = 180_000;

/**
 * Runs a program of the host that loads a profile.
 *
 * @returns what went wrong, in words; undefined when it ended with 0.
 */
export async function runLoader(program: string, args: readonly string[]): Promise<string | undefined> {
  try {
    await runFile(program, [...args], { env: { PATH, LC_ALL: 'C' }, timeout: LOAD_MS_MAX });
    return undefined;
  } catch (error) {
    const { code, stderr } = error as NodeJS.ErrnoException & { readonly stderr?: string };
    if (code === 'ENOENT') return `${program} is not installed`;
    return `${program}: ${(stderr ?? '').trim().split('\n').at(-1) || String(code)}`;
  }
}
