import { realpathSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { libraryPath } from '@hob/native';
import { driverDefaults, type DriverOptions, HostDriver } from '@hob/scheduler';
import { type Measurement, type Peer, quantiles } from './measurement.ts';
import { Crun } from './peers/crun.ts';
import { measureSteps } from './step-times.ts';

const MEMORY_MB = 256;
const KIND = { runtime: 'nodejs24.x', memoryMb: MEMORY_MB, network: 'none' } as const;
const BATCHES = 5;
const HOB_BATCH = 40;
const PEER_BATCH = 10;
/** Rounds in which hob and the peer start one container each after a second of quiet. */
const QUIET_ROUNDS = 20;
const QUIET_MS = 1000;
/** Containers whose steps are timed. */
const STEP_CONTAINERS = 100;
/** Outside the range that the driver takes its own from. */
const PEER_UID = driverDefaults.hostUidFirst + driverDefaults.hostUids;

const root = realpathSync(join(import.meta.dirname, '../../.hob/rootfs/current'));

/** Times of starts, ms. */
class Samples {
  /** Until the first JavaScript. */
  readonly created: number[] = [];
  /** From the start of one until nothing is left of it. */
  readonly lives: number[] = [];
}

async function startHob(driver: HostDriver, samples: Samples): Promise<void> {
  const startedMs = performance.now();
  const container = await driver.create(KIND);
  samples.created.push(performance.now() - startedMs);
  container.kill();
  await container.exited;
  samples.lives.push(performance.now() - startedMs);
}

async function startPeer(crun: Crun, samples: Samples): Promise<void> {
  const { firstByteMs, exitMs } = await crun.run();
  samples.created.push(firstByteMs);
  samples.lives.push(exitMs);
}

/** Runs A and B by turns, in batches: within a batch one starts as soon as the one before is gone. */
async function backToBack(driver: HostDriver, crun: Crun | undefined): Promise<[Samples, Samples]> {
  const [hob, peer] = [new Samples(), new Samples()];
  for (let batch = 0; batch < BATCHES; batch += 1) {
    for (let count = 0; count < HOB_BATCH; count += 1) await startHob(driver, hob);
    if (crun === undefined) continue;
    for (let count = 0; count < PEER_BATCH; count += 1) await startPeer(crun, peer);
  }
  return [hob, peer];
}

async function afterQuiet(driver: HostDriver, crun: Crun | undefined): Promise<[Samples, Samples]> {
  const [hob, peer] = [new Samples(), new Samples()];
  for (let round = 0; round < QUIET_ROUNDS; round += 1) {
    await sleep(QUIET_MS);
    await startHob(driver, hob);
    if (crun === undefined) continue;
    await sleep(QUIET_MS);
    await startPeer(crun, peer);
  }
  return [hob, peer];
}

/** crun in hob's own root filesystem, running Node until its first JavaScript. */
async function startableCrun(): Promise<Crun | { readonly missing: string }> {
  const { tmpBytes, shmBytes, nofileMax, pidsMax } = driverDefaults;
  const limits = { root, memoryMb: MEMORY_MB, pidsMax, tmpBytes, shmBytes, nofileMax, hostUid: PEER_UID };
  return Crun.create(['/usr/local/bin/node', '-e', 'require("fs").writeSync(1, ".")'], limits);
}

function peerRow(crun: Crun | { readonly missing: string }, samples: readonly number[]): Peer {
  if ('missing' in crun) return { name: 'crun', missing: crun.missing };
  return { name: `${crun.name} run, node -e`, ...quantiles(samples) };
}

/** Each step of a create, in their order. */
async function stepRows(options: DriverOptions): Promise<Measurement[]> {
  const times = await measureSteps(options, STEP_CONTAINERS);
  return [...times].map(([step, samples]) => ({
    name: `create, step: ${step}`,
    unit: 'ms',
    better: 'lower',
    hob: quantiles(samples),
    how: `until the next step begins, the last one until the container says that it is parked; ${STEP_CONTAINERS} containers`,
  }));
}

/** (a) From the request to fork a container to its first JavaScript, against an OCI runtime that starts Node. */
export async function benchCreate(): Promise<Measurement[]> {
  const paths = { root, library: libraryPath, bundles: '/nonexistent' };
  const options = { ...driverDefaults, ...paths, instance: `bench-${process.pid}` };
  const driver = await HostDriver.open(options);
  const crun = await startableCrun();
  try {
    await startHob(driver, new Samples()); // boots the zygote
    const startable = 'missing' in crun ? undefined : crun;
    const [hob, peer] = await backToBack(driver, startable);
    const [hobQuiet, peerQuiet] = await afterQuiet(driver, startable);
    const common = { unit: 'ms', better: 'lower' } as const;
    const batches = `${BATCHES} batches in turn, ${HOB_BATCH} of hob, ${PEER_BATCH} of the peer, back to back`;
    const quiet = `${QUIET_ROUNDS} of each in turn, each after ${QUIET_MS} ms of quiet`;
    const rows = [
      ['create', 'to the first JavaScript', batches, hob.created, peer.created],
      ['create, quiet', 'to the first JavaScript', quiet, hobQuiet.created, peerQuiet.created],
      ['create and remove', 'until nothing is left', batches, hob.lives, peer.lives],
    ] as const;
    const compared = rows.map(([name, what, how, ours, theirs]) => ({
      ...common,
      name,
      hob: quantiles(ours),
      peer: peerRow(crun, theirs),
      how: `${what}; ${how}; same root filesystem, namespaces, cgroups, seccomp rules and limits`,
    }));
    return [...compared, ...(await stepRows({ ...options, instance: `${options.instance}-steps` }))];
  } finally {
    await driver.close();
    if (!('missing' in crun)) await crun[Symbol.asyncDispose]();
  }
}
