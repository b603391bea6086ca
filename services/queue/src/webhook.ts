import { createHmac } from 'node:crypto';
import { fail } from '@hob/contracts';

/** How long a receiver may take to answer, ms. */
const ANSWER_MS_MAX = 30_000;
const SECRET = /^whsec_([A-Za-z0-9+/]{32,88}={0,2})$/;

/**
 * Checks a secret: `whsec_` and 24 to 64 bytes in Base64.
 *
 * @returns the key.
 * @throws ERR_CONFIG_INVALID
 */
export function webhookKey(secret: string): Buffer {
  const key = Buffer.from(SECRET.exec(secret)?.[1] ?? '', 'base64');
  if (key.byteLength >= 24 && key.byteLength <= 64) return key;
  const how = 'must be whsec_ and 24 to 64 bytes in Base64; make one by: echo "whsec_$(openssl rand -base64 32)"';
  throw fail('ERR_CONFIG_INVALID', ['HOB_WEBHOOK_SECRET', how]);
}

/** One message. */
export interface WebhookMessage {
  readonly url: string;
  /** The same in every attempt. */
  readonly id: string;
  readonly body: Uint8Array;
}

/** The headers of a message as Standard Webhooks has them: id, time in seconds, and the HMAC-SHA256 of both and the body. */
export function signedHeaders({ id, body }: WebhookMessage, key: Buffer, nowMs: number): Record<string, string> {
  const timestamp = String(Math.floor(nowMs / 1000));
  const signature = createHmac('sha256', key).update(`${id}.${timestamp}.`).update(body).digest('base64');
  return { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': `v1,${signature}` };
}

/**
 * Sends a message once.
 *
 * @throws ERR_WEBHOOK_FAILED unless the receiver answers with a status from 200 to 299.
 */
export async function sendWebhook(
  message: WebhookMessage,
  key: Buffer | undefined,
  signal: AbortSignal,
): Promise<void> {
  const { url, body } = message;
  if (key === undefined) throw fail('ERR_WEBHOOK_FAILED', [url, 'HOB_WEBHOOK_SECRET is not set']);
  let status: number;
  try {
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...signedHeaders(message, key, Date.now()) },
      body,
      redirect: 'manual',
      signal: AbortSignal.any([signal, AbortSignal.timeout(ANSWER_MS_MAX)]),
    });
    await response.body?.cancel();
    status = response.status;
  } catch (cause) {
    if (signal.aborted) throw fail('ERR_CANCELLED', ['the queue']);
    throw fail('ERR_WEBHOOK_FAILED', [url, reasonOf(cause)], { cause });
  }
  if (status < 200 || status > 299) throw fail('ERR_WEBHOOK_FAILED', [url, `it answered with status ${status}`]);
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? error.cause.message : error.message;
}
