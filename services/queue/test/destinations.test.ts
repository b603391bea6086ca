import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import type { InvocationRecord } from '@hob/contracts';
import { policy, QueueFixture, SECRET } from './support/queue-fixture.ts';
import { until } from './support/until.ts';

interface Message {
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** A receiver of messages that refuses as many of them as the test says. */
async function receiver(refusals: number) {
  const messages: Message[] = [];
  const server = createServer((request, response) => {
    void text(request).then((body) => {
      messages.push({ headers: request.headers, body });
      response.writeHead(messages.length <= refusals ? 500 : 204).end();
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`;
  return { url, messages, [Symbol.asyncDispose]: async () => server.close().closeAllConnections() };
}

test('onSuccess and onFailure call a function with what has become of the event, and no further one', async () => {
  await using fixture = await QueueFixture.open();
  fixture.invoker.behaviour = ({ request }) => (request.version.name === 'bad' ? 500 : 'fine');
  const told = { ...policy, maxAttempts: 1, onSuccess: 'good-news', onFailure: 'bad-news' };
  const good = await fixture.submit({ function: 'good', policy: told });
  const bad = await fixture.submit({ function: 'bad', policy: told });
  await fixture.reached(bad, 'dead');
  await until('both are told', () => fixture.invoker.calls.length === 4);
  const heard = (name: string): InvocationRecord => {
    const call = fixture.invoker.calls.find(({ request }) => request.version.name === name);
    return JSON.parse(call?.body ?? '{}') as InvocationRecord;
  };
  const [goodNews, badNews] = [heard('good-news'), heard('bad-news')];
  assert.deepEqual([goodNews.id, goodNews.status, goodNews.result?.body], [good, 'succeeded', 'fine']);
  assert.deepEqual([badNews.id, badNews.status, badNews.error?.code], [bad, 'dead', 'ERR_FN_STATUS']);
  assert.equal(badNews.attempts, 1);
});

test('A webhook gets a signed message, the same again until it has answered well', async () => {
  await using fixture = await QueueFixture.open();
  await using hook = await receiver(1);
  const id = await fixture.submit({ policy: { ...policy, onSuccess: hook.url } });
  await until('the second message', () => hook.messages.length === 2);
  const [first, second] = hook.messages;
  assert.equal((JSON.parse(second?.body ?? '') as InvocationRecord).id, id);
  assert.equal(first?.headers['webhook-id'], second?.headers['webhook-id']);
  const key = Buffer.from(SECRET.slice('whsec_'.length), 'base64');
  for (const { headers, body } of hook.messages) {
    const signed = `${headers['webhook-id'] as string}.${headers['webhook-timestamp'] as string}.${body}`;
    const signature = createHmac('sha256', key).update(signed).digest('base64');
    assert.equal(headers['webhook-signature'], `v1,${signature}`);
    assert.ok(Math.abs(Number(headers['webhook-timestamp']) * 1000 - Date.now()) < 60_000);
  }
  await fixture.reached(first?.headers['webhook-id'] as string, 'succeeded');
});

test('The second end of a redriven event is told too', async () => {
  await using fixture = await QueueFixture.open();
  fixture.invoker.behaviour = ({ request }) => (request.version.name === 'work' ? 500 : 'heard');
  const told = { ...policy, maxAttempts: 1, onFailure: 'bad-news' };
  const id = await fixture.submit({ policy: told });
  const isTold = (count: number) => () =>
    fixture.invoker.calls.filter(({ request }) => request.version.name === 'bad-news').length === count;
  await until('the first end', isTold(1));
  await fixture.reached(id, 'dead');
  await fixture.queue.deadLetters.redrive({ ids: [id] });
  await until('the second end', isTold(2));
});
