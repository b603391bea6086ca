import { format } from 'node:util';
import { encodeFrame, encodeJson, FLAG_END, type FrameParts, FrameType } from '@hob/contracts/frames';
import { encodeInvoke } from '@hob/contracts/invoke';
import type { ClaimPayload, InvokePayload } from '@hob/contracts/protocol';
import type { FrameSink } from './frame-sink.ts';
import { warmBuiltins } from './module-loader.ts';
import { Session } from './session.ts';
import { LogStream } from './stdio.ts';

/** Builtin modules that most bundles import. Not `process`: that would open the standard streams. */
const commonBuiltins =
  'assert async_hooks buffer child_process crypto dns events fs fs/promises http https module net os path perf_hooks ' +
  'querystring stream stream/promises stream/web string_decoder timers timers/promises tls tty url util zlib';

/** A function that does what most functions do. */
const stubSource = `
export default {
  async fetch(request, env, ctx) {
    const url = new URL(request.url);
    const type = request.headers.get('content-type') ?? 'text/plain';
    ctx.waitUntil(Promise.resolve());
    if (request.method === 'GET') return Response.json({ path: url.pathname, aborted: ctx.signal.aborted });
    const copy = request.clone();
    const text = new TextEncoder().encode((await request.text()) + (await copy.text()));
    const body = new ReadableStream({ start(stream) { stream.enqueue(text); stream.close(); } });
    return new Response(body, { headers: { 'content-type': type } });
  },
};
`;

const claim: ClaimPayload = {
  function: 'rehearsal',
  version: 0,
  memoryMb: 0,
  filename: '/var/task/rehearsal.mjs',
  env: {},
  codeBytes: stubSource.length,
  cacheBytes: 0,
};

/** Loads the builtin modules that functions use most, so that the fork shares them. */
export async function loadBuiltins(): Promise<void> {
  await warmBuiltins(commonBuiltins.split(' '));
}

/**
 * Claims, loads and calls a stub function through all of the shim but its socket, so that what this compiles and touches
 * is ready when a real one comes. Leaves nothing behind: no timer, no handle, no change of the process.
 */
export async function rehearse(): Promise<void> {
  const seen = new SeenFrames();
  const session = new Session(seen, { claimed: () => undefined, loadFailed: () => seen.fail() });
  session.receive(encodeJson(FrameType.CLAIM, 0, claim));
  session.receive(encodeFrame(FrameType.CODE, 0, stubSource, FLAG_END));
  await seen.next(FrameType.LOADED);
  session.receive(encodeInvoke(1, invoke('GET'), FLAG_END));
  await seen.next(FrameType.DONE);
  const start = encodeInvoke(2, invoke('POST'), 0);
  const body = encodeFrame(FrameType.BODY, 2, '{"a":1}', FLAG_END);
  session.receive(Buffer.concat([start, body]));
  await seen.next(FrameType.DONE);
  new LogStream('stdout', 1, session.log).write(format('%s %o\n', 'rehearsal', claim));
  session.flushLogs();
}

function invoke(method: string): InvokePayload {
  return {
    id: 'rehearsal',
    method,
    url: 'http://localhost/path?query=1',
    headers: ['host', 'localhost', 'content-type', 'application/json', 'accept', '*/*'],
    deadlineMs: Date.now() + 60_000,
    graceMs: 1_000,
  };
}

/** Takes the shim's frames in place of the host. */
class SeenFrames implements FrameSink {
  readonly pendingBytes = 0;
  readonly hasRoom = true;
  #expected: FrameType | undefined;
  #arrived = Promise.withResolvers<void>();

  /** Resolved by the next frame of that type. Rejected when the shim could not do it: a mistake in the shim itself. */
  next(type: FrameType): Promise<void> {
    this.#expected = type;
    this.#arrived = Promise.withResolvers<void>();
    return this.#arrived.promise;
  }

  fail(): void {
    this.#arrived.reject(new Error('the rehearsal failed'));
  }

  whenRoom(then: () => void): void {
    then();
  }

  send({ type }: FrameParts): void {
    if (type === this.#expected) this.#arrived.resolve();
    if (type === FrameType.ERROR) this.fail();
  }
}
