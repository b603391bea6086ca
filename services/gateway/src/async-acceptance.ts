import type { IncomingMessage, ServerResponse } from 'node:http';
import {
  type AsyncInvocations,
  asyncPolicy,
  type InvocationRequest,
  type KeptResponse,
  LIVE_ALIAS,
} from '@hob/contracts';
import { collectBody } from './collect-body.ts';
import type { GatewayLimits } from './gateway-limits.ts';

/** A call that may be queued. */
export interface AsyncCall {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** As it would be made now. */
  readonly invocation: InvocationRequest;
  /** What the caller named: the number of a version, the name of an alias, or nothing. */
  readonly qualifier: number | string | undefined;
}

/** What accepting needs of the gateway. */
export interface AcceptanceContext {
  readonly queue: AsyncInvocations;
  readonly limits: GatewayLimits;
  readonly draining: () => boolean;
}

/**
 * Queues a call and answers with its id, once the queue has it.
 *
 * @throws ERR_HTTP_BODY_TOO_LARGE, ERR_QUEUE_UNAVAILABLE, ERR_QUEUE_FULL, …; nothing was answered then.
 */
export async function acceptAsync(call: AsyncCall, { queue, limits, draining }: AcceptanceContext): Promise<void> {
  const { request, response, invocation } = call;
  const body = invocation.hasBody ? await collectBody(request, queue.bodyBytesMax, limits) : undefined;
  const answer = await submitAsync(call, body, queue);
  const length = ['content-length', String(answer.body.byteLength)];
  response.writeHead(answer.status, [...answer.headers, ...length, ...(draining() ? ['connection', 'close'] : [])]);
  response.end(answer.body);
}

/** Queues a call whose body is there. @returns what is to be answered. @throws ERR_QUEUE_UNAVAILABLE, ERR_QUEUE_FULL */
export async function submitAsync(
  { invocation, qualifier }: AsyncCall,
  body: Buffer | undefined,
  queue: AsyncInvocations,
): Promise<KeptResponse> {
  const { id, method, url, headers } = invocation;
  const { name, config, version } = invocation.version;
  // Which version is live is decided when it runs, what any other alias is has been decided now.
  const named = qualifier === undefined || qualifier === LIVE_ALIAS ? undefined : version;
  await queue.submit({ id, function: name, version: named, policy: asyncPolicy(config), method, url, headers, body });
  return {
    status: 202,
    headers: ['content-type', 'application/json', 'hob-invocation-id', id, 'location', `/v1/invocations/${id}`],
    body: Buffer.from(JSON.stringify({ id })),
  };
}
