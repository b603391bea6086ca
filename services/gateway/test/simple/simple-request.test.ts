import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import { Duplex } from 'node:stream';
import { after, test } from 'node:test';
import * as fc from 'fast-check';
import { readSimpleRequest } from '../../src/simple/simple-request.ts';

const HEAD_BYTES_MAX = 16 * 1024;
const read = (text: string) => readSimpleRequest(Buffer.from(text, 'latin1'), HEAD_BYTES_MAX);
const get = (headers: string): string => `GET /fn/hello HTTP/1.1\r\n${headers}\r\n`;

test('readSimpleRequest() reads what most clients send', () => {
  assert.deepEqual(
    read('GET /fn/hello/a?b=c%20d HTTP/1.1\r\nHost: a:80\r\nX-A:  b c \t\r\nX-A:\r\nX-L: \xe9\r\n\r\n'),
    {
      method: 'GET',
      url: '/fn/hello/a?b=c%20d',
      rawHeaders: ['host', 'a:80', 'x-a', 'b c', 'x-a', '', 'x-l', '\xe9'],
      body: undefined,
    },
  );
  const post = read('POST /fn/hello HTTP/1.1\r\nhost: a\r\nContent-Length: 7\r\nConnection: Keep-Alive\r\n\r\n{"a":1}');
  assert.equal(post?.body?.toString(), '{"a":1}');
  assert.equal(read('DELETE /fn/hello HTTP/1.1\r\nhost: a\r\n\r\n')?.body, undefined);
});

test('readSimpleRequest() leaves to Node what is not whole, not alone, or asks for more', () => {
  const host = 'host: a\r\n';
  for (const text of [
    '',
    'GET /fn/hello HTTP/1.1\r\nhost: a\r\n',
    get(''),
    get(host + host),
    get('host : a\r\n'),
    get(`${host}x: a\0b\r\n`),
    get(`${host}x: a\nb: c\r\n`),
    get(`${host}x: y\r\n folded: z\r\n`),
    get(`${host}x\xe9: y\r\n`),
    get(`${host}: y\r\n`),
    get(`${host}connection: close\r\n`),
    get(`${host}connection: keep-alive, x\r\n`),
    get(`${host}proxy-connection: keep-alive\r\n`),
    get(`${host}upgrade: websocket\r\n`),
    get(`${host}expect: 100-continue\r\n`),
    get(`${host}transfer-encoding: chunked\r\n`),
    get(`${host}Hob-Invocation-Type: async\r\n`),
    get(`${host}Idempotency-Key: a\r\n`),
    get(`${host}content-length: 1\r\n`),
    get(`${host}content-length: 00\r\n`),
    get(`${host}content-length: +0\r\n`),
    get(`${host}content-length: 0\r\ncontent-length: 0\r\n`),
    `${get(host)}x`,
    get(host) + get(host),
    `${get(`${host}content-length: 1\r\n`)}xy`,
    'GET /fn/hello HTTP/1.0\r\nhost: a\r\n\r\n',
    'GET /fn/hello HTTP/1.1\nhost: a\r\n\r\n',
    'GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n',
    'GET http://a/fn/hello HTTP/1.1\r\nhost: a\r\n\r\n',
    'GET /fn/hello#x HTTP/1.1\r\nhost: a\r\n\r\n',
    'GET /fn/\xe9 HTTP/1.1\r\nhost: a\r\n\r\n',
    'get /fn/hello HTTP/1.1\r\nhost: a\r\n\r\n',
    'TRACE /fn/hello HTTP/1.1\r\nhost: a\r\n\r\n',
    '\r\nGET /fn/hello HTTP/1.1\r\nhost: a\r\n\r\n',
    get(`${host}x: ${'y'.repeat(HEAD_BYTES_MAX)}\r\n`),
  ]) {
    assert.equal(read(text), undefined, JSON.stringify(text.slice(0, 100)));
  }
});

test('readSimpleRequest() takes no longer for a head that was made to be slow', () => {
  // Tried against each other, two repetitions of blanks would take minutes.
  for (const blanks of [' ', '\t', ' \t', 'a ']) {
    assert.equal(readSimpleRequest(Buffer.from(get(`host: a\r\nx:${blanks.repeat(200_000)}\0\r\n`)), 1e6), undefined);
  }
});

/** A connection that the test feeds. */
class Line extends Duplex {
  override _read(): void {
    // Bytes come when the test has some.
  }

  override _write(_chunk: unknown, _encoding: unknown, done: () => void): void {
    done();
  }
}

const node = createServer({ maxHeaderSize: HEAD_BYTES_MAX, requireHostHeader: true });
after(() => node.close());

/** How Node reads the same bytes. */
async function byNode(bytes: Buffer): Promise<{ requests: IncomingMessage[]; body: Buffer; failed: boolean }> {
  const line = new Line();
  const requests: IncomingMessage[] = [];
  const chunks: Buffer[] = [];
  let failed = false;
  const take = (request: IncomingMessage): void => {
    requests.push(request);
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
  };
  const fail = (): void => void (failed = true);
  node.on('request', take);
  node.on('clientError', fail);
  node.emit('connection', line);
  line.push(bytes);
  await new Promise(setImmediate);
  node.off('request', take);
  node.off('clientError', fail);
  line.destroy();
  await once(line, 'close');
  return { requests, body: Buffer.concat(chunks), failed };
}

const usual = fc.constantFrom(
  ...['x: y\r\n', 'X-Long:   v  \t\r\n', 'x:\r\n', 'accept: */*\r\n', 'cookie: a=b; c="d"\r\n', 'x: \xe9\xff\x80\r\n'],
  ...[
    'content-length: 3\r\n',
    'content-length: 0\r\n',
    'Content-Length: 5\r\n',
    'connection: keep-alive\r\n',
    'te: trailers\r\n',
  ],
);
const unusual = fc.constantFrom(
  ...[
    'host: a\r\n',
    'Host: b\r\n',
    'content-length: 3, 3\r\n',
    'transfer-encoding: chunked\r\n',
    'connection: close\r\n',
  ],
  ...[
    'upgrade: h2c\r\n',
    ' folded\r\n',
    'x : y\r\n',
    'x: a\rb\r\n',
    'x: a\nb: c\r\n',
    '\r\n',
    '\n',
    'x',
    ':',
    '\0',
    '\t',
  ],
);
const piece = fc.oneof({ weight: 6, arbitrary: usual }, { weight: 1, arbitrary: unusual });
const line = fc.constantFrom(
  ...[
    'GET /fn/hello HTTP/1.1\r\n',
    'POST /fn/a/b?c HTTP/1.1\r\n',
    'HEAD /fn/a@1 HTTP/1.1\r\n',
    'OPTIONS /fn/!"$\'()~ HTTP/1.1\r\n',
  ],
  ...[
    'GET /fn/ HTTP/1.0\r\n',
    'PUT  /fn/a HTTP/1.1\r\n',
    'DELETE /fn/a HTTP/1.1 \r\n',
    'PATCH /fn/<>{}|^`\\ HTTP/1.1\r\n',
  ],
);
const text = fc
  .tuple(
    line,
    fc.constantFrom('host: a\r\n', 'Host: b\r\n', ''),
    fc.array(piece, { maxLength: 6 }),
    fc.constantFrom('', 'abc', 'abcde', 'GET / '),
  )
  .map(([first, host, pieces, body]) => `${first}${host}${pieces.join('')}\r\n${body}`);
/** One byte of a request is another. */
const spoiled = fc.tuple(text, fc.nat(400), fc.integer({ min: 0, max: 255 })).map(([whole, at, byte]) => {
  const index = at % whole.length;
  return whole.slice(0, index) + String.fromCharCode(byte) + whole.slice(index + 1);
});

test('readSimpleRequest() reads nothing that Node would read in another way', async () => {
  let simple = 0;
  await fc.assert(
    fc.asyncProperty(fc.oneof(text, spoiled), async (whole) => {
      const bytes = Buffer.from(whole, 'latin1');
      const ours = readSimpleRequest(bytes, HEAD_BYTES_MAX);
      if (ours === undefined) return;
      simple += 1;
      const theirs = await byNode(bytes);
      assert.equal(theirs.failed, false);
      assert.equal(theirs.requests.length, 1);
      const [request] = theirs.requests;
      assert.deepEqual(
        { method: ours.method, url: ours.url, body: (ours.body ?? Buffer.alloc(0)).toString('latin1') },
        { method: request?.method, url: request?.url, body: theirs.body.toString('latin1') },
      );
      assert.equal(request?.complete, true);
      const rawHeaders = request.rawHeaders.map((entry, at) => (at % 2 === 0 ? entry.toLowerCase() : entry));
      assert.deepEqual(ours.rawHeaders, rawHeaders);
    }),
    { numRuns: 20_000 },
  );
  assert.ok(simple > 200, `only ${simple} were simple`);
});
