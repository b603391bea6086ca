/** Containers that are hard to end: death is complete, whatever they do. */
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { cgroupFolders, cgroupName, mounts } from '../support/host-census.ts';
import { HobServer } from '../support/hob-server.ts';
import { problem } from '../support/http-call.ts';
import { descendants, type ProcessSight, sightProcess } from '../support/processes.ts';
import { until } from '../support/until.ts';
import { cgroupOf, containerOf, namespaceOf } from './container-sight.ts';

let hob: HobServer;
let mountsBefore: string[];

before(async () => {
  mountsBefore = mounts();
  hob = await HobServer.create();
  await hob.deploy(join(import.meta.dirname, 'functions/lifetimes'));
});

after(async () => hob[Symbol.asyncDispose]());

/** Every living process of the host that is in a pid namespace. A zombie is in none any more. */
function livingIn(pidNamespace: string): string[] {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return pids.filter((pid) => namespaceOf(Number(pid), 'pid') === pidNamespace);
}

interface Victim {
  readonly pid: number;
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
  const pid = containerOf(pidNamespace);
  const cgroup = cgroupOf(pid);
  const id = /\/hob\/[^/\n]+\/([^/\n]+)/.exec(cgroup)?.[1] ?? '';
  assert.notEqual(id, '');
  return { pid, pidNamespace, id, descriptors: readdirSync(`/proc/${hob.pid}/fd`).length };
}

/** Waits until the container has started so many processes, zombies counted; whatever is orphaned is its first one's. */
async function started({ pid }: Victim, processes: number): Promise<ProcessSight[]> {
  return until(
    () => `${processes} processes are started, not ${descendants(pid).length}`,
    () => {
      const family = descendants(pid);
      return family.length >= processes && family;
    },
  );
}

async function assertGone({ pidNamespace, id }: Victim, cgroups: string): Promise<void> {
  await until('every process of the container is gone', () => livingIn(pidNamespace).length === 0);
  await until('its cgroups are gone', () => !cgroupFolders(cgroups).some((folder) => folder.endsWith(`/${id}`)));
  assert.deepEqual(mounts(), mountsBefore, 'mounts are left');
}

/** Whether that very process is still there, if only as a zombie. */
function isThere({ pid, startTicks }: ProcessSight): boolean {
  return sightProcess(pid)?.startTicks === startTicks;
}

/** How many processes each has started, at the least, when it has done its trick. */
const tricks: Readonly<Record<string, number>> = {
  'double-fork': 1,
  daemon: 1,
  'stop-itself': 1,
  'ignore-signals': 1,
  zombies: 40,
  'hold-files': 1,
  rename: 1,
  'flood-output': 3,
  'stuck-writers': 2,
  respawn: 4,
  'fill-own-pipe': 0,
};

for (const [trick, processes] of Object.entries(tricks)) {
  test(`a container that does "${trick}" is ended whole at the deadline`, async () => {
    const cgroups = cgroupName(hob.pid);
    const container = await victim();
    const call = hob.fn(`lifetimes/${trick}?block=yes`);
    const family = await started(container, processes);
    assert.equal(problem(await call), '504 ERR_FN_TIMEOUT');
    await assertGone(container, cgroups);
    assert.deepEqual(family.filter(isThere), []);
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
    await started(container, 1);
    await hob.kill();
    await call;
    await until('every process of the container is gone', () => livingIn(container.pidNamespace).length === 0);
    await hob.start();
    await assertGone(container, cgroups);
    await victim();
  });
}
