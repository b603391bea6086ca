/** Larger ones are not kept, bytes. */
const KEPT_BYTES_MAX = 512 * 1024;
const KEPT_MAX = 8;

const spare: Buffer[] = [];

/** Memory for bytes that are soon done with: what was given back, or new. Its bytes are whatever they were. */
export function takeMemory(bytes: number): Buffer {
  const at = spare.findIndex(({ byteLength }) => byteLength >= bytes);
  const [found] = at < 0 ? [] : spare.splice(at, 1);
  return found ?? Buffer.allocUnsafeSlow(bytes);
}

/** Gives back what nobody looks at any more. */
export function giveMemory(memory: Buffer): void {
  if (spare.length < KEPT_MAX && memory.byteLength <= KEPT_BYTES_MAX) spare.push(memory);
}
