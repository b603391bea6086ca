import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Redis } from 'ioredis';
import { ping, REDIS_LOG, REDIS_LOG_BYTES_MAX, redisArguments, rotateLog } from '../src/redis-process.ts';
import { RedisServer } from '../src/index.ts';
import { keepingLogger, quiet } from './support/logger.ts';
import { temporaryFolder } from './support/temporary-folder.ts';
import { isAlive, until } from './support/until.ts';

/** Runs one command on a connection of its own. */
async function ask<T>(socketPath: string, command: (redis: Redis) => Promise<T>): Promise<T> {
  const redis = new Redis(socketPath, { disableClientInfo: true });
  redis.on('error', () => {}); // It connects again.
  try {
    return await command(redis);
  } finally {
    redis.disconnect();
  }
}

function pidOf(server: RedisServer): number {
  return server.pid ?? assert.fail('there is no process');
}

test('RedisServer.start gives a server that answers on its socket, is closed to others, and got no environment', async () => {
  await using folder = await temporaryFolder();
  await using server = await RedisServer.start({ folder: join(folder.path, 're dis'), log: quiet });
  assert.equal(await ping(server.socketPath, 5000), true);
  assert.equal((await stat(server.socketPath)).mode & 0o777, 0o600);
  assert.equal((await stat(join(folder.path, 're dis'))).mode & 0o777, 0o700);
  assert.equal(await readFile(`/proc/${pidOf(server)}/environ`, 'utf8'), '');
  const settings = await ask(server.socketPath, (redis) => redis.config('GET', 'appendonly', 'appendfsync', 'port'));
  assert.deepEqual(new Set(settings), new Set(['port', '0', 'appendonly', 'yes', 'appendfsync', 'always']));
});

test('RedisServer.stop ends the server in peace, leaves no process and no socket, and keeps the data', async () => {
  await using folder = await temporaryFolder();
  const first = await RedisServer.start({ folder: folder.path, log: quiet });
  const { socketPath } = first;
  const pid = pidOf(first);
  await ask(socketPath, (redis) => redis.set('key', 'value'));
  await Promise.all([first.stop(), first.stop()]);
  assert.equal(await isAlive(pid), false);
  assert.equal(existsSync(socketPath), false);
  assert.match(await readFile(join(folder.path, REDIS_LOG), 'utf8'), /ready to exit/);
  await using second = await RedisServer.start({ folder: folder.path, log: quiet });
  assert.equal(await ask(second.socketPath, (redis) => redis.get('key')), 'value');
});

test('RedisServer starts a killed server again, with the same socket and every answered write', async () => {
  await using folder = await temporaryFolder();
  await using server = await RedisServer.start({ folder: folder.path, log: quiet });
  for (let round = 1; round <= 3; round += 1) {
    await ask(server.socketPath, (redis) => redis.set(`key${round}`, 'value'));
    const pid = pidOf(server);
    process.kill(pid, 'SIGKILL');
    await until('another process', () => server.pid !== undefined && server.pid !== pid);
    await until('an answer', () => ping(server.socketPath, 1000));
    assert.equal(await ask(server.socketPath, (redis) => redis.dbsize()), round);
    assert.equal(server.restarts, round);
  }
});

test('RedisServer tells what a server that ended has said, and starts one that never lives long ever more slowly', async () => {
  await using folder = await temporaryFolder();
  const { log, lines } = keepingLogger();
  await using server = await RedisServer.start({ folder: folder.path, log });
  for (let round = 1; round <= 4; round += 1) {
    const pid = pidOf(server);
    process.kill(pid, 'SIGTERM');
    await until('another process', () => server.pid !== undefined && server.pid !== pid && server.restarts === round);
    await until('it is told', () => lines.filter((line) => line.includes('runs again')).length === round);
  }
  const ends = lines.filter((line) => line.includes('redis-server ended'));
  assert.equal(ends.length, 4);
  for (const line of ends) assert.match(line, /"said":"[^"]*bye bye/);
});

test('RedisServer.stop ends a server that is just being started again', async () => {
  await using folder = await temporaryFolder();
  const server = await RedisServer.start({ folder: folder.path, log: quiet });
  process.kill(pidOf(server), 'SIGKILL');
  await until('its end', () => server.pid === undefined);
  await server.stop();
  assert.equal(server.pid, undefined);
  assert.equal(await ping(join(folder.path, 'redis.sock'), 1000), false);
});

test('RedisServer ends in peace when the process that started it is killed', async () => {
  await using folder = await temporaryFolder();
  const script = fileURLToPath(import.meta.resolve('./support/redis-owner.ts'));
  const owner = spawn(process.execPath, ['--conditions=@hob/source', script, folder.path], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = once(owner, 'exit');
  const [output] = (await once(owner.stdout, 'data')) as [Buffer];
  const pid = Number(output.toString());
  await ask(join(folder.path, 'redis.sock'), (redis) => redis.set('key', 'value'));
  owner.kill('SIGKILL');
  await exited;
  await until('the end of the server', async () => !(await isAlive(pid)));
  assert.match(await readFile(join(folder.path, REDIS_LOG), 'utf8'), /ready to exit/);
});

test('RedisServer.start ends the server that a predecessor left, loses nothing, and lets others be', async () => {
  await using folder = await temporaryFolder();
  await using other = await RedisServer.start({ folder: join(folder.path, 'other'), log: quiet });
  const path = join(folder.path, 'mine');
  await mkdir(path);
  const leftover = spawn('/usr/bin/redis-server', redisArguments, { cwd: path, env: {}, stdio: 'ignore' });
  const exited = once(leftover, 'exit');
  await until('an answer', () => ping(join(path, 'redis.sock'), 1000));
  await ask(join(path, 'redis.sock'), (redis) => redis.set('key', 'value'));

  const { log, lines } = keepingLogger();
  await using successor = await RedisServer.start({ folder: path, log });
  assert.deepEqual(await exited, [0, null]);
  assert.notEqual(successor.pid, leftover.pid);
  assert.equal(await ask(successor.socketPath, (redis) => redis.get('key')), 'value');
  assert.equal(await isAlive(pidOf(other)), true);
  assert.equal(lines.length, 1);
  assert.match(lines[0] ?? '', new RegExp(`"pid":${leftover.pid},`));
});

test('RedisServer works in a folder whose path is longer than a socket may have', async () => {
  await using folder = await temporaryFolder();
  const path = join(folder.path, 'x'.repeat(120));
  await using server = await RedisServer.start({ folder: path, log: quiet });
  assert.ok(existsSync(join(path, 'redis.sock')));
  assert.equal(await ask(server.socketPath, (redis) => redis.ping()), 'PONG');
  const pid = pidOf(server);
  process.kill(pid, 'SIGKILL');
  await until('another process', () => server.pid !== undefined && server.pid !== pid);
  assert.equal(await ask(server.socketPath, (redis) => redis.ping()), 'PONG');
});

test('RedisServer.start says what to install when there is no redis-server', async () => {
  await using folder = await temporaryFolder();
  const start = RedisServer.start({ folder: folder.path, log: quiet, binary: join(folder.path, 'redis-server') });
  await assert.rejects(start, { code: 'ERR_NATIVE_UNSUPPORTED', message: /apt-get install redis-server/ });
});

test('RedisServer.start tells why the server does not start, and leaves no process', async () => {
  await using folder = await temporaryFolder();
  const data = join(folder.path, 'appendonlydir');
  await mkdir(data);
  await writeFile(join(data, 'appendonly.aof.manifest'), 'this is no manifest\n');
  const start = RedisServer.start({ folder: folder.path, log: quiet });
  await assert.rejects(start, { code: 'ERR_REGISTRY_UNAVAILABLE', message: /did not start: .*manifest/ });
  assert.equal(await ping(join(folder.path, 'redis.sock'), 1000), false);
});

test('rotateLog keeps one earlier log, and a small log as it is', async () => {
  await using folder = await temporaryFolder();
  await rotateLog(folder.path);
  await writeFile(join(folder.path, REDIS_LOG), 'small');
  await rotateLog(folder.path);
  assert.deepEqual(await readdir(folder.path), [REDIS_LOG]);
  for (const letter of ['a', 'b']) {
    await writeFile(join(folder.path, REDIS_LOG), letter.repeat(REDIS_LOG_BYTES_MAX + 1));
    await rotateLog(folder.path);
    assert.deepEqual(await readdir(folder.path), [`${REDIS_LOG}.1`]);
    assert.equal((await readFile(join(folder.path, `${REDIS_LOG}.1`), 'utf8'))[0], letter);
  }
});

test('RedisServer writes to a new log after the old one was moved aside', async () => {
  await using folder = await temporaryFolder();
  await using server = await RedisServer.start({ folder: folder.path, log: quiet });
  const log = join(folder.path, REDIS_LOG);
  await writeFile(log, 'x'.repeat(REDIS_LOG_BYTES_MAX + 1), { flag: 'a' });
  await rotateLog(folder.path);
  assert.equal(existsSync(log), false);
  await ask(server.socketPath, (redis) => redis.bgrewriteaof());
  await until('a new log', () => existsSync(log));
});
