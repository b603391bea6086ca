/** No character of a string, a code unit of UTF-16, takes more bytes in UTF-8. */
const UNIT_BYTES_MAX = 3;
/** Texts that need more get memory of their own, bytes. */
const SHARED_BYTES_MAX = 768 * 1024;
const SHARED_BYTES_MIN = 16 * 1024;

let shared = Buffer.allocUnsafeSlow(SHARED_BYTES_MIN);

/** Text as UTF-8, which the next call overwrites. V8 takes longer to say how long that will be than to make it. */
export function encodeText(text: string): Uint8Array {
  const bytesMax = UNIT_BYTES_MAX * text.length;
  if (bytesMax > SHARED_BYTES_MAX) return Buffer.from(text);
  if (bytesMax > shared.byteLength) shared = Buffer.allocUnsafeSlow(Math.max(bytesMax, 2 * shared.byteLength));
  return shared.subarray(0, shared.write(text));
}
