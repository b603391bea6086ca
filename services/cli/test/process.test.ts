import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { ControlServer, json } from './fakes/control-server.ts';
import { logLines, snapshot, summary } from './fakes/samples.ts';

const main = fileURLToPath(new URL('../src/main.ts', import.meta.url));

function start(args: readonly string[], url: string) {
  const env = { HOB_URL: url, HOME: '/nonexistent', PATH: '/usr/bin:/bin' };
  return spawn(process.execPath, ['--conditions=@hob/source', main, ...args], { env });
}

async function finish(child: ReturnType<typeof start>) {
  const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')]);
  return { code: code as number, stdout, stderr };
}

test('the process ends with 0, 1 and 2 as the command did', async () => {
  await using server = await ControlServer.start({
    'GET /v1/functions': json([summary]),
    'GET /v1/stats': json(snapshot),
  });
  const codes = await Promise.all(
    [['ls'], ['describe', 'absent'], ['ls', '--wrong']].map(
      async (args) => (await finish(start(args, server.url))).code,
    ),
  );
  assert.deepEqual(codes, [0, 1, 2]);
});

test('hob logs --follow prints lines as they come and ends with 130 on Ctrl-C, its connection closed', async () => {
  const disconnected = Promise.withResolvers<void>();
  await using server = await ControlServer.start({
    'GET /v1/functions/hello/logs?tail=5&follow=true': (_request, response: ServerResponse) => {
      response.on('close', disconnected.resolve);
      response.write(`${JSON.stringify(logLines[0])}\n`);
    },
  });
  const child = start(['logs', 'hello', '--follow', '--tail', '5'], server.url);
  await once(child.stdout, 'data');
  child.kill('SIGINT');
  const { code, stderr } = await finish(child);
  assert.equal(code, 130);
  assert.equal(stderr, '');
  await disconnected.promise;
});

test('hob invoke that is interrupted while it waits ends with 130 and disconnects', async () => {
  const asked = Promise.withResolvers<void>();
  const disconnected = Promise.withResolvers<void>();
  await using server = await ControlServer.start({
    'GET /fn/slow': (_request, response) => {
      response.on('close', disconnected.resolve);
      asked.resolve();
    },
  });
  const child = start(['invoke', 'slow'], server.url);
  await asked.promise;
  child.kill('SIGINT');
  assert.equal((await finish(child)).code, 130);
  await disconnected.promise;
});

test('a reader that has had enough is no failure', async () => {
  await using server = await ControlServer.start({
    'GET /fn/long': (_request, response) => {
      const more = (): void => {
        if (response.destroyed) return;
        response.write(Buffer.alloc(65_536), more);
      };
      more();
    },
  });
  const child = start(['invoke', 'long'], server.url);
  await once(child.stdout, 'data');
  child.stdout.destroy();
  const [code] = (await once(child, 'exit')) as [number];
  assert.equal(code, 0);
});
