import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { type FunctionSettings, writeFunction } from '../support/function-folder.ts';
import { HobServer } from '../support/hob-server.ts';
import { TemporaryFolder } from '../support/temporary-folder.ts';

let hob: HobServer;
let folder: TemporaryFolder;

before(async () => {
  hob = await HobServer.create();
  folder = await TemporaryFolder.create('versions');
});

after(async () => {
  await hob[Symbol.asyncDispose]();
  await folder[Symbol.asyncDispose]();
});

const answering = (text: string): string => `export default (): Response => new Response('${text}');`;

/** @returns its folder. */
async function write(name: string, source: string, settings: Partial<FunctionSettings> = {}): Promise<string> {
  return writeFunction(join(folder.path, name), { name, ...settings }, source);
}

async function hobJson(...args: string[]) {
  const { exitCode, stdout, stderr } = await hob.hob([...args, '--json']);
  assert.equal(exitCode, 0, stderr);
  return JSON.parse(stdout);
}

/** The version that answered, by its own word and by `hob-version`. */
async function served(path: string, headers: Record<string, string> = {}): Promise<string> {
  const answer = await hob.fn(path, { headers });
  assert.equal(answer.status, 200, answer.body.toString());
  return `${answer.body.toString()} ${answer.headers['hob-version']}`;
}

test('a version that cannot be loaded never becomes live, and the deploy shows what it threw in its own source', async () => {
  const own = await write('careful', answering('one'));
  await hob.deploy(own);
  await write(
    'careful',
    'const settings: { port?: { n: number } } = {};\nexport const port = settings.port!.n;\nexport default 1;',
  );
  const failed = await hob.hob(['deploy', own]);
  assert.equal(failed.exitCode, 1);
  assert.match(failed.stderr, /ERR_FN_NOT_PROVEN/);
  assert.match(failed.stderr, /TypeError: Cannot read properties of undefined/);
  assert.match(failed.stderr, /at index\.ts:2:\d+/, 'the place in the source');
  assert.equal(await served('careful'), 'one 1');
  for (const source of ['process.exit(3);', 'while (true);', 'process.abort();']) {
    await write('careful', `${source}\nexport default (): string => 'never';`, { timeoutMs: 500 });
    const refused = await hob.hob(['deploy', own]);
    assert.equal(refused.exitCode, 1, source);
    assert.match(refused.stderr, /careful@\d is not made live.*\(ERR_FN_NOT_PROVEN\)/, source);
    assert.equal(await served('careful'), 'one 1');
  }
  const setting = await hob.hob(['alias', 'set', 'careful', '2']);
  assert.match(setting.stderr, /ERR_FN_NOT_PROVEN/);
  assert.equal(await served('careful'), 'one 1');
});

test('a new function whose first version cannot be loaded has no live version', async () => {
  const own = await write('stillborn', 'export default (): string => "never";\nthrow new Error("no");');
  assert.equal((await hob.hob(['deploy', own])).exitCode, 1);
  const answer = await hob.fn('stillborn');
  assert.deepEqual([answer.status, JSON.parse(answer.body.toString()).code], [404, 'ERR_FN_NOT_LIVE']);
  assert.match((await hob.hob(['ls'])).stdout, /^stillborn +- /m);
  assert.match((await hob.hob(['describe', 'stillborn'])).stdout, /^live +none$/m);
});

test('versions are tried, shared by weights, made live, rolled back and listed', async () => {
  const own = await write('shop', answering('one'));
  await hob.deploy(own);
  await write('shop', answering('two'), { memoryMb: 128, env: { PRICE: 'SECRET-PRICE' } });
  const tried = await hob.hob(['deploy', '--no-live', own]);
  assert.match(tried.stdout, /shop@2.*\/fn\/shop@2/);
  assert.deepEqual([await served('shop'), await served('shop@2')], ['one 1', 'two 2']);

  await hobJson('alias', 'set', 'shop:beta', 'v2');
  assert.equal(await served('shop@beta'), 'two 2');
  assert.deepEqual(
    (await hobJson('versions', 'shop')).map((each: { version: number; aliases: string[] }) => [
      each.version,
      each.aliases,
    ]),
    [
      [1, ['live']],
      [2, ['beta']],
    ],
  );

  await hobJson('alias', 'set', 'shop', 'v1=60,v2=40', '--sticky', 'cookie:session');
  const answers = await Promise.all(Array.from({ length: 100 }, () => served('shop')));
  assert.deepEqual([...new Set(answers)].toSorted(), ['one 1', 'two 2'], 'both are called');
  const sessions = Array.from({ length: 10 }, (_, at) => ({ cookie: `other=1; session=s${at}` }));
  for (const headers of sessions) {
    const first = await served('shop', headers);
    assert.equal(await served('shop', headers), first, 'a session stays where it is');
  }
  assert.match((await hob.hob(['alias', 'ls', 'shop'])).stdout, /^live +1 \(60 %\), 2 \(40 %\) +cookie:session/m);

  await hobJson('alias', 'set', 'shop', '2');
  assert.equal(await served('shop'), 'two 2');
  await hobJson('rollback', 'shop');
  await hobJson('rollback', 'shop');
  assert.equal(await served('shop'), 'one 1');
  const nothing = await hob.hob(['rollback', 'shop']);
  assert.deepEqual([nothing.exitCode, /ERR_FN_NO_PREVIOUS/.test(nothing.stderr)], [1, true]);

  const difference = await hob.hob(['diff', 'shop', 'v1', '2']);
  assert.match(difference.stdout, /^- memoryMb 256\n\+ memoryMb 128$/m);
  assert.match(difference.stdout, /^\+ env\.PRICE$/m);
  assert.match(difference.stdout, /^- file index\.mjs .*\n\+ file index\.mjs /m);
  assert.doesNotMatch(difference.stdout, /SECRET-PRICE/);
  assert.deepEqual(await hobJson('diff', 'shop', '1', '1'), { config: [], files: [] });

  assert.equal((await hob.hob(['alias', 'rm', 'shop:beta'])).exitCode, 0);
  assert.equal((await hob.fn('shop@beta')).status, 404);
});

test('aliases and what was live before outlive a restart', async () => {
  const own = await write('lasting', answering('one'));
  await hob.deploy(own);
  await write('lasting', answering('two'));
  await hob.deploy(own);
  await hobJson('alias', 'set', 'lasting:old', '1');
  await hob.stop();
  await hob.start();
  assert.deepEqual([await served('lasting'), await served('lasting@old')], ['two 2', 'one 1']);
  await hobJson('rollback', 'lasting');
  assert.equal(await served('lasting'), 'one 1');
});
