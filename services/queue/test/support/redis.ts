import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RedisTarget } from '@hob/redis';
import { Redis } from 'ioredis';
import { until } from './until.ts';

/** A redis-server with a folder of its own, that writes each command to the disk before it answers, as hob's own does. */
export class TestRedis implements AsyncDisposable {
  readonly #folder: string;
  #child: ChildProcess | undefined;

  private constructor(folder: string) {
    this.#folder = folder;
  }

  static async start(): Promise<TestRedis> {
    const redis = new TestRedis(await mkdtemp(join(tmpdir(), 'hob-queue-')));
    await redis.start();
    return redis;
  }

  get socket(): string {
    return join(this.#folder, 'redis.sock');
  }

  get target(): RedisTarget {
    return RedisTarget.parse(this.socket);
  }

  async start(): Promise<void> {
    const options = ['--port', '0', '--unixsocket', this.socket, '--dir', this.#folder, '--save', ''];
    const durable = ['--appendonly', 'yes', '--appendfsync', 'always'];
    this.#child = spawn('/usr/bin/redis-server', [...options, ...durable], { stdio: 'ignore' });
    await until('redis-server answers', () => answers(this.socket));
  }

  /** Ends it as a power cut does. */
  async kill(): Promise<void> {
    const child = this.#child ?? assert.fail('it does not run');
    child.kill('SIGKILL');
    await once(child, 'exit');
    this.#child = undefined;
  }

  /** Has it do nothing until `continue`. */
  stop(): void {
    this.#child?.kill('SIGSTOP');
  }

  continue(): void {
    this.#child?.kill('SIGCONT');
  }

  /** Runs commands on a connection of their own. */
  async ask<T>(commands: (redis: Redis) => Promise<T>): Promise<T> {
    const redis = new Redis(this.socket, { disableClientInfo: true });
    try {
      return await commands(redis);
    } finally {
      redis.disconnect();
    }
  }

  /** Removes the keys of a pattern. */
  removed(pattern: string): Promise<number> {
    return this.ask(async (redis) => redis.del(...(await redis.keys(pattern))));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child !== undefined) await this.kill();
    await rm(this.#folder, { recursive: true, force: true });
  }
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ path });
    socket.on('error', () => resolve(false));
    socket.on('data', (bytes) => {
      socket.destroy();
      resolve(bytes.toString().startsWith('+PONG'));
    });
    socket.write('PING\r\n');
  });
}
