/** The first file system of a guest: an archive as cpio makes it (format `newc`), which the kernel unpacks. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';

const S_IFREG = 0o10_0000;
const S_IFDIR = 0o4_0000;

interface Entry {
  readonly name: string;
  readonly mode: number;
  readonly data: Buffer;
}

/**
 * Packs what a guest starts with.
 *
 * @param kernelFolder with busybox and modules, as the set-up leaves it
 * @param init text of the script that is the first process
 */
export function initramfs(kernelFolder: string, init: string): Buffer {
  const folder = join(kernelFolder, 'modules');
  const modules = readdirSync(folder).toSorted();
  const entries: Entry[] = [
    ...['bin', 'modules'].map((name) => ({ name, mode: S_IFDIR | 0o755, data: Buffer.alloc(0) })),
    { name: 'bin/busybox', mode: S_IFREG | 0o755, data: readFileSync(join(kernelFolder, 'busybox')) },
    { name: 'init', mode: S_IFREG | 0o755, data: Buffer.from(init) },
    ...modules.map((name) => ({
      name: `modules/${name}`,
      mode: S_IFREG | 0o644,
      data: readFileSync(join(folder, name)),
    })),
  ];
  return gzipSync(archive(entries), { level: 1 });
}

/** An archive in the format `newc`: for each file a header of hexadecimal numbers, its name and its data. */
function archive(entries: readonly Entry[]): Buffer {
  const end: Entry = { name: 'TRAILER!!!', mode: 0, data: Buffer.alloc(0) };
  return Buffer.concat([...entries, end].flatMap((entry, index) => [header(entry, index + 1), padded(entry.data)]));
}

function header({ name, mode, data }: Entry, inode: number): Buffer {
  const [uid, gid, links, timeSeconds, device] = [0, 0, 1, 0, 0];
  const nameBytes = Buffer.byteLength(name) + 1;
  const check = 0;
  const numbers = [inode, mode, uid, gid, links, timeSeconds, data.byteLength];
  const fields = [...numbers, device, device, device, device, nameBytes, check];
  return padded(Buffer.from(`070701${fields.map((field) => field.toString(16).padStart(8, '0')).join('')}${name}\0`));
}

/** Names and data start at multiples of four bytes. */
function padded(bytes: Buffer): Buffer {
  return Buffer.concat([bytes, Buffer.alloc(-bytes.byteLength & 3)]);
}
