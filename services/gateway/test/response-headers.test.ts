import assert from 'node:assert/strict';
import { validateHeaderName, validateHeaderValue } from 'node:http';
import { test } from 'node:test';
import { isHobError } from '@hob/contracts';
import * as fc from 'fast-check';
import { cleanResponseHeaders } from '../src/response-headers.ts';

const clean = (...raw: string[]) => cleanResponseHeaders(raw, 32_768);

test('cleanResponseHeaders() keeps duplicates and their order', () => {
  const headers = ['set-cookie', 'a=1', 'x', '', 'set-cookie', 'b=2'];
  assert.deepEqual(clean(...headers), { headers, contentLength: -1 });
});

test('cleanResponseHeaders() drops hop-by-hop headers, hob’s own, what is no HTTP and what would take over other pages', () => {
  const dropped = [
    ...['Connection', 'close', 'transfer-encoding', 'chunked', 'Keep-Alive', 'x', 'upgrade', 'h2c', 'trailer', 'x'],
    ...['te', 'trailers', 'proxy-connection', 'x', 'Hob-Version', '99', 'hob-start', 'warm', 'hob-new', 'x'],
    ...['Service-Worker-Allowed', '/'],
    ...['a b', 'x', '', 'x', 'a:b', 'x', 'a\r\nb', 'x', 'ä', 'x'],
    ...['x', 'a\r\nset-cookie: b', 'x', 'a\nb', 'x', '\0', 'x', '\u007f', 'x', 'ł'],
  ];
  assert.deepEqual(clean(...dropped, 'kept', 'a\tb\u00e9'), { headers: ['kept', 'a\tb\u00e9'], contentLength: -1 });
});

test('cleanResponseHeaders() accepts one content-length and refuses contradictions', () => {
  assert.deepEqual(clean('content-length', '5', 'Content-Length', '05'), { headers: [], contentLength: 5 });
  for (const bad of [['5', '6'], ['-1'], ['1, 1'], ['0x5'], [''], ['9'.repeat(16)], ['+5']]) {
    const result = clean(...bad.flatMap((value) => ['content-length', value]));
    assert.ok(isHobError(result) && result.code === 'ERR_FN_BAD_RESPONSE', bad.join());
  }
});

test('cleanResponseHeaders() refuses headers that are too large together', () => {
  const result = cleanResponseHeaders(['a', 'x'.repeat(600), 'b', 'x'.repeat(600)], 1024);
  assert.ok(isHobError(result) && result.code === 'ERR_FN_BAD_RESPONSE');
});

test('cleanResponseHeaders() gives only what Node accepts, whatever a container sends', () => {
  const text = fc.oneof(fc.string({ unit: 'binary' }), fc.string({ unit: 'grapheme-ascii' }));
  fc.assert(
    fc.property(fc.array(text), (raw) => {
      const result = cleanResponseHeaders(raw, 1_000_000);
      if (isHobError(result)) return;
      for (let at = 0; at < result.headers.length; at += 2) {
        validateHeaderName(result.headers[at] as string);
        validateHeaderValue(result.headers[at] as string, result.headers[at + 1] as string);
      }
    }),
    { numRuns: 1000 },
  );
});
