// Finds the socket that its runtime speaks to the platform by, and writes to it what the caller asks for.
import { readdirSync, readlinkSync, writeSync } from 'node:fs';

interface Order {
  /** Base64 of what is written, in pieces; `$` at the place of a frame's stream is left to `streamAt`. */
  readonly pieces: readonly string[];
  /** Offsets in the pieces, put together, where the number of the own stream belongs. */
  readonly streamAt: readonly number[];
  /** How often all of it is written. */
  readonly times: number;
  /** Whether the call is answered afterwards. */
  readonly answers: boolean;
}

let calls = 0;

function findSocket(): number {
  for (const name of readdirSync('/proc/self/fd')) {
    try {
      if (readlinkSync(`/proc/self/fd/${name}`).startsWith('socket:')) return Number(name);
    } catch {
      // The one that read the list.
    }
  }
  throw new Error('there is no socket');
}

/** Past the runtime, as machine code would. */
function writeAll(fd: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.byteLength;) {
    try {
      at += writeSync(fd, bytes, at);
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EAGAIN')) throw error;
    }
  }
}

export default async function serve(request: Request): Promise<Response> {
  calls += 1;
  const { pathname } = new URL(request.url);
  // Takes its body never, and says nothing.
  if (pathname === '/deaf') for (;;) calls += 0;
  if (pathname !== '/write') return Response.json({ calls, pidNamespace: readlinkSync('/proc/self/ns/pid') });
  const { pieces, streamAt, times, answers } = (await request.json()) as Order;
  const bytes = Buffer.concat(pieces.map((piece) => Buffer.from(piece, 'base64')));
  // The platform counts the calls of a container as this function does.
  for (const at of streamAt) bytes.writeUInt32LE(calls, at);
  const socket = findSocket();
  for (let time = 0; time < times; time += 1) writeAll(socket, bytes);
  return answers ? new Response('answered') : new Promise<never>(() => undefined);
}
