/**
 * Compiles, with gcc, the hostile program and what the hostile function carries. As a program: `node build.ts FOLDER` makes all
 * of it in an empty folder, for `HOB_TEST_PROGRAMS`.
 */
import { execFile } from 'node:child_process';
import { cp, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const sources = join(import.meta.dirname, 'native');
const parts = ['attack', 'kernel', 'identity', 'limits', 'files', 'network'];

const freestanding = [
  ...['-std=gnu17', '-O1', '-ffreestanding', '-fno-builtin', '-fno-stack-protector', '-fno-pic', '-fno-pie'],
  // The attempts are made in the order of the source.
  '-fno-toplevel-reorder',
  ...['-Wall', '-Wextra', '-Werror', '-Wshadow', '-Wconversion', '-Wvla'],
  // Landing pads would be the first instruction of the hook, which has little room.
  ...(process.arch === 'x64' ? ['-fcf-protection=none'] : ['-mbranch-protection=none']),
];
const linked = ['-static', '-nostdlib', '-no-pie', '-Wl,--build-id=none'];

async function gcc(...args: readonly string[]): Promise<void> {
  await run('gcc', args, { cwd: sources });
}

/** A folder with all of it: in a guest, where gcc takes long, the host has filled it before. */
const made = process.env['HOB_TEST_PROGRAMS'];
const ATTACK = 'attack';
const CARRIED = 'carried';

async function buildAll(folder: string): Promise<void> {
  const [carried, scratch] = [join(folder, CARRIED), join(folder, 'objects')];
  for (const path of [carried, scratch]) await mkdir(path);
  await buildCarried(carried, scratch);
  await buildAttack(join(folder, ATTACK));
}

/**
 * Writes what the hostile function carries into its folder: `program` (a static program that exits with 42), `addon.node`
 * (a shared library), `hook.bin` (machine code to put in the place of a function), and on x64 `i386`, which is for the host.
 *
 * @param scratch an empty folder for object files.
 */
export async function buildCarried(folder: string, scratch: string): Promise<void> {
  if (made !== undefined) return cp(join(made, CARRIED), folder, { recursive: true });
  const hooks = join(scratch, 'hooks');
  await gcc(...freestanding, '-Os', '-c', '-o', hooks, 'hooks.c');
  await run('objcopy', ['-O', 'binary', '-j', '.map', hooks, join(folder, 'hook.bin')]);
  await gcc(...freestanding, ...linked, '-o', join(folder, 'program'), 'program.c');
  if (process.arch === 'x64') await gcc(...freestanding, ...linked, '-o', join(folder, 'i386'), 'i386.c');
  await gcc('-shared', '-fPIC', '-nostdlib', '-o', join(folder, 'addon.node'), 'program.c');
}

/** Makes the hostile program itself, a static one that makes every native attempt. */
export async function buildAttack(path: string): Promise<void> {
  if (made !== undefined) return cp(join(made, ATTACK), path);
  await gcc(...freestanding, ...linked, '-o', path, ...parts.map((part) => `${part}.c`));
}

if (import.meta.main) await buildAll(process.argv[2] ?? '');
