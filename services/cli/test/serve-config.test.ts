import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { localUrl, parseListen, parseServerUrl } from '../src/address.ts';
import { readServeConfig, settings, shownConfig, unknownVariables } from '../src/serve/serve-config.ts';
import { serveHelp } from '../src/serve/serve-help.ts';

const rejection = (env: Record<string, string>): string => {
  try {
    readServeConfig(env);
  } catch (error) {
    assert.equal((error as { code?: string }).code, 'ERR_CONFIG_INVALID');
    return (error as Error).message;
  }
  return 'accepted';
};

test('readServeConfig() without variables gives every default', () => {
  const { server, scheduler, gateway } = readServeConfig({});
  assert.equal(server.listen, '127.0.0.1:8080');
  assert.equal(server.dataDir, '/var/lib/hob');
  assert.equal(server.redisUrl, undefined);
  assert.equal(scheduler.poolMin, 2);
  assert.deepEqual(scheduler.poolWarmMb, [256]);
  assert.equal(gateway.trustForwarded, false);
  assert.equal(server.workers, 1);
});

test('readServeConfig() takes every kind of value from its variable', () => {
  const { server, scheduler, gateway } = readServeConfig({
    HOB_LISTEN: '[::1]:0',
    HOB_REDIS_URL: 'redis://127.0.0.1:6379/1',
    HOB_LOG_LEVEL: 'debug',
    HOB_POOL_MIN: '0',
    HOB_POOL_WARM_MB: '128, 512',
    HOB_HTTP_TRUST_FORWARDED: 'true',
    HOB_HTTP_DRAIN_MS: '5',
    HOB_QUEUE_MAX: '',
  });
  assert.equal(server.listen, '[::1]:0');
  assert.equal(server.redisUrl, 'redis://127.0.0.1:6379/1');
  assert.equal(server.logLevel, 'debug');
  assert.equal(scheduler.poolMin, 0);
  assert.deepEqual(scheduler.poolWarmMb, [128, 512]);
  assert.equal(scheduler.queueMax, 1000, 'an empty variable counts as none');
  assert.equal(gateway.trustForwarded, true);
  assert.equal(gateway.drainMs, 5);
});

test('readServeConfig() refuses a bad value with the place and the accepted range', () => {
  assert.match(rejection({ HOB_POOL_MIN: '-1' }), /^HOB_POOL_MIN: must be a whole number from 0 to \d+, not "-1"$/);
  assert.match(rejection({ HOB_POOL_MIN: '1.5' }), /^HOB_POOL_MIN: /);
  assert.match(rejection({ HOB_POOL_MIN: '0x10' }), /^HOB_POOL_MIN: /);
  assert.match(rejection({ HOB_POOL_WARM_MB: '100' }), /^HOB_POOL_WARM_MB: must be .* 128, 192/);
  for (const workers of ['0', '65', '2.5', 'many', '-1']) {
    const said = rejection({ HOB_WORKERS: workers });
    assert.equal(said, `HOB_WORKERS: must be a whole number from 1 to 64, not "${workers}"`);
  }
  assert.match(rejection({ HOB_LOG_LEVEL: 'loud' }), /^HOB_LOG_LEVEL: must be one of trace, debug/);
  assert.match(rejection({ HOB_DATA_DIR: 'here' }), /^HOB_DATA_DIR: must be an absolute path, not "here"$/);
  assert.match(rejection({ HOB_HTTP_TRUST_FORWARDED: 'yes' }), /must be true or false/);
  assert.match(rejection({ HOB_REDIS_URL: 'http://x' }), /^HOB_REDIS_URL: /);
  assert.match(rejection({ HOB_LISTEN: 'a b:1' }), /^HOB_LISTEN: /);
});

test('readServeConfig() refuses a URL of Redis that is none, and a prefix that is none or for nothing, without passwords', () => {
  for (const url of ['ftp://:sesame@x', 'redis+sentinel://:sesame@x', 'redis+cluster://:sesame@x/1', 'redis:/sesame']) {
    const said = rejection({ HOB_REDIS_URL: url });
    assert.match(said, /^HOB_REDIS_URL: must /);
    assert.doesNotMatch(said, /sesame/);
  }
  for (const prefix of ['a:b', '{a}', '-', 'ä', 'x'.repeat(65)]) {
    assert.match(rejection({ HOB_REDIS_URL: 'redis://x', HOB_REDIS_PREFIX: prefix }), /^HOB_REDIS_PREFIX: /);
  }
  assert.match(rejection({ HOB_REDIS_PREFIX: 'blue' }), /^HOB_REDIS_PREFIX: .* set HOB_REDIS_URL too$/);
  const config = readServeConfig({ HOB_REDIS_URL: 'redis+cluster://ada:sesame@x', HOB_REDIS_PREFIX: 'blue.1_x-y' });
  assert.equal(config.server.redisPrefix, 'blue.1_x-y');
  assert.match(JSON.stringify(shownConfig(config)), /"redisUrl":"redis\+cluster:\/\/x:6379"/);
  assert.doesNotMatch(JSON.stringify(shownConfig(config)), /ada|sesame/);
});

test('readServeConfig() names every bad variable at once', () => {
  assert.match(rejection({ HOB_POOL_MIN: 'x', HOB_QUEUE_MAX: 'y' }), /^HOB_POOL_MIN: .*\nHOB_QUEUE_MAX: [^\n]*$/);
});

test('settings have variables that differ, and the help names each with its default', () => {
  const names = settings.map(({ name }) => name);
  assert.equal(new Set(names).size, names.length);
  const help = serveHelp();
  for (const { name, schema } of settings) {
    assert.match(name, /^HOB_[A-Z0-9]+(?:_[A-Z0-9]+)*$/);
    assert.ok(schema.description, `${name} is documented`);
    assert.ok(help.includes(`  ${name}\n      ${schema.description}`));
  }
});

test('unknownVariables() finds misspelt ones, and no others', () => {
  const env = { HOB_POOL_MNI: '1', HOB_POOL_MIN: '1', HOB_TOKEN: 'x', HOB_URL: 'x', HOB_DEBUG: '1', PATH: '/bin' };
  assert.deepEqual(unknownVariables(env), ['HOB_POOL_MNI']);
});

test('parseListen() reads the three forms', () => {
  assert.deepEqual(parseListen('0.0.0.0:80', 'x'), { host: '0.0.0.0', port: 80 });
  assert.deepEqual(parseListen('hob.local:8080', 'x'), { host: 'hob.local', port: 8080 });
  assert.deepEqual(parseListen('[::1]:8080', 'x'), { host: '::1', port: 8080 });
  assert.deepEqual(parseListen('9090', 'x'), { host: '127.0.0.1', port: 9090 });
});

test('parseListen() gives an address that can be written as a URL, or ERR_CONFIG_INVALID', () => {
  const piece = fc.constantFrom('[', ']', ':', '::1', '127.0.0.1', 'a', '8080', '99999', '/', ' ', '-', '');
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 6 }), (pieces) => {
      const text = pieces.join('');
      try {
        const address = parseListen(text, 'x');
        assert.ok(address.port <= 65_535);
      } catch (error) {
        assert.equal((error as { code?: string }).code, 'ERR_CONFIG_INVALID');
      }
    }),
  );
});

test('localUrl() names an address that a client of this machine reaches', () => {
  assert.equal(localUrl({ host: '0.0.0.0', port: 80 }), 'http://127.0.0.1:80');
  assert.equal(localUrl({ host: '::', port: 80 }), 'http://[::1]:80');
  assert.equal(localUrl({ host: '10.1.2.3', port: 8080 }), 'http://10.1.2.3:8080');
});

test('parseServerUrl() writes one server in one way', () => {
  assert.equal(parseServerUrl('http://localhost:8080/', 'x'), 'http://127.0.0.1:8080');
  assert.equal(parseServerUrl('https://hob.example', 'x'), 'https://hob.example');
  for (const bad of ['hob.example', 'ftp://x', 'http://x/fn', 'http://x/?a']) {
    assert.throws(() => parseServerUrl(bad, 'HOB_URL'), { code: 'ERR_CONFIG_INVALID' });
  }
});
