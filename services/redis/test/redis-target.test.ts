import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { RedisTarget } from '../src/redis-target.ts';

const refusal = (url: string): string => {
  try {
    RedisTarget.parse(url);
  } catch (error) {
    assert.equal((error as { code?: string }).code, 'ERR_CONFIG_INVALID');
    return (error as Error).message;
  }
  return 'accepted';
};

test('RedisTarget.parse() reads a server, with and without TLS, user, port and database', () => {
  const server = { kind: 'server', isNode: false };
  assert.deepEqual(RedisTarget.parse('redis://redis.example').location, {
    ...server,
    at: { host: 'redis.example', port: 6379 },
    tls: false,
    db: 0,
    credentials: {},
  });
  assert.deepEqual(RedisTarget.parse('rediss://ada:p%40ss%2Fword@[fd00::1]:7000/12').location, {
    ...server,
    at: { host: 'fd00::1', port: 7000 },
    tls: true,
    db: 12,
    credentials: { username: 'ada', password: 'p@ss/word' },
  });
  assert.deepEqual(RedisTarget.parse('redis://:ses@me@10.0.0.1/').location.credentials, { password: 'ses@me' });
});

test('RedisTarget.parse() reads Sentinels with the name of the master, a database and passwords of both kinds', () => {
  const url = 'rediss+sentinel://ada:one@a,b:26380/the.master-1/3?sentinel_username=eve&sentinel_password=two%20';
  assert.deepEqual(RedisTarget.parse(url).location, {
    kind: 'sentinel',
    sentinels: [
      { host: 'a', port: 26_379 },
      { host: 'b', port: 26_380 },
    ],
    master: 'the.master-1',
    tls: true,
    db: 3,
    credentials: { username: 'ada', password: 'one' },
    sentinelCredentials: { username: 'eve', password: 'two ' },
  });
});

test('RedisTarget.parse() reads the nodes of a Cluster, and sockets', () => {
  assert.deepEqual(RedisTarget.parse('redis+cluster://:sesame@10.0.0.1:7000,10.0.0.2').location, {
    kind: 'cluster',
    nodes: [
      { host: '10.0.0.1', port: 7000 },
      { host: '10.0.0.2', port: 6379 },
    ],
    tls: false,
    credentials: { password: 'sesame' },
  });
  const socket = { kind: 'socket', path: '/run/redis.sock' };
  assert.deepEqual(RedisTarget.parse('/run/redis.sock').location, { ...socket, db: 0, credentials: {} });
  const credentials = { username: 'ada', password: 'sesame' };
  const { location } = RedisTarget.parse('unix://ada:sesame@/run/redis.sock?db=2');
  assert.deepEqual(location, { ...socket, db: 2, credentials });
});

test('RedisTarget.parse() says what is wrong with a URL, and nothing of the password in it', () => {
  const wrong: readonly [url: string, problem: RegExp][] = [
    ['http://:sesame@a', /must be redis:\/\/user:password@host:port\/db, redis\+sentinel:/],
    ['redis+sentinels://:sesame@a/m', /must be redis:/],
    ['a:6379', /must be redis:.* in a password, \/ \? # and % are written as %2F %3F %23 %25$/],
    ['redis://:sesame/of/all@a', /must name one host|its host 1 must be/],
    ['redis://:ses%ame@a', /percent sign/],
    ['redis://sesame@a', /must have a user with a password, or a password alone/],
    ['redis://sesame:@a', /must have a password for the user/],
    ['redis://:sesame@a,b', /must name one host; several are for redis\+sentinel/],
    ['redis://:sesame@a:sesame', /its host 1 must be name:port/],
    ['redis://:sesame@a:70000', /its host 1 must be/],
    ['redis://:sesame@', /its host 1 must be/],
    ['redis://:sesame@a/sesame', /its database must be a number/],
    ['redis://:sesame@a/0?sesame=1', /must have nothing after a question mark$/],
    ['redis+sentinel://:sesame@a:1,b:2', /must name the master/],
    ['redis+sentinel://:sesame@a:1/', /must name the master/],
    ['redis+sentinel://:sesame@a:1/m/x', /its database must be a number/],
    ['redis+sentinel://:sesame@a:1/m/0/sesame', /must name the master/],
    ['redis+sentinel://:sesame@a:1,/m', /its host 2 must be/],
    ['redis+sentinel://a/m?password=sesame', /but sentinel_username and sentinel_password, once each/],
    ['redis+sentinel://a/m?sentinel_username=sesame', /must have a password for the user/],
    ['redis+cluster://:sesame@a:1/1', /a Cluster has only the one/],
    ['unix://:sesame@host/path', /must have the absolute path of a socket/],
  ];
  for (const [url, problem] of wrong) {
    const said = refusal(url);
    assert.match(said, problem, url);
    assert.match(said, /^HOB_REDIS_URL: /);
    assert.doesNotMatch(said, /sesame/);
  }
});

test('RedisTarget.parse() takes whatever it is given, or refuses it with a code and without its password', () => {
  const piece = fc.constantFrom(
    'redis',
    's',
    '+sentinel',
    '+cluster',
    '://',
    ':',
    '@',
    ',',
    '/',
    '?',
    '#',
    '%',
    'a',
    '[::1]',
    '7',
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 14 }), (pieces) => {
      const text = `${pieces.slice(0, 4).join('')}:pass%41word@${pieces.slice(4).join('')}`;
      try {
        assert.doesNotMatch(String(RedisTarget.parse(`redis://${text}`)), /pass/);
      } catch (error) {
        assert.equal((error as { code?: string }).code, 'ERR_CONFIG_INVALID');
        assert.doesNotMatch((error as Error).message, /pass%41|passAword/);
      }
    }),
  );
});

test('RedisTarget shows where it leads without user and password, also in JSON', () => {
  const shown: readonly [url: string, text: string][] = [
    ['redis://ada:sesame@a/2', 'redis://a:6379/2'],
    ['rediss+sentinel://ada:sesame@a,[::1]/m/2?sentinel_password=sesame', 'rediss+sentinel://a:26379,[::1]:26379/m/2'],
    ['redis+cluster://ada:sesame@a,b:1', 'redis+cluster://a:6379,b:1'],
    ['unix://ada:sesame@/r.sock?db=1', 'unix:///r.sock?db=1'],
    ['/r.sock', '/r.sock'],
  ];
  for (const [url, text] of shown) {
    const redis = RedisTarget.parse(url);
    assert.equal(String(redis), text);
    assert.equal(JSON.stringify({ redis }), JSON.stringify({ redis: text }));
  }
});

test('RedisTarget.key() begins with the prefix, on a Cluster as a hash tag', () => {
  assert.equal(RedisTarget.parse('redis://a').key('functions'), 'hob:functions');
  assert.equal(RedisTarget.parse('redis+sentinel://a/m', 'blue').key('functions'), 'blue:functions');
  const cluster = RedisTarget.parse('rediss+cluster://:x@a', 'blue');
  assert.equal(cluster.key('functions'), '{blue}:functions');
  const node = cluster.at({ host: 'b', port: 1 });
  assert.deepEqual([String(node), node.location.credentials], ['rediss://b:1/0', { password: 'x' }]);
});
