import type { ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { LogLine } from '@hob/contracts';

/** Media type of one JSON document a line. */
export const NDJSON_TYPE = 'application/x-ndjson';

/** One line of the answer. */
export function ndjson(line: LogLine): string {
  return `${JSON.stringify(line)}\n`;
}

async function* encode(lines: AsyncIterable<LogLine>): AsyncGenerator<string> {
  for await (const line of lines) yield ndjson(line);
}

/**
 * Writes lines to a response until there are no more or the client has gone; the head leaves at once, so that a client
 * knows that it is connected before the first line.
 *
 * @param open gets a signal that is aborted when the client has gone.
 * @param stopping ends the answer, as if there were no more lines.
 */
export async function streamLogs(
  response: ServerResponse,
  stopping: AbortSignal,
  open: (signal: AbortSignal) => AsyncIterable<LogLine>,
): Promise<void> {
  const gone = new AbortController();
  response.once('close', () => gone.abort());
  const lines = open(AbortSignal.any([gone.signal, stopping]));
  response.writeHead(200, ['content-type', NDJSON_TYPE, 'cache-control', 'no-store', 'x-accel-buffering', 'no']);
  response.flushHeaders();
  await pipeline(Readable.from(encode(lines)), response);
}
