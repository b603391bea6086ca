import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { writeFunction } from '../support/function-folder.ts';
import { HobServer } from '../support/hob-server.ts';
import { call } from '../support/http-call.ts';
import { TemporaryFolder } from '../support/temporary-folder.ts';
import { until } from '../support/until.ts';

/** Tells the length and the end of its secret, and takes its time when asked to. */
const source = `
  export default async (request: Request): Promise<Response> => {
    const { API_KEY = '', NOT_NAMED } = process.env;
    const ms = Number(new URL(request.url).searchParams.get('ms') ?? '0');
    await new Promise((resolve) => setTimeout(resolve, ms));
    return Response.json({ ends: API_KEY.slice(-6), length: API_KEY.length, isNotNamed: NOT_NAMED === undefined });
  };`;

test('secrets reach their function and no log, answer, receipt, listing or file', async () => {
  const [first, second] = [`first-${randomBytes(24).toString('hex')}`, `second-${randomBytes(24).toString('hex')}`];
  await using hob = await HobServer.create({ env: { HOB_LOG_LEVEL: 'trace' } });
  await using folder = await TemporaryFolder.create('secrets');
  const own = await writeFunction(
    join(folder.path, 'keen'),
    { name: 'keen', minWarm: 1, secrets: ['API_KEY'] },
    source,
  );
  const seen: string[] = [];
  const hobCommand = async (args: readonly string[], input = '') => {
    const result = await hob.hob(args, { input });
    seen.push(result.stdout, result.stderr);
    return result;
  };
  const refused = await hobCommand(['deploy', own]);
  assert.equal(refused.exitCode, 1);
  assert.match(refused.stderr, /API_KEY \(ERR_SECRET_MISSING\)/);

  assert.equal((await hobCommand(['secret', 'set', 'keen', 'API_KEY'], `${first}\n`)).exitCode, 0);
  assert.equal((await hobCommand(['secret', 'set', 'keen', 'NOT_NAMED'], first)).exitCode, 0);
  assert.equal((await hobCommand(['deploy', own])).exitCode, 0);
  const ask = async (query = '') => {
    const answer = await hob.fn(`keen${query}`);
    seen.push(JSON.stringify(answer.headers));
    return JSON.parse(answer.body.toString());
  };
  assert.deepEqual(await ask(), { ends: first.slice(-6), length: first.length, isNotNamed: true });

  // One that runs keeps what it has; those after it get the new one.
  const running = ask('?ms=1500');
  await until('the call runs', async () => {
    const { functions } = (await hob.control('stats')) as { functions: readonly { readonly busy: number }[] };
    return functions.some(({ busy }) => busy > 0);
  });
  assert.equal((await hobCommand(['secret', 'set', 'keen', 'API_KEY'], second)).exitCode, 0);
  assert.equal((await ask()).ends, second.slice(-6));
  assert.equal((await running).ends, first.slice(-6));
  for (let time = 0; time < 5; time += 1) assert.equal((await ask()).ends, second.slice(-6));

  for (const args of [
    ['describe', 'keen'],
    ['secret', 'ls', 'keen'],
    ['versions', 'keen'],
    ['ls'],
    ['stats'],
    ['logs', 'keen'],
    ['diff', 'keen', '1', '1'],
  ]) {
    const result = await hobCommand([...args, '--json']);
    assert.equal(result.exitCode, 0, `${args.join(' ')}: ${result.stderr}`);
  }
  assert.match((await hobCommand(['secret', 'ls', 'keen'])).stdout, /^API_KEY +\d{4}-/m);
  assert.match((await hobCommand(['describe', 'keen'])).stdout, /^secrets +API_KEY$/m);
  seen.push((await call(`${hob.url}/metrics`)).body.toString());
  assert.equal((await hobCommand(['secret', 'rm', 'keen', 'API_KEY'])).exitCode, 1, 'the live version names it');

  await hob.stop();
  await hob.start();
  assert.equal((await ask()).ends, second.slice(-6), 'after a restart');
  await hob.stop();
  const texts = [...seen, hob.output, ...(await allFiles(hob.dataDir))];
  for (const value of [first, second]) {
    const encoded = [value, Buffer.from(value).toString('base64').slice(0, 40), Buffer.from(value).toString('hex')];
    for (const form of encoded) assert.ok(!texts.some((text) => text.includes(form)), 'the value is somewhere');
  }
  assert.equal((await stat(join(hob.dataDir, 'secret.key'))).mode & 0o777, 0o600);

  const right = await readFile(join(hob.dataDir, 'secret.key'));
  await writeFile(join(hob.dataDir, 'secret.key'), `${randomBytes(32).toString('base64')}\n`);
  await assert.rejects(hob.start(), /ERR_SERVE_SECRET_KEY/);
  await hob.stop();
  await rm(join(hob.dataDir, 'secret.key'));
  await assert.rejects(hob.start(), /ERR_SERVE_SECRET_KEY/, 'a key that was lost');
  await hob.stop();
  await writeFile(join(hob.dataDir, 'secret.key'), right);
  await hob.start();
  assert.equal((await ask()).ends, second.slice(-6));
});

test('the key of the secrets is changed while hob runs, and from one that is given to another; functions notice nothing', async () => {
  const value = `value-${randomBytes(24).toString('hex')}`;
  await using hob = await HobServer.create();
  await using folder = await TemporaryFolder.create('secrets');
  const own = await writeFunction(join(folder.path, 'keen'), { name: 'keen', secrets: ['API_KEY'] }, source);
  assert.equal((await hob.hob(['secret', 'set', 'keen', 'API_KEY'], { input: value })).exitCode, 0);
  await hob.deploy(own);
  const keyFile = (name = 'secret.key') => readFile(join(hob.dataDir, name), 'utf8');
  const isRight = async (start?: string) => {
    const answer = await hob.fn('keen');
    assert.equal((JSON.parse(answer.body.toString()) as { ends: string }).ends, value.slice(-6), hob.output);
    if (start !== undefined) assert.equal(answer.headers['hob-start'], start);
  };
  await isRight();

  const first = await keyFile();
  const rotated = await hob.hob(['secret', 'rotate-key']);
  const said = /^1 secret is encrypted with a new key, ([0-9a-f]{12}); the former one was ([0-9a-f]{12})\n$/.exec(
    rotated.stdout,
  );
  assert.ok(said !== null && said[1] !== said[2], rotated.stdout + rotated.stderr);
  const second = await keyFile();
  assert.notEqual(second, first);
  assert.equal(await keyFile('secret.key.previous'), first);
  await isRight('warm');
  await hob.kill();
  await hob.start();
  await isRight();
  await assert.rejects(keyFile('secret.key.previous'), { code: 'ENOENT' });

  // From the file to a key that is given.
  const given = randomBytes(32).toString('hex');
  await hob.stop();
  await assert.rejects(
    hob.start({ HOB_SECRET_KEY: given }),
    new RegExp(`with the key ${said[1]}, and HOB_SECRET_KEY is `),
  );
  await hob.stop();
  await hob.start({ HOB_SECRET_KEY: given, HOB_SECRET_KEY_PREVIOUS: second });
  await isRight();
  const refused = await hob.hob(['secret', 'rotate-key']);
  assert.deepEqual([refused.exitCode, /ERR_SECRET_KEY_GIVEN/.test(refused.stderr)], [1, true], refused.stderr);
  await hob.kill();
  await hob.start({ HOB_SECRET_KEY: given });
  await isRight();
});

/** Every file of the data folder, byte by byte. */
async function allFiles(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  return Promise.all(files.map(({ parentPath, name }) => readFile(join(parentPath, name), 'latin1')));
}
