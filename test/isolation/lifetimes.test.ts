/** Containers that are hard to end: death is complete, whatever they do. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { cgroupFolders, cgroupName, mounts } from '../support/host-census.ts';
import { HobServer } from '../support/hob-server.ts';
import { problem } from '../support/http-call.ts';
import { until } from '../support/until.ts';
import { containerOf, namespaceOf } from './container-sight.ts';

let hob: HobServer;
let mountsBefore: string[];

before(async () => {
  mountsBefore = mounts();
  hob = await HobServer.create();
  await hob.deploy(join(import.meta.dirname, 'functions/lifetimes'));
});

after(async () => hob[Symbol.asyncDispose]());

/** Every process of the host that is in a pid namespace, zombies too. */
function processesIn(pidNamespace: string): string[] {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return pids.filter((pid) => namespaceOf(Number(pid), 'pid') === pidNamespace);
}

interface Victim {
  readonly pidNamespace: string;
  /** The name of its cgroups. */
  readonly id: string;
  /** Names of descriptors that the server has open for it, or other calls. */
  readonly descriptors: number;
}

/** Puts a call into a container; the next call will find it. */
async function victim(): Promise<Victim> {
  const answer = await hob.fn('lifetimes/');
  assert.equal(answer.status, 200, answer.body.toString('utf8'));
  const { pidNamespace } = JSON.parse(answer.body.toString('utf8')) as { pidNamespace: string };
  const cgroup = readFileSync(`/proc/${containerOf(pidNamespace)}/cgroup`, 'utf8');
  const id = /\/hob\/[^/\n]+\/([^/\n]+)/.exec(cgroup)?.[1] ?? '';
  assert.notEqual(id, '');
  return { pidNamespace, id, descriptors: readdirSync(`/proc/${hob.pid}/fd`).length };
}

async function assertGone({ pidNamespace, id }: Victim, cgroups: string): Promise<void> {
  await until('every process of the container is gone', () => processesIn(pidNamespace).length === 0);
  await until('its cgroups are gone', () => !cgroupFolders(cgroups).some((folder) => folder.endsWith(`/${id}`)));
  assert.deepEqual(mounts(), mountsBefore, 'mounts are left');
}

/** What the container has at the least while it lives, with its first process. */
const tricks: Readonly<Record<string, number>> = {
  'double-fork': 2,
  daemon: 2,
  'stop-itself': 2,
  'ignore-signals': 2,
  zombies: 2,
  'hold-files': 2,
  rename: 2,
  'flood-output': 4,
  'stuck-writers': 3,
  respawn: 5,
  'fill-own-pipe': 1,
};

for (const [trick, processes] of Object.entries(tricks)) {
  test(`a container that does "${trick}" is ended whole at the deadline`, async () => {
    const cgroups = cgroupName(hob.pid);
    const container = await victim();
    const call = hob.fn(`lifetimes/${trick}?block=yes`);
    await until(
      () => `it has ${processes} processes: ${processesIn(container.pidNamespace).join()}`,
      () => processesIn(container.pidNamespace).length >= processes,
    );
    assert.equal(problem(await call), '504 ERR_FN_TIMEOUT');
    await assertGone(container, cgroups);
  });
}

test('a container that ends itself takes with it all that it started', async () => {
  const cgroups = cgroupName(hob.pid);
  for (const trick of ['double-fork', 'daemon', 'respawn', 'flood-output']) {
    const container = await victim();
    assert.equal(problem(await hob.fn(`lifetimes/${trick}?exit=yes`)), '502 ERR_FN_EXITED', trick);
    await assertGone(container, cgroups);
  }
});

test('the next call after each of these has a clean container, and the server holds no more than before', async () => {
  const first = await victim();
  await hob.fn('lifetimes/hold-files?exit=yes');
  await until('its descriptors are closed', async () => (await victim()).descriptors <= first.descriptors + 2);
});

for (const trick of ['ignore-signals', 'respawn', 'stop-itself']) {
  test(`a container that does "${trick}" dies with a server that is killed`, async () => {
    const cgroups = cgroupName(hob.pid);
    const container = await victim();
    const call = hob.fn(`lifetimes/${trick}?block=yes`).catch(() => undefined);
    await until('it has begun', () => processesIn(container.pidNamespace).length >= 2);
    await hob.kill();
    await call;
    await until('every process of the container is gone', () => processesIn(container.pidNamespace).length === 0);
    await hob.start();
    await assertGone(container, cgroups);
    await victim();
  });
}
