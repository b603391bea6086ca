/** Smaller ones are not worth keeping, bytes. From this size on each has an `ArrayBuffer` of its own. */
export const KEPT_BYTES_MIN = 16 * 1024;
/** Larger ones are too large to keep, bytes. */
const KEPT_BYTES_MAX = 512 * 1024;
const KEPT_MAX = 8;

const spare: Buffer[] = [];

/** Memory for bytes that are soon done with: what was given back, or new. Its bytes are whatever they were. */
export function takeMemory(bytes: number): Buffer {
  if (bytes < KEPT_BYTES_MIN) return Buffer.allocUnsafe(bytes);
  const at = spare.findIndex(({ byteLength }) => byteLength >= bytes);
  const [found] = at < 0 ? [] : spare.splice(at, 1);
  return found ?? Buffer.allocUnsafeSlow(bytes);
}

/** Gives back what nobody looks at any more. */
export function giveMemory(memory: Buffer): void {
  const isKept = memory.byteLength >= KEPT_BYTES_MIN && memory.byteLength <= KEPT_BYTES_MAX;
  if (isKept && spare.length < KEPT_MAX) spare.push(memory);
}
