/** What hob looks at when it starts, on a Redis of each shape. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RedisTarget } from '@hob/redis';
import { prepareRedis } from '@hob/registry';
import { pino } from 'pino';
import { Cluster } from './cluster.ts';
import { quiet } from './registry-acts.ts';
import { SentinelSet } from './sentinel-set.ts';

const policy = ['CONFIG', 'SET', 'maxmemory-policy'] as const;

test('prepareRedis refuses a Cluster when any of its nodes may delete data, and names the node', async () => {
  await using cluster = await Cluster.start();
  const redis = RedisTarget.parse(cluster.url);
  for (const node of cluster.nodes) {
    await node.run(...policy, 'allkeys-lru');
    await assert.rejects(prepareRedis(redis, quiet), {
      code: 'ERR_SERVE_REDIS_UNFIT',
      message: /:\d+\/0 has maxmemory-policy allkeys-lru|cluster:.* has maxmemory-policy allkeys-lru/,
    });
    await node.run(...policy, 'noeviction');
  }
  await prepareRedis(redis, quiet);
  const owner = await cluster.owner('{hob}');
  assert.equal(await owner.run('GET', '{hob}:data-version'), '1');
  await owner.run('SET', '{hob}:data-version', '99');
  await assert.rejects(prepareRedis(redis, quiet), { code: 'ERR_SERVE_DATA_NEWER' });
});

test('prepareRedis refuses a master or a replica behind Sentinels that may delete data, and goes on without the replica', async () => {
  await using set = await SentinelSet.start();
  const redis = RedisTarget.parse(set.url);
  for (const server of set.servers) {
    await server.run(...policy, 'volatile-lru');
    await assert.rejects(prepareRedis(redis, quiet), { code: 'ERR_SERVE_REDIS_UNFIT', message: /policy volatile-lru/ });
    await server.run(...policy, 'noeviction');
  }
  const [, replica] = set.servers;
  await replica?.kill();
  const lines: string[] = [];
  await prepareRedis(redis, pino({}, { write: (line: string) => void lines.push(line) }));
  assert.ok(
    lines.some((line) => line.includes(`127.0.0.1:${replica?.port}`) && line.includes('could not be checked')),
    lines.join(''),
  );
});

test('prepareRedis says when a URL leads to a server of another kind', async () => {
  await using cluster = await Cluster.start();
  await using set = await SentinelSet.start();
  const [node] = cluster.nodes;
  const single = cluster.url.replace('+cluster', '').replace(/@.*/, `@127.0.0.1:${node?.port}`);
  await assert.rejects(
    prepareRedis(RedisTarget.parse(single), quiet),
    /leads to a node of a Cluster; write redis\+cluster:/,
  );
  const query = new URLSearchParams(set.url.split('?')[1]);
  const password = encodeURIComponent(query.get('sentinel_password') ?? '');
  const sentinel = RedisTarget.parse(`redis://:${password}@127.0.0.1:${set.sentinel.port}`);
  await assert.rejects(prepareRedis(sentinel, quiet), /leads to a Sentinel; write redis\+sentinel:/);
  const noMaster = RedisTarget.parse(set.url.replace('/the-master/', '/another/'));
  await assert.rejects(prepareRedis(noMaster, quiet), /No such master with that name/);
  const noCluster = RedisTarget.parse(`redis+cluster://:x@127.0.0.1:${set.sentinel.port}`);
  await assert.rejects(prepareRedis(noCluster, quiet), {
    code: 'ERR_REGISTRY_UNAVAILABLE',
    message: /no node of the Redis Cluster/,
  });
});

test('A wrong password is told as such, and no password comes into an error or a log', async () => {
  await using set = await SentinelSet.start();
  await using cluster = await Cluster.start();
  const lines: string[] = [];
  const log = pino({ level: 'trace' }, { write: (line: string) => void lines.push(line) });
  const secrets = ['mistaken', ...set.passwords, ...cluster.passwords];
  const [node] = cluster.nodes;
  const wrong = [
    set.url.replace(/:\/\/:[^@]*@/, '://:mistaken@'),
    set.url.replace(/sentinel_password=.*/, 'sentinel_password=mistaken'),
    cluster.url.replace(/:\/\/default:[^@]*@/, '://default:mistaken@'),
    `redis://:mistaken@127.0.0.1:${node?.port}`,
  ];
  for (const url of wrong) {
    const redis = RedisTarget.parse(url);
    await assert.rejects(prepareRedis(redis, log), (error: Error) => {
      assert.match(error.message, /WRONGPASS|NOAUTH/);
      assert.ok(!secrets.some((secret) => `${error.stack}${JSON.stringify(redis)}`.includes(secret)), error.stack);
      return true;
    });
  }
  assert.ok(lines.length > 0);
  for (const secret of secrets) assert.ok(!lines.join('').includes(secret), lines.join(''));
});
