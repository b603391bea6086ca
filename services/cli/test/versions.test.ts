import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hob } from './fakes/command-run.ts';
import { ControlServer, json, sendProblem } from './fakes/control-server.ts';
import { alias, summary, version } from './fakes/samples.ts';

const functionPath = '/v1/functions/hello';

async function run(answers: Parameters<typeof ControlServer.start>[0], args: readonly string[], stdin = '') {
  await using server = await ControlServer.start(answers);
  const outcome = await hob(args, { env: { HOB_URL: server.url }, stdin });
  return { ...outcome, seen: server.seen };
}

test('hob alias set sends versions and weights, of the alias live unless another one is named', async () => {
  const cases: [string[], string, unknown][] = [
    [['hello', '7'], 'live', { weights: [{ version: 7, weight: 100 }] }],
    [['hello:beta', 'v8'], 'beta', { weights: [{ version: 8, weight: 100 }] }],
    [
      ['hello', 'v7=95,v8=5', '--sticky', 'cookie:session'],
      'live',
      {
        weights: [
          { version: 7, weight: 95 },
          { version: 8, weight: 5 },
        ],
        sticky: 'cookie:session',
      },
    ],
  ];
  for (const [args, name, body] of cases) {
    const route = `PUT ${functionPath}/aliases/${name}`;
    const { code, stdout, seen } = await run({ [route]: json({ ...alias, name }) }, ['alias', 'set', ...args]);
    assert.deepEqual([code, stdout], [0, name === 'live' ? 'hello:live  3\n' : `hello:${name}  3\n`]);
    assert.deepEqual(JSON.parse(seen[0]?.body ?? ''), body);
  }
});

test('hob alias, hob rollback, hob diff and hob secret refuse what can be no name, version or weight', async () => {
  for (const args of [
    ['alias', 'set', 'hello', 'x'],
    ['alias', 'set', 'hello', '7,8'],
    ['alias', 'set', 'hello', '7=0'],
    ['alias', 'set', 'hello:v7', '7'],
    ['alias', 'set', 'hello:a:b', '7'],
    ['alias', 'rm', 'Hello:a'],
    ['rollback', 'hello@7'],
    ['diff', 'hello', '7', 'latest'],
    ['secret', 'set', 'hello', 'A-B'],
    ['secret', 'set', 'hello', 'EMPTY'],
  ]) {
    const { code, stderr, seen } = await run({}, args);
    assert.deepEqual([code, seen.length], [2, 0], args.join(' '));
    assert.match(stderr, /ERR_CLI_USAGE/);
  }
});

test('hob alias ls and hob versions show what the aliases name, in percent', async () => {
  const weights = [
    { version: 2, weight: 2 },
    { version: 3, weight: 1 },
  ];
  const beta = { ...alias, name: 'beta', weights };
  const list = await run({ [`GET ${functionPath}/aliases`]: json([beta, alias]) }, ['alias', 'ls', 'hello']);
  assert.match(list.stdout, /^beta +2 \(66\.7 %\), 3 \(33\.3 %\) +header:hob-sticky/m);
  const description = {
    summary: { ...summary, aliases: [beta, alias] },
    versions: [{ ...version, version: 2 }, version],
  };
  const versions = await run({ [`GET ${functionPath}`]: json(description) }, ['versions', 'hello']);
  assert.match(versions.stdout, /^2 +beta \(66\.7 %\) +abababababab /m);
  assert.match(versions.stdout, /^3 +beta \(33\.3 %\), live +abababababab /m);
});

test('hob rollback prints what is live now', async () => {
  const { stdout } = await run({ [`POST ${functionPath}/rollback`]: json(alias) }, ['rollback', 'hello', '--json']);
  assert.deepEqual(JSON.parse(stdout), alias);
});

test('hob diff shows settings and files that differ, but no value of env', async () => {
  const file = (path: string, sha256: string) => ({ path, bytes: 10, sha256: sha256.repeat(64) });
  const after = { ...version, config: { ...version.config, cpu: 2, env: { GREETING: 'CANARY' } } };
  const answers = {
    [`GET ${functionPath}/versions/2`]: json({ version, files: [file('a', '1'), file('same', '3')] }),
    [`GET ${functionPath}/versions/3`]: json({ version: after, files: [file('b', '2'), file('same', '3')] }),
  };
  const { stdout } = await run(answers, ['diff', 'hello', '2', '3']);
  assert.deepEqual(stdout.split('\n'), [
    '- cpu 1',
    '+ cpu 2',
    '- env.GREETING',
    '+ env.GREETING',
    '- file a  10 B  111111111111',
    '+ file b  10 B  222222222222',
    '',
  ]);
});

test('hob alias set shows what a version threw that cannot be loaded', async () => {
  const failure = { name: 'TypeError', message: 'no', stack: 'TypeError: no\n    at index.ts:1:1' };
  const route = `PUT ${functionPath}/aliases/live`;
  const answers = {
    [route]: (_: unknown, response: Parameters<typeof sendProblem>[0]) =>
      sendProblem(response, 'ERR_FN_NOT_PROVEN', 'hello@7 is not made live', { failure }),
  };
  const { code, stderr } = await run(answers, ['alias', 'set', 'hello', '7']);
  assert.equal(code, 1);
  assert.match(stderr, /ERR_FN_NOT_PROVEN/);
  assert.match(stderr, /at index\.ts:1:1/);
});

test('hob secret set sends what comes on standard input without its last newline, and never prints it', async () => {
  const route = `PUT ${functionPath}/secrets/API_KEY`;
  const note = { name: 'API_KEY', updatedAt: '2026-01-02T03:04:05.000Z' };
  for (const json_ of [[], ['--json']]) {
    const args = ['secret', 'set', 'hello', 'API_KEY', ...json_];
    const { code, stdout, stderr, seen } = await run({ [route]: json(note) }, args, 'CANARY\n\n');
    assert.equal(code, 0);
    assert.deepEqual(JSON.parse(seen[0]?.body ?? ''), { value: 'CANARY\n' });
    assert.doesNotMatch(stdout + stderr, /CANARY/);
  }
  const list = await run({ [`GET ${functionPath}/secrets`]: json([note]) }, ['secret', 'ls', 'hello']);
  assert.match(list.stdout, /^API_KEY +2026-01-02T03:04:05/m);
});
