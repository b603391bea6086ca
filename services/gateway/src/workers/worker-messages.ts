/** What the server and its gateway workers say to each other in JSON. Neither believes a frame of the other before it was checked. */
import {
  type CallAccount,
  catalogue,
  decodeCredit,
  decodeJson,
  type ErrorCode,
  fail,
  type Frame,
  frameTypeName,
  type FunctionFailure,
  type FunctionRecord,
  HobError,
  type InvocationRequest,
  type ResponseHead,
  type StartKind,
} from '@hob/contracts';
import { type GatewayLimits, gatewayLimits } from '../gateway-limits.ts';

/** SETUP: what a worker serves with. */
export interface WorkerSetup {
  /** An address, no name. */
  readonly host: string;
  readonly port: number;
  /** Those of one worker: it gets its share of the connections. */
  readonly limits: GatewayLimits;
  /** SHA-256 of the operator's tokens, hex. */
  readonly tokens: readonly string[];
}

/** INVOKE: a call as it was resolved by the worker. */
export type RemoteCallRequest = Omit<InvocationRequest, 'version' | 'hasBody'> & {
  readonly name: string;
  readonly version: number;
};

/** ERROR: how a call failed. */
export interface RemoteFailure {
  readonly error: HobError;
  readonly failure: FunctionFailure | undefined;
  readonly account: CallAccount | undefined;
}

const ID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const METHOD = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}$/;
const HASH = /^[0-9a-f]{64}$/;
const startKinds: readonly StartKind[] = ['warm', 'pool', 'cold'];

/** The error of an end that broke a rule. */
export function violation(frame: Pick<Frame, 'type'>, why: string): HobError {
  return fail('ERR_FRAME_BAD_PAYLOAD', [frameTypeName(frame.type), why]);
}

/** @throws ERR_FRAME_BAD_PAYLOAD */
export function readInvoke(frame: Frame): RemoteCallRequest {
  const { id, name, version, method, url, headers } = decodeJson(frame);
  if (typeof id !== 'string' || !ID.test(id)) throw violation(frame, 'no id');
  if (typeof name !== 'string' || typeof version !== 'number') throw violation(frame, 'no function');
  if (typeof method !== 'string' || !METHOD.test(method)) throw violation(frame, 'no method');
  if (typeof url !== 'string') throw violation(frame, 'no URL');
  if (Array.isArray(headers) && headers.length % 2 !== 0) throw violation(frame, 'half a header');
  return { id, name, version, method, url, headers: texts(headers, frame) };
}

/** @throws ERR_FRAME_BAD_PAYLOAD */
export function readHead(frame: Frame): Omit<ResponseHead, 'bodyless'> {
  const payload = decodeJson(frame);
  const { status, headers } = payload;
  if (typeof status !== 'number' && status !== null) throw violation(frame, 'no status');
  // JSON has no NaN.
  return { status: status ?? Number.NaN, headers: texts(headers, frame), ...readAccount(payload, frame) };
}

/** What `readFailure` reads. */
export function failurePayload({ error, failure, account }: RemoteFailure): object {
  return { code: error.code, message: error.message, failure, account };
}

/** @throws ERR_FRAME_BAD_PAYLOAD */
export function readFailure(frame: Frame): RemoteFailure {
  const { code, message, failure, account } = decodeJson(frame);
  if (typeof code !== 'string' || !Object.hasOwn(catalogue, code)) throw violation(frame, 'no code');
  if (typeof message !== 'string') throw violation(frame, 'no message');
  return {
    error: new HobError(code as ErrorCode, message),
    failure: isObject(failure) ? readThrown(failure, frame) : undefined,
    account: isObject(account) ? readAccount(account, frame) : undefined,
  };
}

/** @throws ERR_FRAME_BAD_PAYLOAD, ERR_CONFIG_INVALID */
export function readSetup(frame: Frame): WorkerSetup {
  const { host, port, limits, tokens } = decodeJson(frame);
  if (typeof host !== 'string' || typeof port !== 'number') throw violation(frame, 'no address');
  if (!isObject(limits)) throw violation(frame, 'no limits');
  if (!Array.isArray(tokens) || !tokens.every((hash) => typeof hash === 'string' && HASH.test(hash))) {
    throw violation(frame, 'no hashes of tokens');
  }
  return { host, port, limits: gatewayLimits(limits), tokens: tokens as string[] };
}

/** @throws ERR_FRAME_BAD_PAYLOAD */
export function readFunction(frame: Frame): FunctionRecord {
  const record = decodeJson(frame);
  const { name, versions, aliases } = record;
  if (typeof name !== 'string') throw violation(frame, 'no function');
  if (!Array.isArray(versions)) throw violation(frame, 'no versions');
  if (!Array.isArray(aliases)) throw violation(frame, 'no aliases');
  return {
    name,
    versions: versions as FunctionRecord['versions'],
    aliases: aliases as FunctionRecord['aliases'],
  };
}

/** @throws ERR_FRAME_BAD_PAYLOAD */
export function readCredit(frame: Frame): number {
  const bytes = decodeCredit(frame);
  if (bytes === 0) throw violation(frame, 'nothing');
  return bytes;
}

/** @throws ERR_FRAME_BAD_PAYLOAD */
export function readReason(frame: Frame): 'disconnected' | 'cancelled' {
  const { reason } = decodeJson(frame);
  if (reason !== 'disconnected' && reason !== 'cancelled') throw violation(frame, 'no reason');
  return reason;
}

function readAccount(payload: Readonly<Record<string, unknown>>, frame: Frame): CallAccount {
  const { start, cause } = payload;
  const kind = startKinds.find((known) => known === start);
  if (kind === undefined) throw violation(frame, 'no start');
  const number = (key: keyof CallAccount): number => {
    const value = payload[key];
    if (typeof value !== 'number') throw violation(frame, `no ${key}`);
    return value;
  };
  return {
    start: kind,
    queueMs: number('queueMs'),
    createMs: number('createMs'),
    thawMs: number('thawMs'),
    loadMs: number('loadMs'),
    runMs: number('runMs'),
    cpuMs: number('cpuMs'),
    memoryPeakBytes: number('memoryPeakBytes'),
    containerAgeMs: number('containerAgeMs'),
    bytesIn: number('bytesIn'),
    bytesOut: number('bytesOut'),
    ...(typeof cause === 'string' && { cause: cause as NonNullable<CallAccount['cause']> }),
  };
}

function readThrown({ name, message, stack }: Readonly<Record<string, unknown>>, frame: Frame): FunctionFailure {
  if (typeof name !== 'string' || typeof message !== 'string' || typeof stack !== 'string') {
    throw violation(frame, 'no failure');
  }
  return { name, message, stack };
}

function texts(value: unknown, frame: Frame): string[] {
  if (!Array.isArray(value)) throw violation(frame, 'no headers');
  for (const text of value) if (typeof text !== 'string') throw violation(frame, 'a header that is no text');
  return value as string[];
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
