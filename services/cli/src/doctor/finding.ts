import { execFile } from 'node:child_process';
import { readFileSync, statfsSync, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';

/** What `hob doctor` says of one thing. */
export interface Finding {
  /** What was looked at, permanent: `kernel`, `namespace-net`, … */
  readonly id: string;
  /** `missing`: hob cannot run without it. `warning`: it can, but less well or only for now. */
  readonly state: 'ok' | 'warning' | 'missing';
  readonly found: string;
  /** What to do about it; only when the state is not `ok`. */
  readonly remedy?: string;
}

/** Where commands are looked for when the environment has no PATH. */
export const systemPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** What the checks see of the machine. Nothing is ever thrown: what cannot be read is undefined. */
export interface Host {
  /** Text of a file. */
  read(path: string): string | undefined;
  exists(path: string): boolean;
  /** Free bytes of the file system that a path is on. */
  freeBytes(path: string): number | undefined;
  /** Absolute path of a command of the PATH. */
  which(command: string): string | undefined;
  /** Runs a command for at most two seconds. @returns what it printed, and whether it ended with 0. */
  run(command: string, args: readonly string[]): Promise<{ readonly done: boolean; readonly output: string }>;
}

const runFile = promisify(execFile);

/** The machine that this runs on. @param path the PATH to look for commands in. */
export function thisHost(path: string): Host {
  const exists = (file: string): boolean => statSync(file, { throwIfNoEntry: false }) !== undefined;
  return {
    read: (file) => attempt(() => readFileSync(file, 'utf8')),
    exists: (file) => attempt(() => exists(file)) ?? false,
    freeBytes: (file) => attempt(() => freeBytes(file)),
    which: (command) =>
      path
        .split(delimiter)
        .map((folder) => join(folder, command))
        .find(exists),
    async run(command, args) {
      try {
        const { stdout, stderr } = await runFile(command, [...args], { timeout: 2000, env: { PATH: path } });
        return { done: true, output: `${stdout}${stderr}`.trim() };
      } catch (error) {
        const stderr = error instanceof Error && 'stderr' in error ? String(error.stderr) : '';
        return { done: false, output: (stderr || String(error)).trim() };
      }
    },
  };
}

function freeBytes(file: string): number {
  const { bavail, bsize } = statfsSync(file);
  return bavail * bsize;
}

function attempt<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}

/** A finding that is well. */
export function ok(id: string, found: string): Finding {
  return { id, state: 'ok', found };
}

/** Something that hob can do without for now. */
export function warning(id: string, found: string, remedy: string): Finding {
  return { id, state: 'warning', found, remedy };
}

/** Something that hob cannot do without. */
export function missing(id: string, found: string, remedy: string): Finding {
  return { id, state: 'missing', found, remedy };
}
