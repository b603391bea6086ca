/** hob on a Redis of each shape: what the registry and the queue promise holds on all of them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RedisTarget } from '@hob/redis';
import { prepareRedis } from '@hob/registry';
import { freePort } from '../support/free-port.ts';
import { TemporaryFolder } from '../support/temporary-folder.ts';
import { makeCertificates, trust } from './certificates.ts';
import { Cluster } from './cluster.ts';
import { queueActs } from './queue-acts.ts';
import { RedisProcess } from './redis-process.ts';
import { quiet, registryActs } from './registry-acts.ts';
import { SentinelSet } from './sentinel-set.ts';

async function acts(url: string): Promise<void> {
  const redis = RedisTarget.parse(url);
  await registryActs(redis);
  await queueActs(redis);
}

test('A Redis behind Sentinels with passwords, in a database of its own, serves the registry and the queue', async () => {
  await using set = await SentinelSet.start();
  await acts(set.url);
  const master = await set.master();
  assert.match(String(await master.run('INFO', 'keyspace')), /db2:keys/);
  assert.doesNotMatch(String(await master.run('INFO', 'keyspace')), /db0:keys/);
});

test('A Redis Cluster serves the registry and the queue, with all keys in one slot', async () => {
  await using cluster = await Cluster.start();
  await acts(cluster.url);
  const owner = await cluster.owner('{hob}');
  const keys = (await owner.run('KEYS', '*')) as string[];
  assert.ok(keys.length > 0 && keys.every((key) => key.startsWith('{hob}:')), keys.join());
  for (const node of cluster.nodes) if (node !== owner) assert.equal(await node.run('DBSIZE'), 0);
});

test('A Redis that takes nothing but TLS serves the registry and the queue, when its certificate is trusted', async () => {
  await using folder = await TemporaryFolder.create('tls');
  const certificates = await makeCertificates(folder.path);
  const port = await freePort();
  const settings = ['--save', '', '--appendonly', 'no', '--requirepass', 'pass word'];
  await using _ = await RedisProcess.start({
    port,
    folder: folder.path,
    settings,
    password: 'pass word',
    certificates,
  });
  const url = `rediss://:pass%20word@127.0.0.1:${port}/3`;
  await assert.rejects(prepareRedis(RedisTarget.parse(url), quiet), /no connection: .*certificate/);
  using __ = trust(certificates);
  await acts(url);
});

test('Sentinels and their servers serve the registry and the queue by TLS', async () => {
  await using set = await SentinelSet.start({ tls: true });
  await acts(set.url);
});

test('A Redis Cluster serves the registry and the queue by TLS', async () => {
  await using cluster = await Cluster.start({ tls: true });
  await acts(cluster.url);
});

test('A socket with a user, a password and a database serves the registry and the queue', async () => {
  await using folder = await TemporaryFolder.create('socket');
  const socket = `${folder.path}/redis.sock`;
  const user = ['--user', 'blue', 'on', '>secret', '~blue:*', '&blue:*', '+@all'];
  const settings = ['--save', '', '--unixsocket', socket, ...user];
  await using _ = await RedisProcess.start({ port: await freePort(), folder: folder.path, settings });
  const redis = RedisTarget.parse(`unix://blue:secret@${socket}?db=1`, 'blue');
  await registryActs(redis);
  await queueActs(redis);
});

test('Hobs with different prefixes on one Redis do not see each other, nor need any key but their own', async () => {
  await using folder = await TemporaryFolder.create('prefixes');
  const port = await freePort();
  const users = ['blue', 'green'].flatMap((name) => [
    '--user',
    name,
    'on',
    `>${name}`,
    `~${name}:*`,
    `&${name}:*`,
    '+@all',
  ]);
  const settings = ['--save', '', '--appendonly', 'no', ...users];
  await using server = await RedisProcess.start({ port, folder: folder.path, settings });
  const [blue, green] = ['blue', 'green'].map((name) =>
    RedisTarget.parse(`redis://${name}:${name}@127.0.0.1:${port}`, name),
  );
  assert.ok(blue && green);
  // The names are the same, and each one's lists have nothing but its own.
  await Promise.all([registryActs(blue), registryActs(green)]);
  await Promise.all([queueActs(blue), queueActs(green)]);
  const keys = (await server.run('KEYS', '*')) as string[];
  assert.deepEqual(new Set(keys.map((key) => key.split(':')[0])), new Set(['blue', 'green']));
});
