/**
 * What containers may say, and when. A container is not trusted: every frame is checked here before anything else sees
 * it, and one that breaks a rule throws, after which its owner ends the container.
 */
import {
  decodeCredit,
  decodeJson,
  type ExitPayload,
  fail,
  type FailurePayload,
  type Frame,
  FrameType,
  frameTypeName,
  type HeadPayload,
  type LoadedPayload,
  LOG_LINE_BYTES_MAX,
  type LogPayload,
} from '@hob/contracts';
import type { ContainerState } from './container-state.ts';
import { cutText } from './log-limit.ts';

/** The largest HEAD payload, bytes. */
const HEAD_BYTES_MAX = 64 * 1024;
/** The most headers in a response. */
const HEADERS_MAX = 500;
/** A line's JSON is at most six times its bytes, and a line from a container may be a little over the limit. */
const LOG_BYTES_MAX = 8 * LOG_LINE_BYTES_MAX;
const FAILURE_NAME_BYTES_MAX = 256;
const FAILURE_MESSAGE_BYTES_MAX = 4096;

const ofContainer = new Set<FrameType>([FrameType.CACHE, FrameType.LOADED, FrameType.LOAD_FAILED, FrameType.EXIT]);
const ofStream = new Set<FrameType>([
  FrameType.HEAD,
  FrameType.BODY,
  FrameType.CREDIT,
  FrameType.DONE,
  FrameType.ERROR,
]);

/** HEAD, BODY, DONE and ERROR of an idle one belong to no call it could know. */
const ofIdle = new Set<FrameType>([FrameType.LOG, FrameType.EXIT, FrameType.CREDIT]);

/** What a container may send in each state; what a frozen one sent before is still on its way. */
const allowed: Readonly<Record<ContainerState, ReadonlySet<FrameType>>> = {
  creating: new Set(),
  parked: new Set([FrameType.LOG, FrameType.EXIT]),
  compiling: new Set([FrameType.LOG, FrameType.EXIT, FrameType.CACHE, FrameType.LOAD_FAILED]),
  loading: new Set([FrameType.LOG, FrameType.EXIT, FrameType.LOADED, FrameType.LOAD_FAILED]),
  idle: ofIdle,
  frozen: ofIdle,
  busy: new Set([FrameType.LOG, FrameType.EXIT, ...ofStream]),
  dead: new Set(),
};

/** @throws ERR_FN_PROTOCOL when a container in this state may not send this type of frame, or not on this stream. */
export function checkFrame(frame: Frame, state: ContainerState): void {
  if (!allowed[state].has(frame.type)) throw violation(`${frameTypeName(frame.type)} while ${state}`);
  if (ofContainer.has(frame.type) && frame.stream !== 0) {
    throw violation(`${frameTypeName(frame.type)} on stream ${frame.stream}`);
  }
}

/** The error of a container that broke a rule. */
export function violation(why: string): ReturnType<typeof fail> {
  return fail('ERR_FN_PROTOCOL', [why]);
}

/** @throws ERR_FN_PROTOCOL, ERR_FRAME_BAD_PAYLOAD */
export function readHead(frame: Frame): HeadPayload {
  if (frame.payload.byteLength > HEAD_BYTES_MAX) throw violation(`HEAD of more than ${HEAD_BYTES_MAX} bytes`);
  const { status, headers } = decodeJson(frame);
  if (typeof status !== 'number' || !Number.isInteger(status) || status < 200 || status > 599) {
    throw violation('HEAD without a status from 200 to 599');
  }
  if (!Array.isArray(headers) || headers.length % 2 !== 0 || headers.length > 2 * HEADERS_MAX) {
    throw violation(`HEAD whose headers are no list of at most ${HEADERS_MAX} pairs`);
  }
  for (const text of headers) if (typeof text !== 'string') throw violation('HEAD with a header that is no text');
  return { status, headers };
}

/** @throws ERR_FN_PROTOCOL, ERR_FRAME_BAD_PAYLOAD */
export function readLog(frame: Frame): LogPayload {
  if (frame.payload.byteLength > LOG_BYTES_MAX) throw violation(`LOG of more than ${LOG_BYTES_MAX} bytes`);
  const { channel, line } = decodeJson(frame);
  if (channel !== 'stdout' && channel !== 'stderr') throw violation('LOG without a channel');
  if (typeof line !== 'string') throw violation('LOG without a line');
  return { channel, line: cutText(line) };
}

/** ERROR and LOAD_FAILED. Long texts are cut. @throws ERR_FN_PROTOCOL, ERR_FRAME_BAD_PAYLOAD */
export function readFailure(frame: Frame): FailurePayload {
  const payload = decodeJson(frame);
  const { kind } = payload;
  if (kind !== 'threw' && kind !== 'bad-response' && kind !== 'bad-event') {
    throw violation(`${frameTypeName(frame.type)} without a kind`);
  }
  return { kind, ...readError(payload, frame) };
}

/** @throws ERR_FN_PROTOCOL, ERR_FRAME_BAD_PAYLOAD */
export function readExit(frame: Frame): ExitPayload {
  const { reason, exitCode, error } = decodeJson(frame);
  if (reason !== 'exit' && reason !== 'uncaught-exception' && reason !== 'unhandled-rejection') {
    throw violation('EXIT without a reason');
  }
  if (typeof exitCode !== 'number' || !Number.isInteger(exitCode)) throw violation('EXIT without an exit code');
  if (typeof error !== 'object' || error === null) return { reason, exitCode };
  return { reason, exitCode, error: readError(error as Record<string, unknown>, frame) };
}

/** @throws ERR_FN_PROTOCOL, ERR_FRAME_BAD_PAYLOAD */
export function readLoaded(frame: Frame): LoadedPayload {
  const { cacheRejected } = decodeJson(frame);
  if (typeof cacheRejected !== 'boolean') throw violation('LOADED without cacheRejected');
  return { cacheRejected };
}

/** @throws ERR_FN_PROTOCOL for none, ERR_FRAME_BAD_PAYLOAD */
export function readCredit(frame: Frame): number {
  const bytes = decodeCredit(frame);
  if (bytes === 0) throw violation('CREDIT of nothing');
  return bytes;
}

function readError(payload: Record<string, unknown>, frame: Frame): { name: string; message: string; stack: string } {
  const { name, message, stack } = payload;
  if (typeof name !== 'string' || typeof message !== 'string' || typeof stack !== 'string') {
    throw violation(`${frameTypeName(frame.type)} without name, message and stack`);
  }
  return {
    name: cutText(name, FAILURE_NAME_BYTES_MAX),
    message: cutText(message, FAILURE_MESSAGE_BYTES_MAX),
    stack: cutText(stack === '' ? `${name}: ${message}` : stack),
  };
}
