import type { IncomingMessage } from 'node:http';
import { fail } from '@hob/contracts';
import type { GatewayLimits } from './gateway-limits.ts';

/**
 * Reads the whole body of a request.
 *
 * @param bytesMax the largest body that is accepted.
 * @throws ERR_HTTP_BODY_TOO_LARGE, with the rest unread; ERR_API_BAD_REQUEST when the client went away before the end, and
 *   ERR_HTTP_REQUEST_TIMEOUT when it sent nothing for too long.
 */
export function collectBody(
  request: IncomingMessage,
  bytesMax: number,
  { bodyIdleMs, keepAliveMs }: GatewayLimits,
): Promise<Buffer> {
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  const chunks: Buffer[] = [];
  let bytes = 0;
  request.setTimeout(bodyIdleMs, () => reject(fail('ERR_HTTP_REQUEST_TIMEOUT', [])));
  request.on('data', (chunk: Buffer) => {
    bytes += chunk.byteLength;
    if (bytes > bytesMax) reject(fail('ERR_HTTP_BODY_TOO_LARGE', [bytesMax]));
    else chunks.push(chunk);
  });
  request.once('end', () => resolve(Buffer.concat(chunks)));
  request.once('close', () => reject(fail('ERR_API_BAD_REQUEST', ['the body ended early'])));
  return promise.finally(() => {
    chunks.length = 0;
    request.removeAllListeners('data');
    request.removeAllListeners('timeout');
    request.setTimeout(keepAliveMs);
  });
}
