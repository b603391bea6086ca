// @ts-check
/**
 * A kernel without its packing. As it is installed it unpacks itself, for which an emulated processor takes six seconds at
 * each start; QEMU starts the program inside as well.
 *
 * Source: Documentation/arch/x86/boot.rst of the kernel (`setup_sects`, `payload_offset`, `payload_length`).
 */
import { copyFileSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { run } from './command.mjs';

const SETUP_SECTORS = 0x1f1;
const MAGIC = 0x202;
const PROTOCOL = 0x206;
const PAYLOAD_OFFSET = 0x248;
const PAYLOAD_LENGTH = 0x24c;
/** From this version of the boot protocol on, the header says where the payload is. */
const PROTOCOL_MIN = 0x0208;
const SECTOR_BYTES = 512;
const XZ = Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]);

/**
 * What a kernel for x86 has packed inside, still packed.
 *
 * @param {Buffer} image a bzImage
 * @returns {Buffer | undefined} undefined for another kind of file, or another packing than xz
 */
function packedKernel(image) {
  if (image.length < PAYLOAD_LENGTH + 4 || image.toString('latin1', MAGIC, MAGIC + 4) !== 'HdrS') return undefined;
  if (image.readUInt16LE(PROTOCOL) < PROTOCOL_MIN) return undefined;
  const start = (image.readUInt8(SETUP_SECTORS) + 1) * SECTOR_BYTES + image.readUInt32LE(PAYLOAD_OFFSET);
  const packed = image.subarray(start, start + image.readUInt32LE(PAYLOAD_LENGTH));
  return packed.subarray(0, XZ.length).equals(XZ) ? packed : undefined;
}

/**
 * Writes the program that is packed in a kernel; the kernel as it is, which QEMU starts too, where that is not known.
 *
 * @param {string} from a kernel as it is installed
 * @param {string} to the file to be written
 * @throws {import('./command.mjs').SetupError} when xz cannot unpack it
 */
export async function unpackKernel(from, to) {
  const packed = packedKernel(readFileSync(from));
  if (packed === undefined) return copyFileSync(from, to);
  const file = `${to}.xz`;
  writeFileSync(file, packed);
  try {
    // Behind the packed program comes its length, which is not part of the stream.
    await run(['xz', '--decompress', '--single-stream', file], { remedy: 'df -h .' });
  } finally {
    rmSync(file, { force: true });
  }
}
