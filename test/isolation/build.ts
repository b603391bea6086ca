/** Compiles the hostile program with gcc: the image, the hooks that load it, a whole static program and an addon. */
import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
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
  // Landing pads would be the first instruction of the hooks, which have little room.
  ...(process.arch === 'x64' ? ['-fcf-protection=none'] : ['-mbranch-protection=none']),
];
const linked = ['-static', '-nostdlib', '-no-pie', '-Wl,--build-id=none', '-Wl,--no-warn-rwx-segments'];

async function gcc(...args: readonly string[]): Promise<void> {
  await run('gcc', args, { cwd: sources });
}

/** The bytes of one section of an object file. */
async function sectionOf(object: string, section: string): Promise<Buffer> {
  await run('objcopy', ['-O', 'binary', '-j', section, object, `${object}${section}`]);
  return readFile(`${object}${section}`);
}

/**
 * Writes what the hostile function carries into its folder: `image.bin` (two lengths, the two hooks, the flat image),
 * `program` (a static program that exits with 42), `addon.node` (a shared library), and on x64 `i386`, which is for the host.
 *
 * @param scratch an empty folder for object files.
 */
export async function buildHostileProgram(folder: string, scratch: string): Promise<void> {
  const image = join(scratch, 'image');
  const hooks = join(scratch, 'hooks');
  const files = parts.map((part) => `${part}.c`);
  await gcc(...freestanding, ...linked, '-T', 'image.ld', '-o', image, ...files);
  await gcc(...freestanding, '-Os', '-c', '-o', hooks, 'hooks.c');
  await gcc(...freestanding, ...linked, '-o', join(folder, 'program'), 'program.c');
  if (process.arch === 'x64') await gcc(...freestanding, ...linked, '-o', join(folder, 'i386'), 'i386.c');
  await gcc('-shared', '-fPIC', '-nostdlib', '-o', join(folder, 'addon.node'), 'program.c');
  const [map, jump, flat] = [
    await sectionOf(hooks, '.map'),
    await sectionOf(hooks, '.jump'),
    await sectionOf(image, '.image'),
  ];
  const lengths = Buffer.alloc(8);
  lengths.writeUInt32LE(map.byteLength, 0);
  lengths.writeUInt32LE(jump.byteLength, 4);
  await writeFile(join(folder, 'image.bin'), Buffer.concat([lengths, map, jump, flat]));
}
