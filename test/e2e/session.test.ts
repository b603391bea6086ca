import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { InvocationRecord } from '@hob/contracts';
import { writeFunction } from '../support/function-folder.ts';
import { HobServer } from '../support/hob-server.ts';
import { descendants, isRunning } from '../support/processes.ts';
import { TemporaryFolder } from '../support/temporary-folder.ts';
import { until } from '../support/until.ts';

// One user's session with versions, asynchronous calls, schedules and secrets, each step as it is typed; what it has come to is there after a power cut.

let hob: HobServer;
let folder: TemporaryFolder;
const dead = { id: '' };

const greeting = (words: string): string => `
  export default (): Response => new Response('${words}, ' + process.env['WHOM']);`;
const flaky = `
  export default async (request: Request): Promise<Response> => {
    const attempt = Number(request.headers.get('hob-attempt'));
    const failures = Number(new URL(request.url).searchParams.get('failures'));
    if (attempt <= failures) throw new Error('attempt ' + attempt + ' fails');
    return Response.json({ attempt, order: await request.json() });
  };`;
const beat = `
  export default (request: Request): Response => {
    console.log('schedule', request.headers.get('hob-schedule'));
    return new Response('tock');
  };`;

before(async () => {
  hob = await HobServer.create();
  folder = await TemporaryFolder.create('session');
});
after(async () => {
  await hob[Symbol.asyncDispose]();
  await folder[Symbol.asyncDispose]();
});

/** Types a command. @returns what it prints */
async function type(command: string, { input = '', exitCode = 0 } = {}): Promise<string> {
  const result = await hob.hob(command.split(' '), { cwd: folder.path, input });
  assert.equal(result.exitCode, exitCode, `hob ${command}: ${result.stdout}${result.stderr}`);
  return result.stdout;
}

const write = (name: string, settings: object, source: string): Promise<string> =>
  writeFunction(join(folder.path, name), { name, ...settings }, source);

async function answers(calls: number): Promise<string[]> {
  const given = await Promise.all(Array.from({ length: calls }, () => hob.fn('greet')));
  return given.map(({ status, body }) => `${status} ${body.toString()}`);
}

const beatsLogged = async (): Promise<number> => (await type('logs tick')).split('schedule beat').length - 1;

/** What the session has come to. */
async function assertAllThere(): Promise<void> {
  assert.match(await type('versions greet'), /^1 +live +[0-9a-f]{12} .*\n2 +beta +[0-9a-f]{12} /m);
  assert.deepEqual(
    await answers(5),
    Array.from({ length: 5 }, () => '200 Good day, world'),
  );
  assert.equal(await type('invoke greet@beta'), 'Hello, world');
  assert.match(await type(`invocation ${dead.id}`), /^status +dead\nattempts +2 of 2\n/m);
  assert.match(await type('dlq ls'), new RegExp(`^${dead.id} +flaky +2 +\\S+ +ERR_FN_THREW$`, 'm'));
  assert.match(await type('schedule ls'), /^tick +beat +every 5000 ms +\d{4}-/m);
  assert.match(await type('secret ls greet'), /^WHOM +\d{4}-/m);
}

test('two versions share the calls by weight, and a rollback ends that', async () => {
  await type('secret set greet WHOM', { input: 'world\n' });
  await write('greet', { secrets: ['WHOM'] }, greeting('Good day'));
  await type('deploy greet');
  await write('greet', { secrets: ['WHOM'] }, greeting('Hello'));
  assert.match(await type('deploy greet --no-live'), /^greet@2 /);
  assert.equal(await type('alias set greet v1=75,v2=25'), 'greet:live  1 (75 %), 2 (25 %)\n');
  const versions = await type('versions greet');
  assert.match(versions, /^1 +live \(75 %\) .*\n2 +live \(25 %\) /m);
  const shared = Map.groupBy(await answers(100), (answer) => answer);
  assert.deepEqual([...shared.keys()].toSorted(), ['200 Good day, world', '200 Hello, world']);
  assert.ok((shared.get('200 Good day, world')?.length ?? 0) > 50, 'three quarters, by chance');
  assert.equal(await type('alias set greet:beta 2'), 'greet:beta  2\n');
  assert.equal(await type('rollback greet'), 'greet:live  1\n');
});

test('a call that fails twice succeeds; one that fails too often is a dead letter, and is tried again as it was', async () => {
  await write('flaky', { async: { maxAttempts: 3, backoffMs: 100 } }, flaky);
  await type('deploy flaky');
  const twice = (await type('invoke flaky --async --path /?failures=2 --data {"number":1}')).trim();
  const succeeded = await type(`invocation ${twice} --wait`);
  assert.match(succeeded, /^status +succeeded\nattempts +3 of 3\n[^]*\{"attempt":3,"order":\{"number":1\}\}\n$/m);
  assert.match(await type('dlq ls'), /^$/);

  await write('flaky', { async: { maxAttempts: 2, backoffMs: 100 } }, flaky);
  await type('deploy flaky');
  dead.id = (await type('invoke flaky --async --path /?failures=2 --data {"number":2}')).trim();
  assert.match(
    await type(`invocation ${dead.id} --wait`, { exitCode: 1 }),
    /^error +ERR_FN_THREW: .*attempt 2 fails$/m,
  );
  assert.match(await type(`dlq show ${dead.id}`), /\n\nPOST http:.*\/\?failures=2\n\n\{"number":2\}\n$/);
  assert.equal(await type(`dlq redrive ${dead.id}`), 'redriven 1\n');
  await type(`invocation ${dead.id} --wait`, { exitCode: 1 });
  assert.equal(await type(`dlq redrive ${twice}`, { exitCode: 1 }), 'redriven 0\n');
});

test('a schedule calls its function every five seconds', async () => {
  await write('tick', { schedule: [{ name: 'beat', everyMs: 5000 }] }, beat);
  await type('deploy tick');
  await until('it was called twice', async () => (await beatsLogged()) >= 2);
});

test('after kill -9 of the server, the launcher and Redis all is as it was, and what was accepted goes on', async () => {
  await assertAllThere();
  const { key } = JSON.parse(await type('secret rotate-key --json')) as { key: string };
  const waiting = (await type('invoke flaky --async --path /?failures=0 --data {"number":3}')).trim();
  const all = descendants(hob.pid);
  assert.ok(
    all.some(({ name }) => name.startsWith('redis-server')),
    'Redis is one of them',
  );
  for (const { pid } of all) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // The end of another one was its end.
    }
  }
  await hob.kill();
  await until('all are gone', () => !all.some(isRunning));
  await hob.start();
  await assertAllThere();
  assert.equal((JSON.parse(await type('secret rotate-key --json')) as { former: string }).former, key);
  const record = JSON.parse(await type(`invocation ${waiting} --wait --json`)) as InvocationRecord;
  assert.equal(record.status, 'succeeded');
  const logged = await beatsLogged();
  await until('the schedule goes on', async () => (await beatsLogged()) > logged);
});
