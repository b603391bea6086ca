import type { IncomingMessage, ServerResponse } from 'node:http';
import { type AsyncInvocations, asyncPolicy, type InvocationRequest } from '@hob/contracts';
import { collectBody } from './collect-body.ts';
import type { GatewayLimits } from './gateway-limits.ts';

/** A call that is to be queued. */
export interface AsyncCall {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** As it would be made now. */
  readonly invocation: InvocationRequest;
  /** The version that the caller named. */
  readonly version: number | undefined;
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
  const { id, method, url, headers } = invocation;
  const { name, config } = invocation.version;
  const body = invocation.hasBody ? await collectBody(request, queue.bodyBytesMax, limits) : undefined;
  const policy = asyncPolicy(config);
  await queue.submit({ id, function: name, version: call.version, policy, method, url, headers, body });
  const answer = Buffer.from(JSON.stringify({ id }));
  response.writeHead(202, [
    ...['content-type', 'application/json', 'content-length', String(answer.byteLength)],
    ...['hob-invocation-id', id, 'location', `/v1/invocations/${id}`],
    ...(draining() ? ['connection', 'close'] : []),
  ]);
  response.end(answer);
}
