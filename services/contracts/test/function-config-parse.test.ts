import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Ajv } from 'ajv';
import * as fc from 'fast-check';
import {
  checkFunctionConfig,
  CONFIG_BYTES_MAX,
  functionConfigJsonSchema,
  functionConfigSchema,
  type HobError,
  isHobError,
  memoryClassMb,
  memoryClassesMb,
  parseFunctionConfig,
} from '../src/index.ts';

const defaults = {
  name: 'hello',
  runtime: 'nodejs24.x',
  entry: 'index.ts',
  memoryMb: 256,
  cpu: 1,
  timeoutMs: 30_000,
  concurrency: 1,
  maxContainers: 16,
  env: {},
  auth: 'open',
  assets: [],
  egress: 'none',
  nofile: 1024,
  tmpMb: 64,
  responseBytesMax: 1_073_741_824,
};

function refused(action: () => unknown): HobError {
  try {
    action();
  } catch (error) {
    assert.ok(isHobError(error), `not catalogued: ${String(error)}`);
    return error;
  }
  return assert.fail('it was accepted');
}

function problemsOf(text: string): string {
  const error = refused(() => parseFunctionConfig(text, 'hob.json'));
  assert.equal(error.code, 'ERR_CONFIG_INVALID', error.message);
  return error.message;
}

/** What is wrong with one setting of a configuration that is right otherwise. */
function problemOf(settings: object): string {
  const error = refused(() => checkFunctionConfig({ name: 'hello', ...settings }));
  assert.equal(error.code, 'ERR_CONFIG_INVALID', error.message);
  return error.message;
}

test('parseFunctionConfig reads comments and trailing commas and fills in every default', () => {
  const text = '\uFEFF// a function\n{ "$schema": "http://x/schema/hob.json", /* its */ "name": "hello", }\n';
  assert.deepEqual(parseFunctionConfig(text, 'hob.json'), defaults);
});

test('parseFunctionConfig keeps what is set', () => {
  const set = {
    ...defaults,
    entry: 'src/main.js',
    memoryMb: 512,
    cpu: 0.5,
    timeoutMs: 1000,
    concurrency: 10,
    maxContainers: 2,
    minWarm: 1,
    keepAliveMs: 5000,
    reuse: 'always',
    env: { GREETING: 'hej', _x1: '' },
    auth: 'token',
    assets: ['public', 'data/*.csv'],
    cpuMs: 500,
    pids: 64,
    nofile: 512,
    tmpMb: 16,
    tmpFiles: 100,
    io: { readBytesPerSecond: 1_000_000, writesPerSecond: 10 },
    responseBytesMax: 1000,
    logBytesPerSecond: 1000,
    abortGraceMs: 500,
  };
  assert.deepEqual(parseFunctionConfig(JSON.stringify(set), 'hob.json'), set);
});

test('parseFunctionConfig names line and column of what is no JSON', () => {
  const error = refused(() => parseFunctionConfig('{\n  "name": "hello"\n  "cpu": 1\n}', 'my/hob.json'));
  assert.equal(error.code, 'ERR_CONFIG_SYNTAX');
  assert.equal(error.message, 'my/hob.json:3:3: comma expected');
  for (const text of ['', '  // nothing\n', '{', '{"name": }', "{'name': 1}", '{} {}', '{"name": "x\ny"}', '\0']) {
    assert.equal(refused(() => parseFunctionConfig(text, 'hob.json')).code, 'ERR_CONFIG_SYNTAX', JSON.stringify(text));
  }
});

test('parseFunctionConfig names place, setting and accepted range of a bad value', () => {
  const text = '{\n  "name": "hello",\n  // too small\n  "memoryMb": 64\n}';
  assert.equal(problemsOf(text), 'hob.json:4:3 memoryMb: must be an integer from 128 to 8192');
});

test('parseFunctionConfig reports every problem, one a line', () => {
  const text = `{
  "name": "Hello",
  "memoryMB": 256,
  "cpu": "2",
  "colour": "red",
  "env": { "1A": "x", "B": 2 },
  "assets": ["ok", 5],
}`;
  assert.deepEqual(problemsOf(text).split('\n').toSorted(), [
    'hob.json:2:3 name: must be 1 to 63 lower-case letters, digits and hyphens, starting with a letter',
    'hob.json:3:3 memoryMB: is no setting; did you mean "memoryMb"?',
    'hob.json:4:3 cpu: must be a number from 0.05 to 64, not a string',
    'hob.json:5:3 colour: is no setting; there are name, runtime, entry, memoryMb, cpu, timeoutMs, concurrency, ' +
      'maxContainers, minWarm, keepAliveMs, reuse, env, secrets, auth, assets, egress, cpuMs, pids, nofile, tmpMb, tmpFiles, io, responseBytesMax, ' +
      'logBytesPerSecond, abortGraceMs, seccomp, delivery, async, schedule',
    'hob.json:6:12 env.1A: is not accepted as a name; it must match ^[A-Za-z_][A-Za-z0-9_]{0,127}$',
    'hob.json:6:23 env.B: must be a string of 0 to 32768 characters, not 2',
    'hob.json:7:20 assets[1]: must be a string of 1 to 1024 characters, not 5',
  ]);
});

test('parseFunctionConfig names a missing setting at the object that lacks it', () => {
  assert.match(problemsOf('\n {}'), /^hob\.json:2:2 name: is missing; it must be 1 to 63 lower-case letters/);
});

test('parseFunctionConfig refuses keys that are set twice, at the second place', () => {
  assert.equal(problemsOf('{"name": "a",\n"name": "b"}'), 'hob.json:2:1 name: is set twice');
  assert.equal(problemsOf('{"name": "a", "env": {"A": "1", "A": "1"}}'), 'hob.json:1:33 env.A: is set twice');
});

test('parseFunctionConfig and checkFunctionConfig refuse __proto__ as a key and pollute nothing', () => {
  for (const text of ['{"name":"a","__proto__":{"cpu":2}}', '{"name":"a","env":{"__proto__":"x"}}']) {
    assert.match(problemsOf(text), /__proto__: is not allowed as a key/);
    const error = refused(() => checkFunctionConfig(JSON.parse(text)));
    assert.match(error.message, /__proto__: is (?:no setting|not allowed as a key)/);
  }
  assert.equal(Object.hasOwn(Object.prototype, 'cpu'), false);
});

test('parseFunctionConfig refuses a file that is too large or nested too deeply', () => {
  const large = `{"name": "hello"}${' '.repeat(CONFIG_BYTES_MAX)}`;
  assert.match(refused(() => parseFunctionConfig(large, 'hob.json')).message, /larger than 262144 bytes/);
  for (const deep of ['['.repeat(CONFIG_BYTES_MAX), '{"a":'.repeat(1000), `${'['.repeat(40)}${']'.repeat(40)}`]) {
    const error = refused(() => parseFunctionConfig(deep, 'hob.json'));
    assert.equal(error.code, 'ERR_CONFIG_SYNTAX');
    assert.match(error.message, /nested deeper than 32 levels/);
  }
});

test('checkFunctionConfig fills in defaults and leaves the given value alone', () => {
  const env = Object.freeze({ A: 'b' });
  const value = Object.freeze({ name: 'hello', env });
  assert.deepEqual(checkFunctionConfig(value), { ...defaults, env });
  assert.deepEqual(checkFunctionConfig(checkFunctionConfig(value)), { ...defaults, env });
});

test('checkFunctionConfig gives every call defaults of its own', () => {
  const first = checkFunctionConfig({ name: 'a' });
  const second = checkFunctionConfig({ name: 'b' });
  assert.notEqual(first.env, second.env);
  assert.notEqual(first.assets, second.assets);
});

test('checkFunctionConfig accepts both ends of each range and refuses what is beyond', () => {
  const { properties } = functionConfigSchema;
  for (const key of ['memoryMb', 'cpu', 'timeoutMs', 'concurrency', 'maxContainers'] as const) {
    const { minimum, maximum, type } = properties[key];
    const range = `${key}: must be ${type === 'integer' ? 'an integer' : 'a number'} from ${minimum} to ${maximum}`;
    for (const value of [minimum, maximum]) assert.equal(checkFunctionConfig({ name: 'a', [key]: value })[key], value);
    for (const value of [minimum - 0.01, maximum + 1, -1]) assert.match(problemOf({ [key]: value }), new RegExp(range));
    for (const value of ['1', null, [], {}, true]) assert.ok(problemOf({ [key]: value }).startsWith(`${range}, not `));
  }
});

test('checkFunctionConfig refuses names that are no host name label', () => {
  for (const name of ['', 'A', '1a', '-a', 'a-', 'a_b', 'a.b', 'a/b', 'ä', 'a\n', 'a'.repeat(64), '__proto__']) {
    assert.match(problemOf({ name }), /^name: must be 1 to 63 lower-case letters/, JSON.stringify(name));
  }
  for (const name of ['a', 'a1', 'a-b', 'a'.repeat(63)]) assert.equal(checkFunctionConfig({ name }).name, name);
});

test('checkFunctionConfig names the choices', () => {
  assert.equal(problemOf({ auth: 'both' }), 'auth: must be "open" or "token"');
  assert.equal(problemOf({ runtime: 'nodejs20.x' }), 'runtime: must be "nodejs24.x"');
});

test('checkFunctionConfig does not repeat strings: they may be secrets', () => {
  assert.doesNotMatch(problemOf({ memoryMb: 'hunter2', env: { A: ['hunter2'] } }), /hunter2/);
});

test('checkFunctionConfig brings paths to their shortest form and refuses those that lead elsewhere', () => {
  const config = checkFunctionConfig({ name: 'a', entry: './src//index.ts'.replace('//', '/'), assets: ['./public/'] });
  assert.equal(config.entry, 'src/index.ts');
  assert.deepEqual(config.assets, ['public']);
  for (const path of [
    '..',
    '../x',
    'a/../../b',
    './..',
    '/',
    '/etc/passwd',
    'a\0b',
    'a\nb',
    'a\\b',
    '.',
    './',
    'a//b',
  ]) {
    assert.match(problemOf({ entry: path }), /^entry: /, JSON.stringify(path));
    assert.match(problemOf({ assets: ['ok', path] }), /^assets\[1\]: /, JSON.stringify(path));
  }
});

test('checkFunctionConfig refuses environments that no process could get', () => {
  assert.match(problemOf({ env: { A: 'x\0y' } }), /^env\.A: must not have a NUL/);
  const many = Object.fromEntries(Array.from({ length: 129 }, (_, index) => [`V${index}`, '']));
  assert.match(problemOf({ env: many }), /^env: must be an object with at most 128 keys/);
  const large = Object.fromEntries(Array.from({ length: 10 }, (_, index) => [`V${index}`, 'x'.repeat(32_768)]));
  assert.match(problemOf({ env: large }), /^env: takes \d+ bytes as JSON, at most 262144/);
  assert.match(problemOf({ env: { A: 'x'.repeat(32_769) } }), /^env\.A: must be a string of 0 to 32768 characters/);
});

test('checkFunctionConfig refuses what is no object', () => {
  for (const value of [undefined, null, 1, 'x', [], true]) {
    assert.match(refused(() => checkFunctionConfig(value)).message, /^configuration: must be an object, not /);
  }
});

test('parseFunctionConfig and checkFunctionConfig let nothing but ERR_CONFIG_* come out of anything', () => {
  const settings = fc.record(
    Object.fromEntries(Object.keys(functionConfigSchema.properties).map((key) => [key, fc.jsonValue()])),
    { requiredKeys: [] },
  );
  const attempt = (action: () => unknown): void => {
    try {
      action();
    } catch (error) {
      assert.ok(isHobError(error) && error.code.startsWith('ERR_CONFIG_'), String(error));
    }
  };
  fc.assert(
    fc.property(fc.oneof(fc.anything(), settings), (value) => attempt(() => checkFunctionConfig(value))),
    { numRuns: 300 },
  );
  const texts = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc
      .array(fc.constantFrom('{', '}', '[', ']', '"name"', ':', ',', '"a"', '1', '/*', '//', '\n'))
      .map((x) => x.join('')),
    settings.map((value) => JSON.stringify(value)),
  );
  fc.assert(
    fc.property(texts, (text) => attempt(() => parseFunctionConfig(text, 'hob.json'))),
    { numRuns: 300 },
  );
});

test('functionConfigJsonSchema is plain JSON Schema that asks for nothing but a name', () => {
  const plain = JSON.parse(JSON.stringify(functionConfigJsonSchema)) as Record<string, unknown>;
  assert.deepEqual(plain, functionConfigJsonSchema);
  assert.deepEqual(plain['required'], ['name']);
  const validate = new Ajv({ strict: false }).compile(plain);
  assert.equal(validate({ name: 'hello' }), true);
  assert.equal(validate({ name: 'hello', memory: 1 }), false);
});

/** Settings that are off, or the server's, when they are not given. */
const withoutDefault = [
  ...['cpuMs', 'pids', 'tmpFiles', 'io', 'logBytesPerSecond', 'abortGraceMs', 'seccomp', 'async', 'schedule'],
  ...['minWarm', 'keepAliveMs', 'reuse', 'secrets', 'delivery'],
];

test('functionConfigSchema requires each setting that has a default or needs none, and describes each', () => {
  const { required, properties } = functionConfigSchema;
  assert.deepEqual(Object.keys(properties).toSorted(), ['$schema', ...required, ...withoutDefault].toSorted());
  for (const key of withoutDefault) {
    const words = properties[key as keyof typeof properties];
    assert.ok(!('default' in words));
    assert.match(words.description, /when it is not given\.$/, 'it says what holds then');
  }
  for (const words of Object.values(properties)) assert.match(words.description, /\.$/);
});

test('parseFunctionConfig refuses limits out of range, and rates that there are not', () => {
  assert.equal(problemOf({ cpuMs: 9 }), 'cpuMs: must be an integer from 10 to 57600000');
  assert.equal(problemOf({ pids: 1 }), 'pids: must be an integer from 16 to 4096');
  assert.equal(problemOf({ nofile: 1e9 }), 'nofile: must be an integer from 64 to 65536');
  assert.equal(problemOf({ tmpMb: 0 }), 'tmpMb: must be an integer from 1 to 8192');
  assert.equal(problemOf({ io: 7 }), 'io: must be an object, not 7');
  assert.equal(
    problemOf({ io: { readBytesPerSecond: 1 } }),
    'io.readBytesPerSecond: must be an integer from 4096 to 1000000000000',
  );
  assert.equal(
    problemOf({ io: { reads: 1 } }),
    'io.reads: is no setting; there are readBytesPerSecond, writeBytesPerSecond, readsPerSecond, writesPerSecond',
  );
});

test('memoryClassMb is the largest class that is not above the memory', () => {
  const { minimum, maximum } = functionConfigSchema.properties.memoryMb;
  assert.equal(memoryClassesMb[0], minimum);
  fc.assert(
    fc.property(fc.integer({ min: minimum, max: maximum }), (memoryMb) => {
      const classMb = memoryClassMb(memoryMb);
      assert.ok(classMb <= memoryMb);
      assert.ok(memoryClassesMb.every((other) => other <= classMb || other > memoryMb));
    }),
  );
});

test('parseFunctionConfig refuses a concurrency above 1 when reuse is "never"', () => {
  assert.equal(
    problemsOf('{"name": "a", "concurrency": 2, "reuse": "never"}'),
    'hob.json:1:15 concurrency: must be 1 when reuse is "never": a call shares its container with no other',
  );
  const { concurrency, reuse } = parseFunctionConfig('{"name": "a", "reuse": "never"}', 'hob.json');
  assert.deepEqual([concurrency, reuse], [1, 'never']);
});

test('parseFunctionConfig refuses a minWarm above maxContainers', () => {
  assert.equal(
    problemsOf('{"name": "a", "minWarm": 3, "maxContainers": 2}'),
    'hob.json:1:15 minWarm: must not be above maxContainers, which is 2',
  );
});

test('checkFunctionConfig() takes names of secrets, and refuses those that can be none, with their place', () => {
  assert.deepEqual(checkFunctionConfig({ name: 'a', secrets: ['KEY', '_k2'] }).secrets, ['KEY', '_k2']);
  for (const [config, place] of [
    [{ secrets: ['1A'] }, 'secrets[0]: must be 1 to 128 letters'],
    [{ secrets: ['A', 'B', 'A'] }, 'secrets[2]: comes twice'],
    [{ secrets: ['A'], env: { A: 'x' } }, 'secrets[0]: is a name of env too'],
    [{ secrets: 'A' }, 'secrets: must be a list of at most 64 strings'],
  ] as const) {
    assert.throws(
      () => checkFunctionConfig({ name: 'a', ...config }),
      (error: Error) => error.message.startsWith(place) || assert.fail(error.message),
    );
  }
});
