import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import jpeg from 'jpeg-js';
import { PNG } from 'pngjs';
import { request } from 'undici';
import { exampleCall, exampleFolder, exampleNames } from '../support/example.ts';
import { HobServer } from '../support/hob-server.ts';
import type { Answer } from '../support/http-call.ts';

let hob: HobServer;

before(async () => {
  hob = await HobServer.create();
  await hob.deploy(...exampleNames().map(exampleFolder));
});

after(async () => hob[Symbol.asyncDispose]());

/** Makes the call of an example's call.json and checks what that file promises. */
async function callExample(name: string): Promise<Answer> {
  const { method, path, headers, body, expect } = exampleCall(name);
  const answer = await hob.fn(`${name}${path}`, { method, headers, ...(body === undefined ? {} : { body }) });
  assert.equal(answer.status, expect.status, answer.body.toString('utf8').slice(0, 1000));
  assert.equal(answer.headers['content-type'], expect.contentType);
  const included = expect.bodyIncludes ?? '';
  assert.ok(answer.body.includes(included), `${JSON.stringify(included)} is not in ${answer.body.toString('utf8')}`);
  return answer;
}

test('examples: these five are there', () => {
  assert.deepEqual(exampleNames(), ['hello', 'hono', 'markdown', 'stream', 'thumbnail']);
});

test('hello answers JSON or text, with or without a name', async () => {
  const answer = await callExample('hello');
  const { greeting, invocationId } = JSON.parse(answer.body.toString('utf8'));
  assert.equal(greeting, 'Hello, Ada!');
  assert.equal(invocationId, answer.headers['hob-invocation-id']);
  const bare = await hob.fn('hello');
  assert.equal(JSON.parse(bare.body.toString('utf8')).greeting, 'Hello, world!');
  const text = await hob.fn('hello', { body: '{"name":"Ada","as":"text"}' });
  assert.equal(text.body.toString('utf8'), 'Hello, Ada!\n');
  assert.equal(text.headers['content-type'], 'text/plain; charset=utf-8');
});

test('markdown gives HTML of the whole file and runs nothing that is in it', async () => {
  const html = (await callExample('markdown')).body.toString('utf8');
  assert.match(html, /<td align="right">600 °C<\/td>/);
  assert.match(html, /<del>Wait\.<\/del>/);
  assert.match(html, /<code class="language-ts">/);
  assert.match(html, /<a href="https:\/\/example\.org\/hob\?a=1&amp;b=2">/);
  assert.doesNotMatch(html, /<script|javascript:/);
  assert.match(html, /&lt;script&gt;/);
});

test('markdown refuses what is no text', async () => {
  const answer = await hob.fn('markdown', { body: Buffer.from([0xff, 0xfe, 0x00]) });
  assert.equal(answer.status, 415);
});

test('thumbnail makes a JPEG smaller and keeps its shape and colours', async () => {
  const input = jpeg.decode(exampleCall('thumbnail').body ?? new Uint8Array());
  const output = jpeg.decode((await callExample('thumbnail')).body);
  assert.deepEqual([output.width, output.height], [160, Math.round((input.height * 160) / input.width)]);
  const [was, is] = [meanColour(input.data), meanColour(output.data)];
  for (const [channel, value] of was.entries()) {
    assert.ok(Math.abs(value - (is[channel] ?? 0)) < 2, `colour ${was.join()} became ${is.join()}`);
  }
});

test('thumbnail averages a PNG by area and lets clear pixels have no colour', async () => {
  const input = new PNG({ width: 4, height: 2 });
  // Left half: black and white in turn. Right half: opaque red beside a clear green.
  input.data.set([0, 0, 0, 255, 255, 255, 255, 255, 255, 0, 0, 255, 0, 255, 0, 0]);
  input.data.set([255, 255, 255, 255, 0, 0, 0, 255, 255, 0, 0, 255, 0, 255, 0, 0], 16);
  const answer = await hob.fn('thumbnail?width=2', { body: PNG.sync.write(input) });
  assert.equal(answer.headers['content-type'], 'image/png');
  const output = PNG.sync.read(answer.body);
  assert.deepEqual([output.width, output.height], [2, 1]);
  assert.deepEqual([...output.data], [128, 128, 128, 255, 255, 0, 0, 128]);
});

test('thumbnail refuses other files, broken ones, sizes out of range and pictures too large to decode', async () => {
  const photo = Buffer.from(exampleCall('thumbnail').body ?? new Uint8Array());
  const huge = PNG.sync.write(new PNG({ width: 1, height: 1 }));
  huge.writeUInt32BE(60_000, 16);
  huge.writeUInt32BE(60_000, 20);
  const attempts = [
    ['thumbnail', 'GIF89a and so on', 415],
    ['thumbnail', photo.subarray(0, photo.byteLength / 3), 422],
    ['thumbnail?width=0', photo, 400],
    ['thumbnail?width=2049', photo, 400],
    ['thumbnail', huge, 413],
  ] as const;
  for (const [path, body, status] of attempts) {
    const answer = await hob.fn(path, { body });
    assert.equal(answer.status, status, `${path}: ${answer.body.toString('utf8')}`);
  }
  assert.equal((await hob.fn('thumbnail')).status, 405);
});

test('stream sends each event when it is made', async () => {
  await callExample('stream');
  const answer = await request(`${hob.url}/fn/stream?count=3&intervalMs=10000`);
  assert.equal(answer.statusCode, 200);
  // Were the answer buffered, this read would last 20 seconds; the test is over long before the second event is made.
  const { value } = await answer.body[Symbol.asyncIterator]().next();
  const text = Buffer.from(value).toString('utf8');
  assert.match(text, /^id: 1\nevent: tick\ndata: \{"id":1,"of":3,/);
  assert.doesNotMatch(text, /id: 2/);
  answer.body.destroy();
});

test('stream goes on after last-event-id', async () => {
  const answer = await hob.fn('stream?count=4&intervalMs=1', { headers: { 'last-event-id': '2' } });
  const ids = [...answer.body.toString('utf8').matchAll(/^id: (\d+)$/gm)].map((match) => match[1]);
  assert.deepEqual(ids, ['3', '4']);
});

test('hono answers on its three routes, and itself where it has none', async () => {
  await callExample('hono');
  const home = await hob.fn('hono/');
  assert.equal(home.body.toString('utf8'), 'Kettles, warm ones\n');
  const order = { kettle: 'copper', pieces: 3 };
  const placed = await hob.fn('hono/orders', {
    body: JSON.stringify(order),
    headers: { 'content-type': 'application/json' },
  });
  assert.equal(placed.status, 201);
  assert.match(placed.headers['location'] ?? '', /^\/orders\/[0-9a-f-]{36}$/);
  assert.deepEqual(JSON.parse(placed.body.toString('utf8')), { accepted: order });
  const missing = await hob.fn('hono/nothing/here');
  assert.equal(missing.status, 404);
  assert.deepEqual(JSON.parse(missing.body.toString('utf8')), { error: 'nothing at /nothing/here' });
});

function meanColour(rgba: Uint8Array): number[] {
  const sums = [0, 0, 0];
  for (const [at, value] of rgba.entries()) if (at % 4 !== 3) sums[at % 4] = (sums[at % 4] ?? 0) + value;
  return sums.map((sum) => (sum * 4) / rgba.byteLength);
}
