import assert from 'node:assert/strict';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { writeFunction } from '../support/function-folder.ts';
import { HobServer, type CommandResult } from '../support/hob-server.ts';
import { call } from '../support/http-call.ts';
import { TemporaryFolder } from '../support/temporary-folder.ts';
import { until } from '../support/until.ts';

let hob: HobServer;
let folder: TemporaryFolder;

before(async () => {
  hob = await HobServer.create();
  folder = await TemporaryFolder.create('shell');
});

after(async () => {
  await hob[Symbol.asyncDispose]();
  await folder[Symbol.asyncDispose]();
});

/** Types a command in the empty folder. */
async function type(...args: string[]): Promise<CommandResult> {
  return hob.hob(args, { cwd: folder.path });
}

async function typeJson(...args: string[]) {
  const result = await type(...args, '--json');
  assert.equal(result.exitCode, 0, result.stderr);
  return JSON.parse(result.stdout);
}

const upperCase = (prefix: string): string => `
  export const handler = async (event: { text?: string } | undefined) => {
    console.log('asked for', event?.text);
    console.error('a line on stderr');
    return { upper: '${prefix}' + String(event?.text ?? '').toUpperCase() };
  };
`;

test("hob: a function of one's own is deployed, called, listed, described, read in the log and removed", async () => {
  const own = await writeFunction(join(folder.path, 'upper'), { name: 'upper' }, upperCase(''));
  const deployed = await type('deploy', own);
  assert.equal(deployed.exitCode, 0, deployed.stderr);
  assert.match(deployed.stdout, /upper@1/);
  assert.match(deployed.stdout, new RegExp(`${hob.url}/fn/upper`));

  const invoked = await type('invoke', 'upper', '--data', '{"text":"kettle"}');
  assert.deepEqual([invoked.exitCode, JSON.parse(invoked.stdout)], [0, { upper: 'KETTLE' }], invoked.stderr);
  await writeFile(join(folder.path, 'event.json'), '{"text":"from a file"}');
  const fromFile = await type('invoke', 'upper', '--data', '@event.json', '--receipt');
  assert.deepEqual(JSON.parse(fromFile.stdout), { upper: 'FROM A FILE' });
  assert.match(fromFile.stderr, /warm/, 'the receipt is a hint and stands on stderr');
  const fromInput = await hob.hob(['invoke', 'upper', '--data', '@-'], { input: '{"text":"piped"}' });
  assert.deepEqual(JSON.parse(fromInput.stdout), { upper: 'PIPED' });

  assert.match((await type('ls')).stdout, /upper/);
  assert.ok(JSON.stringify(await typeJson('ls')).includes('"upper"'));
  assert.match((await type('describe', 'upper')).stdout, /[0-9a-f]{12}/, 'it shows the digest');
  assert.ok(JSON.stringify(await typeJson('describe', 'upper')).includes('"memoryMb":256'), 'defaults are shown');

  const logs = await until('the log has the last call', async () => {
    const shown = await type('logs', 'upper');
    assert.equal(shown.exitCode, 0, shown.stderr);
    return shown.stdout.includes('asked for piped') && shown;
  });
  assert.match(logs.stdout, /asked for kettle/);
  assert.match(logs.stdout, /a line on stderr/);
  assert.ok(logs.stdout.indexOf('asked for kettle') < logs.stdout.indexOf('asked for piped'), 'oldest first');

  assert.equal((await type('rm', 'upper', '--yes')).exitCode, 0);
  assert.doesNotMatch((await type('ls')).stdout, /upper/);
  const gone = await type('invoke', 'upper');
  assert.equal(gone.exitCode, 1);
  assert.match(gone.stderr, /ERR_FN_NOT_FOUND/);
  assert.equal(gone.stdout, '');
});

test('hob deploy makes a new version at once, keeps the old one callable, and gives no number twice', async () => {
  const own = await writeFunction(join(folder.path, 'again'), { name: 'again' }, upperCase('one '));
  await hob.deploy(own);
  await writeFunction(own, { name: 'again' }, upperCase('two '));
  await hob.deploy(own);
  const ask = async (name: string) => JSON.parse((await type('invoke', name, '--data', '{"text":"x"}')).stdout).upper;
  assert.deepEqual([await ask('again'), await ask('again@1'), await ask('again@2')], ['two X', 'one X', 'two X']);
  assert.equal((await type('rm', 'again', '--yes')).exitCode, 0);
  const third = await type('deploy', own);
  assert.match(third.stdout, /again@3/);
  assert.equal((await type('rm', 'again', '--yes')).exitCode, 0);
});

test('hob init writes a function that deploys and answers', async () => {
  const fresh = join(folder.path, 'fresh-one');
  await mkdir(fresh);
  const made = await hob.hob(['init'], { cwd: fresh });
  assert.equal(made.exitCode, 0, made.stderr);
  assert.match(await readFile(join(fresh, 'hob.json'), 'utf8'), /"name": "fresh-one"/);
  const deployed = await hob.hob(['deploy', '.'], { cwd: fresh });
  assert.equal(deployed.exitCode, 0, deployed.stderr);
  assert.equal((await call(`${hob.url}/fn/fresh-one`)).status, 200);
  const twice = await hob.hob(['init'], { cwd: fresh });
  assert.equal(twice.exitCode, 2, 'it must not write over what is there');
});

test('hob deploy refuses what is wrong, says where, and deploys nothing', async () => {
  const bad = await writeFunction(join(folder.path, 'bad'), { name: 'bad' }, 'export const handler = async () => ({;');
  const broken = await type('deploy', bad);
  assert.equal(broken.exitCode, 1);
  assert.match(broken.stderr, /index\.ts:1:\d+/);
  assert.match(broken.stderr, /ERR_BUILD_FAILED/);
  await writeFile(join(bad, 'hob.json'), '{\n  "name": "bad",\n  "memoryMb": 3 // too little\n}\n');
  const refused = await type('deploy', bad);
  assert.equal(refused.exitCode, 1);
  assert.match(refused.stderr, /hob\.json:3/);
  assert.match(refused.stderr, /128/);
  assert.doesNotMatch((await type('ls')).stdout, /bad/);
});

test('hob tells usage mistakes (2) from failures (1)', async () => {
  assert.equal((await type('no-such-command')).exitCode, 2);
  assert.equal((await type('deploy', '--no-such-option')).exitCode, 2);
  assert.equal((await type('invoke')).exitCode, 2);
  assert.equal((await type('invoke', 'nobody')).exitCode, 1);
  assert.equal((await type('logs', 'nobody')).exitCode, 1);
  assert.equal((await type('--help')).exitCode, 0);
});

test('hob stats and hob doctor speak JSON', async () => {
  const stats = await typeJson('stats');
  assert.ok(Array.isArray(stats.pools) && stats.pools.length > 0);
  const doctor = await type('doctor', '--json');
  assert.equal(doctor.exitCode, 0, doctor.stdout);
  assert.ok(JSON.parse(doctor.stdout) !== null);
});

test('the control API refuses callers without the token', async () => {
  const answer = await call(`${hob.url}/v1/functions`);
  assert.equal(answer.status, 401);
  assert.equal((await call(`${hob.url}/v1/openapi.json`)).status, 200);
});
