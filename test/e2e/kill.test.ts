import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { test } from 'node:test';
import { Pool } from 'undici';
import { exampleFolder } from '../support/example.ts';
import { HobServer } from '../support/hob-server.ts';
import { cgroupFolders, cgroupName, deadSockets, mounts } from '../support/host-census.ts';
import { descendants, isRunning } from '../support/processes.ts';
import { until } from '../support/until.ts';

/** Calls over and over until the server is gone. Counts what was answered before. */
class Load {
  answered = 0;
  readonly #ended: Promise<unknown>;
  readonly #pool: Pool;

  constructor(url: string, paths: readonly string[]) {
    this.#pool = new Pool(url, { connections: paths.length });
    this.#ended = Promise.allSettled(paths.map((path) => this.#callForever(path)));
  }

  async #callForever(path: string): Promise<never> {
    for (;;) {
      const answer = await this.#pool.request({ method: 'GET', path });
      await answer.body.dump();
      this.answered += 1;
    }
  }

  /** Resolved when every loop has met its error. */
  async ended(): Promise<void> {
    await this.#ended;
    await this.#pool.destroy();
  }
}

test('hob serve, killed under load and started again, still has its functions and nothing of the first run', async () => {
  const mountsBefore = mounts();
  await using hob = await HobServer.create();
  await hob.deploy(exampleFolder('hello'), exampleFolder('stream'));
  const load = new Load(hob.url, [
    ...Array.from({ length: 16 }, () => '/fn/hello'),
    ...Array.from({ length: 8 }, () => '/fn/stream?count=20&intervalMs=5'),
  ]);
  await until('500 calls are answered', () => load.answered >= 500);

  const first = descendants(hob.pid);
  const cgroups = cgroupName(hob.pid);
  const firstFolders = cgroupFolders(cgroups).filter((folder) => !folder.endsWith(cgroups));
  assert.ok(first.length > 3, 'redis, a zygote and containers run');
  assert.ok(firstFolders.length > 3, 'they have cgroups');
  await hob.kill();
  await load.ended();

  await hob.start();
  const answer = await hob.fn('hello', { body: '{"name":"again"}' });
  assert.equal(answer.status, 200, answer.body.toString('utf8'));
  assert.match(answer.body.toString('utf8'), /Hello, again!/);
  await until('every process of the first run is gone', () => !first.some(isRunning));
  const containersLeft = firstFolders.filter((folder) => !folder.includes('zygote') && existsSync(folder));
  assert.deepEqual(containersLeft, [], 'cgroups of the first run are left');
  assert.deepEqual(await deadSockets(hob.dataDir), [], 'sockets of the first run are left');

  assert.equal(await hob.stop(), 0, hob.output);
  await assertNothingLeft(hob, { cgroups, mountsBefore });
});

test('hob serve, stopped under load, answers what it has begun and leaves nothing', async () => {
  const mountsBefore = mounts();
  await using hob = await HobServer.create();
  await hob.deploy(exampleFolder('stream'));
  const long = hob.fn('stream?count=10&intervalMs=50');
  await until('the call runs', async () => /"busy":[1-9]/.test(JSON.stringify(await hob.control('stats'))));
  const [family, cgroups] = [descendants(hob.pid), cgroupName(hob.pid)];
  assert.equal(await hob.stop(), 0, hob.output);
  const answer = await long;
  assert.equal(answer.status, 200);
  assert.match(answer.body.toString('utf8'), /^id: 10$/m);
  assert.deepEqual(family.filter(isRunning), []);
  await assertNothingLeft(hob, { cgroups, mountsBefore });
});

async function assertNothingLeft(hob: HobServer, of: { cgroups: string; mountsBefore: string[] }): Promise<void> {
  assert.deepEqual(cgroupFolders(of.cgroups), []);
  assert.deepEqual(mounts(), of.mountsBefore);
  assert.deepEqual(await deadSockets(hob.dataDir), []);
}
