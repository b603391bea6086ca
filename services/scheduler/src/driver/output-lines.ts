import type { Readable } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';
import { LOG_LINE_BYTES_MAX } from '@hob/contracts';

/**
 * Cuts a pipe into lines. A line longer than LOG_LINE_BYTES_MAX is given in pieces, so memory stays bounded whatever is
 * written; bytes that are not UTF-8 become U+FFFD.
 *
 * @param onLine called with each line, without its end; must not throw.
 */
export function readLines(stream: Readable, onLine: (line: string) => void): void {
  const decoder = new StringDecoder('utf8');
  let partial = '';
  const take = (text: string): void => {
    const lines = (partial + text).split('\n');
    partial = lines.pop() ?? '';
    for (const line of lines) onLine(line);
    while (partial.length >= LOG_LINE_BYTES_MAX) {
      onLine(partial.slice(0, LOG_LINE_BYTES_MAX));
      partial = partial.slice(LOG_LINE_BYTES_MAX);
    }
  };
  stream.on('data', (chunk: Buffer) => take(decoder.write(chunk)));
  stream.on('end', () => {
    take(decoder.end());
    if (partial !== '') onLine(partial);
    partial = '';
  });
  stream.on('error', () => stream.destroy());
}
