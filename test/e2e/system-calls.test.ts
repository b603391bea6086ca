import assert from 'node:assert/strict';
import { cp, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { exampleCall, exampleFolder } from '../support/example.ts';
import { call, problem } from '../support/http-call.ts';
import { HobServer } from '../support/hob-server.ts';
import { TemporaryFolder } from '../support/temporary-folder.ts';
import { until } from '../support/until.ts';

const strictFolder = join(import.meta.dirname, '../functions/strict');

let hob: HobServer;
let folder: TemporaryFolder;

before(async () => {
  hob = await HobServer.create();
  folder = await TemporaryFolder.create('system-calls');
  await hob.deploy(strictFolder);
});

after(async () => {
  await hob[Symbol.asyncDispose]();
  await folder[Symbol.asyncDispose]();
});

async function logs(): Promise<string> {
  return (await hob.hob(['logs', 'strict', '--tail', '1000'])).stdout;
}

/** Kills by cause, as the metrics count them. */
async function kills(): Promise<number> {
  const text = (await call(`${hob.url}/metrics`)).body.toString('utf8');
  return Number(/^hob_kills_total\{cause="syscall"\} (\d+)$/m.exec(text)?.[1] ?? '0');
}

for (const [path, name] of [
  ['self', 'mkdir(?:at)?'],
  ['threads', 'mkdir(?:at)?'],
  ['worker', 'mkdir(?:at)?'],
  ['shell', 'umask'],
  ['grandchild', 'mkdir(?:at)?'],
  ['caught', 'mkdir(?:at)?'],
] as const) {
  test(`a denied system call (${path}) gives 502 ERR_FN_FORBIDDEN_SYSCALL with its name, and a clean container next`, async () => {
    assert.equal((await hob.fn('strict')).body.toString('utf8'), 'fine');
    const before = await kills();
    const answer = await hob.fn(`strict/${path}`);
    assert.equal(problem(answer), '502 ERR_FN_FORBIDDEN_SYSCALL');
    const { detail, instance } = JSON.parse(answer.body.toString('utf8'));
    assert.match(detail, new RegExp(`: ${name}$`));
    const next = await hob.fn('strict');
    assert.equal(next.body.toString('utf8'), 'fine');
    assert.notEqual(next.headers['hob-start'], 'warm');
    assert.equal(await kills(), before + 1);
    await until('the log names it', async () => (await logs()).includes(`${instance.slice(0, 8)} platform ${detail}`));
  });
}

test('a denied system call after the response ends the container, and the log names it', async () => {
  const answer = await hob.fn('strict/afterwards');
  assert.equal(answer.body.toString('utf8'), 'answered');
  const id = (answer.headers['hob-invocation-id'] ?? '').slice(0, 8);
  await until('the log names it', async () => new RegExp(`${id} platform .*: mkdir`).test(await logs()));
});

test('hob deploy refuses rules that cannot hold, at their place', async () => {
  const copy = join(folder.path, 'refused');
  await cp(strictFolder, copy, { recursive: true });
  await writeFile(join(copy, 'hob.json'), '{ "name": "refused",\n  "seccomp": { "deny": ["futex", "opem"] } }');
  const { exitCode, stderr } = await hob.hob(['deploy', copy]);
  assert.equal(exitCode, 1);
  assert.match(stderr, /hob\.json:2:25 seccomp\.deny\[0\]: is a system call that the runtime itself needs/);
  assert.match(stderr, /hob\.json:2:34 seccomp\.deny\[1\]: is no system call; did you mean "open"\?/);
});

test('what hob seccomp learn writes is enough for the calls it saw, and ends what it did not see', async () => {
  const own = join(folder.path, 'strict');
  await cp(strictFolder, own, { recursive: true });
  const input = '{"path":"/"}\n{"path":"/file"}\n';
  const learnt = await hob.hob(['seccomp', 'learn', 'strict', '--calls', '-', '--write', own], { input });
  assert.equal(learnt.exitCode, 0, learnt.stderr);
  const { seccomp } = JSON.parse(learnt.stdout);
  assert.ok(seccomp.allow.includes('openat') && !seccomp.allow.includes('mkdir'), learnt.stdout);
  assert.deepEqual(JSON.parse(await readFile(join(own, 'hob.json'), 'utf8')).seccomp, seccomp);
  await hob.deploy(own);
  assert.equal((await hob.fn('strict')).body.toString('utf8'), 'fine');
  assert.match((await hob.fn('strict/file')).body.toString('utf8'), /localhost/);
  const answer = await hob.fn('strict/shell');
  assert.equal(problem(answer), '502 ERR_FN_FORBIDDEN_SYSCALL');
  assert.match(JSON.parse(answer.body.toString('utf8')).detail, /: (?:socketpair|clone|vfork|fork)$/);
});

test('the thumbnail example runs under the rules that were learnt of it', async () => {
  const own = join(folder.path, 'thumbnail');
  await cp(exampleFolder('thumbnail'), own, { recursive: true });
  await symlink(join(import.meta.dirname, '../../node_modules'), join(folder.path, 'node_modules'));
  await hob.deploy(own);
  const { method, path, headers, body, expect } = exampleCall('thumbnail');
  const example = { method, path, headers, body: Buffer.from(body ?? []).toString('base64'), bodyEncoding: 'base64' };
  const input = JSON.stringify(example);
  const learnt = await hob.hob(['seccomp', 'learn', 'thumbnail', '--calls', '-', '--write', own, '--json'], { input });
  assert.equal(learnt.exitCode, 0, learnt.stderr);
  assert.deepEqual(JSON.parse(learnt.stdout).calls, [{ status: expect.status, outcome: 'ok' }]);
  await hob.deploy(own);
  for (let round = 0; round < 3; round += 1) {
    const answer = await hob.fn(`thumbnail${path}`, { method, headers, ...(body && { body }) });
    assert.equal(answer.status, expect.status, answer.body.toString('utf8'));
    assert.equal(answer.headers['content-type'], expect.contentType);
  }
});
