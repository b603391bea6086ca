import { createHash } from 'node:crypto';
import {
  asHobError,
  type AsyncInvocations,
  fail,
  type HobError,
  type Invoker,
  isHobError,
  isOnce,
  type KeptResponse,
  type KeyedCall,
  uuidOf,
} from '@hob/contracts';
import { type AsyncCall, submitAsync } from './async-acceptance.ts';
import { collectBody } from './collect-body.ts';
import type { GatewayLimits } from './gateway-limits.ts';
import { problemHeaders, problemOf } from './problem.ts';
import { receiptHeader } from './receipt-header.ts';
import { cleanResponseHeaders } from './response-headers.ts';
import { type FailedCall, wholeAnswer } from './whole-answer.ts';

/** A request with an `idempotency-key`. */
export interface KeyedRequest extends AsyncCall {
  readonly key: string;
  readonly isAsync: boolean;
}

/** What keyed calls need of the gateway. */
export interface KeyedContext {
  readonly invoker: Invoker;
  readonly queue: AsyncInvocations;
  readonly limits: GatewayLimits;
}

const KEY = /^[\x21-\x7e]{1,255}$/;

/**
 * Makes a call once for all requests with its key, and answers each with the same. The call goes on when its client goes away: the
 * client that comes back gets the answer.
 *
 * @throws ERR_IDEMPOTENCY_KEY_REUSED, ERR_IDEMPOTENCY_IN_PROGRESS, ERR_API_BAD_REQUEST, ERR_HTTP_BODY_TOO_LARGE, ERR_QUEUE_UNAVAILABLE, …;
 *   nothing was answered then.
 */
export async function answerKeyed(keyed: KeyedRequest, context: KeyedContext): Promise<void> {
  const { request, response, invocation } = keyed;
  const { queue, limits } = context;
  if (!KEY.test(keyed.key)) {
    throw fail('ERR_API_BAD_REQUEST', ['idempotency-key is 1 to 255 visible ASCII characters without blanks']);
  }
  const body = invocation.hasBody ? await collectBody(request, queue.bodyBytesMax, limits) : undefined;
  const call = keyedCall(keyed, body);
  const claim = await queue.keys.claim(call);
  if (claim.response !== undefined) {
    send(keyed, replayed(claim.response));
    return;
  }
  if (claim.isCut) {
    const { id } = claim;
    const cut = problemAnswer(fail('ERR_FN_INTERRUPTED', []), id);
    send(keyed, replayed(await queue.keys.settle({ ...call, id, isOnce: true }, cut)));
    return;
  }
  // An asynchronous call may be under way, or its hob may have ended: it has the same id each time, and the queue takes that once.
  if (!claim.isFirst && !keyed.isAsync) throw fail('ERR_IDEMPOTENCY_IN_PROGRESS', []);
  const kept = await firstAnswer(keyed, body, { call, context });
  if (!response.destroyed) send(keyed, kept);
}

interface First {
  readonly call: KeyedCall;
  readonly context: KeyedContext;
}

/** The answer is kept before anybody gets it. */
async function firstAnswer(keyed: KeyedRequest, body: Buffer | undefined, first: First): Promise<KeptResponse> {
  const { call, context } = first;
  const { keys } = context.queue;
  const made = keyed.isAsync ? await submitOnce(keyed, body, first) : await callOnce(keyed, body, context);
  let answer: KeptResponse;
  if (!('error' in made)) answer = made;
  else if (made.error.spec.kind !== 'capacity') answer = problemAnswer(made.error, call.id);
  // It was cut by the end of hob, and is not to be made again.
  else if (call.isOnce && made.mayHaveRun) answer = problemAnswer(fail('ERR_FN_INTERRUPTED', []), call.id);
  else {
    await keys.release(call);
    throw made.error;
  }
  const kept = await keys.settle(call, answer);
  return kept === answer ? kept : replayed(kept);
}

/** Should hob end before the answer is kept, the same event comes again, with the same id: the queue takes it once. */
async function submitOnce(
  keyed: KeyedRequest,
  body: Buffer | undefined,
  { call, context }: First,
): Promise<KeptResponse | FailedCall> {
  try {
    return await submitAsync({ ...keyed, invocation: { ...keyed.invocation, id: call.id } }, body, context.queue);
  } catch (thrown) {
    return { error: asHobError(thrown), mayHaveRun: false };
  }
}

async function callOnce(
  { invocation }: KeyedRequest,
  body: Buffer | undefined,
  { invoker, queue, limits }: KeyedContext,
): Promise<KeptResponse | FailedCall> {
  const whole = await wholeAnswer(invoker, invocation, { body, bytesMax: queue.bodyBytesMax });
  if ('error' in whole) return whole;
  const { head, body: answer } = whole;
  const clean = cleanResponseHeaders(head.headers, limits.headerBytesMax);
  if (isHobError(clean)) return { error: clean, mayHaveRun: true };
  if (!Number.isInteger(head.status) || head.status < 200 || head.status > 599) {
    const error = fail('ERR_FN_BAD_RESPONSE', [`${head.status} is no status of a complete response`]);
    return { error, mayHaveRun: true };
  }
  const { id, version } = invocation;
  const own = ['hob-invocation-id', id, 'hob-version', String(version.version), 'hob-start', head.start];
  const receipt = receiptHeader(head, answer.byteLength, 'ok');
  return { status: head.status, headers: [...clean.headers, ...own, 'hob-receipt', receipt], body: answer };
}

function problemAnswer(error: HobError, instance: string): KeptResponse {
  // It is kept for whoever has the key: nothing is in it that is not for strangers.
  const problem = problemOf(error, { instance, stranger: true });
  const headers = [...problemHeaders(problem), 'hob-invocation-id', instance];
  return { status: problem.status, headers, body: Buffer.from(JSON.stringify(problem)) };
}

function replayed(kept: KeptResponse): KeptResponse {
  return { ...kept, headers: [...kept.headers, 'hob-idempotent-replay', 'true'] };
}

function send({ response }: KeyedRequest, { status, headers, body }: KeptResponse): void {
  const isBodyless = status === 204 || status === 304;
  const length = isBodyless ? [] : ['content-length', String(body.byteLength)];
  response.writeHead(status, [...headers, ...length]);
  response.end(isBodyless ? undefined : body);
}

/** The same call names the same alias, whatever version that is by then. */
function keyedCall({ key, invocation, isAsync, qualifier }: KeyedRequest, body: Buffer | undefined): KeyedCall {
  const { id, method, url, headers } = invocation;
  const at = headers.findIndex((name, index) => index % 2 === 0 && name === 'authorization');
  const same = createHash('sha256').update(JSON.stringify([method, url, isAsync, qualifier ?? null]));
  if (body !== undefined) same.update(body);
  const caller = at === -1 ? '' : headers[at + 1];
  const scope = JSON.stringify([invocation.version.name, caller]);
  const fingerprint = same.digest('hex');
  // An event is kept from a second run by the queue.
  if (isAsync) return { scope, key, fingerprint, id: uuidOf(`${scope} ${key} ${fingerprint}`), isOnce: false };
  return { scope, key, fingerprint, id, isOnce: isOnce(invocation.version.config) };
}
