import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hob } from './fakes/command-run.ts';

const commands = [
  'serve',
  'init',
  'deploy',
  'invoke',
  'invocation',
  'ls',
  'describe',
  'logs',
  'rm',
  'stats',
  'top',
  'simulate',
  'seccomp',
  'dlq',
  'schedule',
  'doctor',
  'backup',
  'restore',
];

test('hob --help names every command, the environment and the exit codes', async () => {
  const { code, stdout, stderr } = await hob(['--help']);
  assert.equal(code, 0);
  assert.equal(stderr, '');
  for (const command of commands) assert.match(stdout, new RegExp(`^  ${command} `, 'm'));
  for (const name of ['HOB_URL', 'HOB_TOKEN', 'NO_COLOR']) assert.match(stdout, new RegExp(`^  ${name}`, 'm'));
  assert.match(stdout, /0 done, 1 failed, 2 wrong usage, 130 interrupted/);
});

test('hob serve --workers refuses a number that is out of range before it does anything', async () => {
  for (const workers of ['0', '1000', 'two']) {
    const { code, stderr } = await hob(['serve', '--workers', workers]);
    assert.equal(code, 1);
    assert.match(stderr, /HOB_WORKERS: must be a whole number from 1 to 64.*\(ERR_CONFIG_INVALID\)/);
  }
});

for (const command of commands.map(
  (name) => ({ seccomp: 'seccomp learn', dlq: 'dlq ls', schedule: 'schedule ls' })[name] ?? name,
)) {
  test(`hob ${command} --help has examples and --json`, async () => {
    const { code, stdout, stderr } = await hob([...command.split(' '), '--help']);
    assert.equal(code, 0, stderr);
    assert.match(stdout, /^ {2}--json/m);
    assert.match(stdout, /^Examples:\n {2}\$ /m);
    // A comment wider than a usual terminal cannot be read.
    for (const line of stdout.split('\n')) assert.ok(line.length <= 140, line);
  });
}

test('hob --version prints the version alone', async () => {
  const { code, stdout } = await hob(['--version']);
  assert.equal(code, 0);
  assert.match(stdout, /^\d+\.\d+\.\d+\n$/);
});

test('wrong usage is exit code 2, one error line and one hint line, in text and in JSON', async () => {
  const wrong = [
    ['nothing-like-it'],
    ['ls', '--nope'],
    ['ls', 'too', 'many'],
    ['describe'],
    ['logs', 'hello', '--tail', '-1'],
    ['logs', 'hello', '--tail', '10001'],
    ['rm'],
    ['seccomp', 'learn'],
    ['seccomp', 'forget', 'hello'],
    ['init', '--template', 'cobol'],
  ];
  for (const argv of wrong) {
    const { code, stdout, stderr } = await hob(argv);
    assert.equal(code, 2, argv.join(' '));
    assert.equal(stdout, '');
    assert.match(stderr, /^error: [^\n]+ \(ERR_CLI_USAGE\)\nhint: [^\n]+\n$/);
  }
  const { stderr } = await hob(['ls', '--nope', '--json']);
  const { error } = JSON.parse(stderr) as { error: { code: string } };
  assert.equal(error.code, 'ERR_CLI_USAGE');
});

test('a misspelt command gets a suggestion', async () => {
  const { stderr } = await hob(['depoly']);
  assert.match(stderr, /unknown command 'depoly' \(ERR_CLI_USAGE\)\nhint: \(Did you mean deploy\?\)/);
});

test('hob without a command shows the help on stderr and is exit code 2', async () => {
  const { code, stdout, stderr } = await hob([]);
  assert.equal(code, 2);
  assert.equal(stdout, '');
  assert.match(stderr, /^Usage: hob/);
});

test('bad HOB_URL and HOB_LISTEN are refused with their name', async () => {
  for (const [name, value] of [
    ['HOB_URL', 'ftp://x'],
    ['HOB_URL', 'http://x/path'],
    ['HOB_LISTEN', 'x:y'],
  ] as const) {
    const { code, stderr } = await hob(['ls'], { env: { [name]: value } });
    assert.equal(code, 1);
    assert.match(stderr, new RegExp(`^error: ${name}: .*\\(ERR_CONFIG_INVALID\\)`));
  }
});

test('colours are for terminals only, and NO_COLOR takes them away there too', async () => {
  const escape = '\u001b[';
  const env = { HOB_URL: 'nonsense' };
  assert.ok((await hob(['ls'], { env, tty: true })).stderr.includes(escape));
  assert.ok(!(await hob(['ls'], { env })).stderr.includes(escape));
  assert.ok(!(await hob(['ls'], { env: { ...env, NO_COLOR: '1' }, tty: true })).stderr.includes(escape));
});
