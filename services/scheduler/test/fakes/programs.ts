import {
  decodeInvoke,
  encodeFrame,
  encodeJson,
  FLAG_END,
  type Frame,
  FrameType,
  type FailurePayload,
} from '@hob/contracts';
import type { FakeContainer, Program } from './fake-container.ts';

/** LOADED, once the code is there. Returns whether the frame was part of loading. */
export function load(frame: Frame, container: FakeContainer, cacheRejected = false): boolean {
  if (frame.type === FrameType.CODE && (frame.flags & FLAG_END) !== 0) {
    container.emit(encodeJson(FrameType.LOADED, 0, { cacheRejected }));
  }
  return frame.type === FrameType.CLAIM || frame.type === FrameType.CODE || frame.type === FrameType.CACHE;
}

/** A whole response in one piece, as the real shim sends a small one. */
export function respond(container: FakeContainer, stream: number, body = 'hello', status = 200): void {
  container.emit(
    Buffer.concat([
      encodeJson(FrameType.HEAD, stream, { status, headers: ['content-type', 'text/plain'] }),
      encodeFrame(FrameType.BODY, stream, body, FLAG_END),
      encodeFrame(FrameType.DONE, stream),
    ]),
  );
}

export const thrown: FailurePayload = {
  kind: 'threw',
  name: 'TypeError',
  message: 'no such thing',
  stack: 'TypeError: no such thing\n    at handler (file:///var/task/index.mjs:2:9)',
};

/** Answers each call at once with `hello`. */
export const hello: Program = (frame, container) => {
  if (load(frame, container)) return;
  if (frame.type === FrameType.INVOKE) respond(container, frame.stream);
};

/**
 * Does what the URL's path says: `/hello` answers, `/never` does not, `/polite` only ends when it is cancelled, `/throw`
 * fails, `/exit`, `/oom` and `/segv` end the process, `/late` answers and throws later on `/poke`.
 */
export const obedient: Program = (frame, container) => {
  if (load(frame, container)) return;
  const { stream } = frame;
  if (frame.type === FrameType.CANCEL) {
    const path = pathOf(container, stream);
    if (path === '/polite') container.emit(encodeFrame(FrameType.DONE, stream));
  }
  if (frame.type !== FrameType.INVOKE) return;
  switch (pathOf(container, stream)) {
    case '/never':
    case '/polite':
      return;
    case '/throw':
      container.emit(encodeJson(FrameType.ERROR, stream, thrown));
      return;
    case '/exit':
      container.emit(encodeJson(FrameType.EXIT, 0, { reason: 'exit', exitCode: 3 }));
      container.exit({ code: 3 });
      return;
    case '/oom':
      container.exit({ signal: 'SIGKILL', oomKilled: true });
      return;
    case '/segv':
      container.exit({ signal: 'SIGSEGV' });
      return;
    default:
      respond(container, stream);
  }
};

/** The path of the call on a stream. */
export function pathOf(container: FakeContainer, stream: number): string {
  const invoke = container.frames.find((frame) => frame.type === FrameType.INVOKE && frame.stream === stream);
  if (invoke === undefined) return '';
  return new URL(decodeInvoke(invoke.payload).url).pathname;
}
