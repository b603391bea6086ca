/** hob goes on when another server takes the place of the one that has its data. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isHobError } from '@hob/contracts';
import { RedisTarget } from '@hob/redis';
import { until } from '../support/until.ts';
import { Cluster } from './cluster.ts';
import { TestRegistry } from './registry-acts.ts';
import { SentinelSet } from './sentinel-set.ts';
import { TestQueue, versionOf } from './test-queue.ts';

/** A registry and a queue in the middle of their work. */
class Work implements AsyncDisposable {
  readonly it: TestRegistry;
  readonly queue: TestQueue;
  #running = '';
  #accepted: string[] = [];

  private constructor(it: TestRegistry, queue: TestQueue) {
    this.it = it;
    this.queue = queue;
  }

  static async begin(url: string): Promise<Work> {
    const redis = RedisTarget.parse(url);
    const work = new Work(await TestRegistry.open(redis), await TestQueue.open(redis));
    assert.equal(await work.it.deploy('kept'), 1);
    await work.queue.queue.schedules.apply(versionOf('timed', [{ name: 'tick', everyMs: 1000 }]));
    for (let count = 0; count < 20; count += 1) work.#accepted.push(await work.queue.submit('hello'));
    work.#running = await work.queue.submit('wait');
    await work.queue.reached(work.#running, 'running');
    return work;
  }

  /** Everything that there was is there, and everything works, once it has had time to find out. */
  async goesOn(): Promise<void> {
    const { it, queue } = this;
    const version = await until('a deploy is taken', () => unlessAway(it.deploy('kept')));
    assert.ok(version > 1);
    assert.ok(it.registry.describe('kept').versions.some((each) => each.version === 1));
    this.#accepted.push(await until('an event is accepted', () => unlessAway(queue.submit('later'))));
    for (const id of this.#accepted) await queue.reached(id, 'succeeded');
    assert.equal(await until('it is cancelled', () => unlessAway(queue.queue.cancel(this.#running))), true);
    await queue.reached(this.#running, 'cancelled');
    this.#running = await until('another one is accepted', () => unlessAway(queue.submit('wait')));
    await queue.reached(this.#running, 'running');
    queue.called.clear();
    await until('the schedule goes on', () => queue.called.has('timed'));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.queue[Symbol.asyncDispose]();
    await this.it[Symbol.asyncDispose]();
  }
}

/** What it gives; undefined when Redis is away, which is said by a code. */
async function unlessAway<T>(action: Promise<T>): Promise<T | undefined> {
  try {
    return await action;
  } catch (error) {
    const code = isHobError(error) ? error.code : undefined;
    if (code === 'ERR_REGISTRY_UNAVAILABLE' || code === 'ERR_QUEUE_UNAVAILABLE') return undefined;
    throw error;
  }
}

test('With Sentinels, hob goes on with the replica that takes the place of a killed master, and with a master that was chosen', async () => {
  await using set = await SentinelSet.start();
  await using work = await Work.begin(set.url);
  await set.replicated();
  const first = await set.master();
  await first.kill();
  const second = await set.failedOver(first);
  await work.goesOn();

  await first.start();
  await until('the former master is a replica', async () => String(await first.run('ROLE')).startsWith('slave'));
  await set.replicated();
  await until('the Sentinel agrees', async () => (await set.failOver()) === 'OK');
  await set.failedOver(second);
  await work.goesOn();
});

test('With Sentinels, hob goes on with the replica that takes the place of a master that answers nothing', async () => {
  await using set = await SentinelSet.start();
  await using work = await Work.begin(set.url);
  await set.replicated();
  const master = await set.master();
  master.stop();
  await set.failedOver(master);
  await work.goesOn();
});

test('On a Cluster, hob follows its slot to another node, and loses nothing', async () => {
  await using cluster = await Cluster.start();
  await using work = await Work.begin(cluster.url);
  const owner = await cluster.owner('{hob}');
  const other = cluster.nodes.find((node) => node !== owner);
  assert.ok(other);
  await cluster.moveSlot('{hob}', other);
  assert.equal(await cluster.owner('{hob}'), other);
  // Nobody sees it.
  await work.it.deploy('kept');
  await work.queue.submit('at once');
  await work.goesOn();
});

test('On a Cluster, hob goes on with the replica that takes the place of a killed node', async () => {
  await using cluster = await Cluster.start({ spare: true });
  await using work = await Work.begin(cluster.url);
  const owner = await cluster.owner('{hob}');
  const replica = await cluster.replicate(owner);
  await owner.kill();
  await until('the replica has the slot', async () => (await cluster.owner('{hob}')) === replica);
  await work.goesOn();
});
