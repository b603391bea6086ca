import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { setImmediate as nextTurn, setTimeout as delay } from 'node:timers/promises';
import { encodeFrame, FrameType } from '@hob/contracts';
import type { ContainerProcess } from '../../src/container-driver.ts';
import { type CgroupHost, detectCgroups } from '../../src/driver/cgroup-host.ts';
import { CgroupTree } from '../../src/driver/cgroup-tree.ts';
import { removeLeftovers } from '../../src/driver/leftovers.ts';
import { driverOptions, evaluate, holdings, kindOf, testDrivers } from './real-driver.ts';

/** Keeps a timer and a child process busy from now on. */
const BUSY = `setInterval(() => { for (let n = 0; n < 1e6; n++); }, 1);
  (await import('node:child_process')).spawn('/bin/sh', ['-c', 'while :; do :; done'], { stdio: 'ignore' });
  return 'busy';`;

async function untilItComputes({ account }: ContainerProcess): Promise<void> {
  for (const before = account.cpuMs(); account.cpuMs() <= before;) await delay(5);
}

/** The kernel may take a moment until all are stopped. */
async function untilItStands({ account }: ContainerProcess): Promise<void> {
  for (let before = -1; before !== account.cpuMs(); await delay(20)) before = account.cpuMs();
}

testDrivers('.setFrozen stops all that runs in a container, and lets it go on', async (withDriver) => {
  await withDriver(async (driver) => {
    const container = await driver.create(kindOf(128));
    assert.equal(await evaluate(container, BUSY), 'busy');
    for (let round = 0; round < 3; round += 1) {
      await untilItComputes(container);
      await container.setFrozen(true);
      await untilItStands(container);
      const { cpuSeconds } = await container.usage();
      for (let look = 0; look < 5; look += 1) {
        await delay(20);
        // The kernel itself may book some microseconds.
        assert.ok((await container.usage()).cpuSeconds - cpuSeconds < 0.001);
      }
      await container.setFrozen(false);
    }
    await untilItComputes(container);
  });
});

testDrivers(': a frozen container is killed at once, and leaves nothing', async (_withDriver, kind) => {
  const before = holdings();
  const driver = await kind.open(driverOptions());
  try {
    const [killed, left] = [await driver.create(kindOf(128)), await driver.create(kindOf(128))];
    for (const container of [killed, left]) {
      await evaluate(container, BUSY);
      await container.setFrozen(true);
      await untilItStands(container);
    }
    killed.kill();
    assert.equal((await killed.exited).signal, 'SIGKILL');
    await assert.rejects(killed.setFrozen(false));
  } finally {
    await driver.close();
  }
  assert.deepEqual(holdings(), before);
});

/** This host as one that has no v2 tree; undefined when it has no v1 freezer. */
function withoutV2(): CgroupHost | undefined {
  const host = detectCgroups();
  const freezer = readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .find((line) => / - cgroup .*\bfreezer\b/.test(line))
    ?.split(' ')[4];
  if (host.version === 2 || freezer === undefined) return undefined;
  return { version: 1, mounts: new Map([...host.mounts, ['freezer', freezer]]) };
}

const v1 = withoutV2();
const skip = v1 === undefined && 'this host has no freezer of cgroup v1';

test(
  'what the freezer of v1 has stopped dies by SIGKILL when it is let go, also what a predecessor left',
  { skip },
  async () => {
    assert.ok(v1?.version === 1);
    const tree = new CgroupTree(v1, `test-${process.pid}-v1`);
    await tree.open();
    const limits = { memoryBytes: 2 ** 27, cpu: 1, cpuWeight: 100, pidsMax: 64, io: undefined };
    try {
      for (const end of ['killed', 'left'] as const) {
        tree.create(end, limits, 0);
        const child = spawn('/bin/sleep', ['1000']);
        const exited = once(child, 'exit');
        for (const dir of tree.dirs(end).cgroupDirs) writeFileSync(`${dir}/cgroup.procs`, String(child.pid));
        tree.setFrozen(end, true);
        const state = `${v1.mounts.get('freezer')}/hob/test-${process.pid}-v1/${end}/freezer.state`;
        while (readFileSync(state, 'utf8').trim() !== 'FROZEN') await delay(5);
        if (end === 'left') assert.equal(await removeLeftovers(tree), 1);
        else {
          child.kill('SIGKILL');
          tree.letDie(end);
        }
        assert.deepEqual(await exited, [null, 'SIGKILL']);
        await tree.remove(end);
      }
    } finally {
      await tree.close();
    }
  },
);

testDrivers(
  '.send tells who held back when all has left, whatever small frames were sent meanwhile',
  async (withDriver) => {
    await withDriver(async (driver) => {
      const container = await driver.create(kindOf(128));
      const drained = Promise.withResolvers<void>();
      container.events = { ...container.events, drain: () => drained.resolve() };
      // Of a call that it does not have.
      const [large, small] = [64 * 1024, 1].map((bytes) => encodeFrame(FrameType.BODY, 9, Buffer.alloc(bytes))) as [
        Buffer,
        Buffer,
      ];
      const state = { isDrained: false };
      void drained.promise.then(() => (state.isDrained = true));
      await container.setFrozen(true);
      while (container.send(large)) await nextTurn();
      await container.setFrozen(false);
      for (let turns = 0; turns < 2000 && !state.isDrained; turns += 1) {
        container.send(small);
        await nextTurn();
      }
      await drained.promise;
    });
  },
);
