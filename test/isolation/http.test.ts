/** Hostile HTTP against a whole server: each attack is refused or cut, and an ordinary call works afterwards. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { catalogue } from '@hob/contracts';
import { HobServer } from '../support/hob-server.ts';
import { RawConnection } from '../support/raw-connection.ts';

/** Answered by the server with what only a smuggled request would ask for. */
const SMUGGLED = 'smuggled-marker';
const smuggledRequest = `POST /fn/neighbour HTTP/1.1\r\nhost: a\r\ncontent-length: ${SMUGGLED.length}\r\n\r\n${SMUGGLED}`;

let hob: HobServer;

before(async () => {
  hob = await HobServer.create({
    env: {
      HOB_HTTP_HEADERS_TIMEOUT_MS: '1000',
      HOB_HTTP_BODY_IDLE_MS: '1000',
      HOB_HTTP_REQUEST_TIMEOUT_MS: '4000',
    },
  });
  await hob.deploy(join(import.meta.dirname, 'functions/neighbour'));
});

after(async () => hob[Symbol.asyncDispose]());

async function assertServes(): Promise<void> {
  const answer = await hob.fn('neighbour', { body: 'ordinary' });
  assert.equal(answer.status, 200, answer.body.toString('utf8'));
  assert.match(answer.body.toString('utf8'), /"text":"ordinary"/);
  assert.ok(Array.isArray(await hob.control('functions')));
}

/** Where requests with bodies go: a function, and the control API with its token. */
const targets = (): Record<string, string> => ({
  '/fn': 'POST /fn/neighbour HTTP/1.1\r\nhost: a\r\n',
  '/v1': `POST /v1/functions/neighbour/versions HTTP/1.1\r\nhost: a\r\nauthorization: Bearer ${hob.token}\r\n`,
});

/** Heads whose length can be read in two ways, each with a body that ends early for one of the readers. */
const smugglings: Readonly<Record<string, string>> = {
  'content-length and transfer-encoding': 'content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n',
  'transfer-encoding and content-length': 'transfer-encoding: chunked\r\ncontent-length: 5\r\n\r\n0\r\n\r\n',
  'two different lengths': 'content-length: 5\r\ncontent-length: 6\r\n\r\nhello',
  'two equal lengths in one line': 'content-length: 5, 5\r\n\r\nhello',
  'a length with a sign': 'content-length: +5\r\n\r\nhello',
  'a hexadecimal length': 'content-length: 0x5\r\n\r\nhello',
  'a blank before the colon of the length': 'content-length : 5\r\n\r\nhello',
  'a blank before the colon of the encoding': 'transfer-encoding : chunked\r\n\r\n0\r\n\r\n',
  'an encoding that only looks like chunked': 'transfer-encoding: xchunked\r\n\r\n0\r\n\r\n',
  'chunked that is not last': 'transfer-encoding: chunked, identity\r\n\r\n0\r\n\r\n',
  'two encodings': 'transfer-encoding: chunked\r\ntransfer-encoding: identity\r\n\r\n0\r\n\r\n',
  'a hidden encoding': 'transfer-encoding:\u000bchunked\r\n\r\n0\r\n\r\n',
  'a folded line': 'x: y\r\n folded: z\r\ncontent-length: 0\r\n\r\n',
  'a folded encoding': 'transfer-encoding:\r\n chunked\r\n\r\n0\r\n\r\n',
  'a NUL in a header': 'x: a\0b\r\ncontent-length: 0\r\n\r\n',
  'a header that ends in a line feed alone': 'x: a\nb: c\r\ncontent-length: 0\r\n\r\n',
  'a head that ends in line feeds alone': 'content-length: 0\n\n',
  'a carriage return alone': 'x: a\rb: c\r\ncontent-length: 0\r\n\r\n',
  'a name with a blank': 'x y: z\r\ncontent-length: 0\r\n\r\n',
  'a chunk size with a prefix': 'transfer-encoding: chunked\r\n\r\n0x5\r\nhello\r\n0\r\n\r\n',
  'a negative chunk size': 'transfer-encoding: chunked\r\n\r\n-1\r\n\r\n',
  'a chunk size that overflows': 'transfer-encoding: chunked\r\n\r\n10000000000000005\r\nhello\r\n0\r\n\r\n',
  'a chunk that is longer than its size': 'transfer-encoding: chunked\r\n\r\n3\r\nhello\r\n0\r\n\r\n',
  'a chunk that ends in a line feed alone': 'transfer-encoding: chunked\r\n\r\n5\nhello\n0\n\n',
  'a chunk extension with a line feed': 'transfer-encoding: chunked\r\n\r\n5;a\nb\r\nhello\r\n0\r\n\r\n',
};

for (const [what, rest] of Object.entries(smugglings)) {
  test(`a request with ${what} is refused, and nothing behind it is a request`, async () => {
    for (const [target, head] of Object.entries(targets())) {
      using connection = await RawConnection.open(hob.url);
      connection.send(`${head}${rest}${smuggledRequest}`);
      const text = await connection.all();
      assert.ok(!text.includes(SMUGGLED), `${target}: ${text}`);
      const status = /^HTTP\/1\.1 (\d{3}) /.exec(text)?.[1] ?? 'closed';
      // What a reader takes for a whole request may be answered as one, but never as two.
      assert.ok(['200', '400', 'closed'].includes(status), `${target}: ${text.slice(0, 200)}`);
      assert.ok(text.split('HTTP/1.1 ').length <= 2, `${target}: two answers: ${text}`);
    }
    await assertServes();
  });
}

test('requests that are well-formed though unusual are answered as one request each', async () => {
  const head = targets()['/fn'] ?? '';
  const bodies = [
    'transfer-encoding: chunked\r\n\r\n5;name=value;other="x"\r\nhello\r\n0\r\n\r\n',
    'transfer-encoding: chunked\r\ntrailer: x\r\n\r\n5\r\nhello\r\n0\r\nx: y\r\n\r\n',
    'transfer-encoding: chunked\r\n\r\n00000005\r\nhello\r\n0\r\n\r\n',
  ];
  for (const body of bodies) {
    using connection = await RawConnection.open(hob.url);
    connection.send(head.replace('host: a', 'host: a\r\nconnection: close') + body);
    const text = await connection.all();
    assert.match(text, /^HTTP\/1\.1 200 /, JSON.stringify(body));
    assert.match(text, /"text":"hello"/);
  }
});

/** Requests that are too much: what is sent, and the status. */
const excesses = (): Record<string, readonly [bytes: string, status: number]> => ({
  'a megabyte of headers': [`GET /fn/neighbour HTTP/1.1\r\nhost: a\r\n${'x: y\r\n'.repeat(170_000)}`, 431],
  'one header of a megabyte': [`GET /fn/neighbour HTTP/1.1\r\nhost: a\r\nx: ${'y'.repeat(1_000_000)}`, 431],
  'a URL of 20 KB': [`GET /fn/neighbour/${'x'.repeat(20_000)} HTTP/1.1\r\nhost: a\r\n\r\n`, 414],
  'a URL of a megabyte': [`GET /fn/neighbour/${'x'.repeat(1_000_000)} HTTP/1.1\r\nhost: a\r\n\r\n`, 431],
  'a method of a megabyte': [`${'X'.repeat(1_000_000)} /fn/neighbour HTTP/1.1\r\nhost: a\r\n\r\n`, 400],
  'a control API request with a URL of 20 KB': [
    `GET /v1/functions/${'x'.repeat(20_000)} HTTP/1.1\r\nhost: a\r\n\r\n`,
    414,
  ],
  'a body that says it is an exabyte': [
    'POST /fn/neighbour HTTP/1.1\r\nhost: a\r\ncontent-length: 1000000000000000000\r\n\r\nx',
    413,
  ],
  'a token of 20 KB': [
    `GET /v1/functions HTTP/1.1\r\nhost: a\r\nauthorization: Bearer ${'x'.repeat(20_000)}\r\n\r\n`,
    401,
  ],
});

test('requests that are too large are refused with the status that says so', async () => {
  for (const [what, [bytes, expected]] of Object.entries(excesses())) {
    using connection = await RawConnection.open(hob.url);
    connection.send(bytes);
    assert.equal(await connection.status(), expected, what);
    const code = /"code":"([A-Z_]+)"/.exec(connection.text)?.[1] ?? '';
    assert.ok(code in catalogue, `${what}: ${connection.text.slice(0, 300)}`);
  }
  await assertServes();
});

test('names that lead elsewhere are not found, in whatever spelling', async () => {
  const paths = [
    '/fn/../v1/functions',
    '/fn/%2e%2e/v1/functions',
    '/fn/..%2fv1%2ffunctions',
    '/fn/__proto__',
    '/fn/constructor',
    '/fn/hasOwnProperty@1',
    '/fn/neighbour@-1',
    '/fn/neighbour@1e3',
    '/fn/neighbour@99999999999999999999',
    '/fn/neighbour%00',
    '/fn/%ff',
    '/fn/neighbour@%31%00',
    '/fn//neighbour',
    '/v1/functions/__proto__',
    '/v1/functions/..%2f..%2fetc%2fpasswd',
    '/v1/functions/neighbour%00/logs',
    '//v1/functions',
    '/%2e/v1/functions',
  ];
  for (const path of paths) {
    using connection = await RawConnection.open(hob.url);
    const token = path.includes('/v1/functions/') ? `authorization: Bearer ${hob.token}\r\n` : '';
    connection.send(`GET ${path} HTTP/1.1\r\nhost: a\r\n${token}connection: close\r\n\r\n`);
    const text = await connection.all();
    assert.match(text, /^HTTP\/1\.1 40[014] /, `${path}: ${text.slice(0, 300)}`);
  }
  await assertServes();
});

test('clients that take for ever are cut, and others are answered meanwhile', async () => {
  const slow = [
    'GET /fn/neighbour HTTP/1.1\r\nhost: a\r\nx: ',
    'POST /fn/neighbour HTTP/1.1\r\nhost: a\r\ncontent-length: 1000\r\n\r\nhalf',
    'POST /fn/neighbour HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhel',
    `POST /v1/functions/neighbour/versions HTTP/1.1\r\nhost: a\r\nauthorization: Bearer ${hob.token}\r\ncontent-type: multipart/form-data; boundary=b\r\ncontent-length: 1000\r\n\r\n--b\r\n`,
  ];
  const connections = await Promise.all(
    Array.from({ length: 200 }, async (_, at) => {
      const connection = await RawConnection.open(hob.url);
      connection.send(slow[at % slow.length] ?? '');
      return connection;
    }),
  );
  try {
    assert.equal(((await hob.control('functions')) as unknown[]).length, 1);
    const statuses = await Promise.all(connections.map((connection) => connection.status()));
    assert.deepEqual(
      [...new Set(statuses)].filter((status) => status === 200),
      [],
    );
    await Promise.all(connections.map((connection) => connection.all()));
  } finally {
    for (const connection of connections) connection[Symbol.dispose]();
  }
  await assertServes();
});

test('a client that drips its headers is cut all the same', async () => {
  using connection = await RawConnection.open(hob.url);
  connection.send('GET /fn/neighbour HTTP/1.1\r\nhost: a\r\n');
  const drip = setInterval(() => connection.send('x: y\r\n'), 100);
  try {
    assert.equal(await connection.status(), 408);
  } finally {
    clearInterval(drip);
  }
  await assertServes();
});

test('a hundred requests in one packet are answered in their order', async () => {
  using connection = await RawConnection.open(hob.url);
  const request = (at: number): string =>
    `POST /fn/neighbour HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n${at === 99 ? 'connection: close\r\n' : ''}\r\n${100 + at}`;
  connection.send(Array.from({ length: 100 }, (_, at) => request(at)).join(''));
  const texts = [...(await connection.all()).matchAll(/"text":"(\d+)"/g)].map((match) => Number(match[1]));
  assert.deepEqual(
    texts,
    Array.from({ length: 100 }, (_, at) => 100 + at),
  );
});
