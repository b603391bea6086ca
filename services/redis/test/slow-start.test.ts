import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { pino } from 'pino';
import { clientOptions } from '../src/client-options.ts';
import { RedisTarget, RequestClient } from '../src/index.ts';

const log = pino({ level: 'silent' });

test('A connection to a socket is not given up for want of time, and one over a network is', () => {
  assert.equal(clientOptions(RedisTarget.parse('/run/redis.sock'), {}).connectTimeout, 0);
  assert.ok((clientOptions(RedisTarget.parse('redis://127.0.0.1:1'), {}).connectTimeout ?? 0) > 0);
});

test('RequestClient.untilReady() waits for a server that comes late, and not for ever for one that does not', async () => {
  const path = join(tmpdir(), `hob-slow-start-${process.pid}.sock`);
  const client = new RequestClient(RedisTarget.parse(path), 'test', log);
  await client.untilReady(100);
  assert.notEqual(client.status, 'ready');
  const server = createServer((socket) => {
    socket.on('data', (bytes) => socket.write(bytes.toString().includes('info') ? '$8\r\nloaded:1\r\n' : '+OK\r\n'));
  });
  server.listen(path);
  await client.untilReady(60_000);
  assert.equal(client.status, 'ready');
  client.disconnect();
  server.close();
});
