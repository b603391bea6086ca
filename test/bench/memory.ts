import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { Pool } from 'undici';
import { HobServer } from '../support/hob-server.ts';
import { call } from '../support/http-call.ts';
import { descendants } from '../support/processes.ts';
import { proportionalMb } from '../support/proportional.ts';
import { until } from '../support/until.ts';
import { type Measurement, type Peer, quantiles } from './measurement.ts';
import type { ContainerPeer } from './peers/container-peer.ts';
import { ContainerPeers } from './peers/container-peers.ts';
import { serverIn, type StartedServer } from './peers/served-container.ts';
import { ServerPeers } from './peers/server-peers.ts';

const INSTANCES = 10;
/** It answers as the peers do. */
const FUNCTION = 'answer-held';

/** Whether a process is the first of a pid namespace of its own: a container's. */
function isContainer(pid: number): boolean {
  const line = /^NSpid:\s+(.+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return line !== undefined && /\s1$/.test(line);
}

function containers(hob: HobServer): number[] {
  const pids = descendants(hob.pid).map(({ pid }) => pid);
  return pids.filter(isContainer);
}

/** Holds a call in each parked container, so that every one of them serves; then lets them answer. */
async function makeWarm(hob: HobServer): Promise<void> {
  const pool = new Pool(hob.url, { connections: INSTANCES });
  const bodies = Array.from({ length: INSTANCES }, () => new PassThrough());
  const answers = bodies.map(async (body) => {
    const answer = await pool.request({ method: 'POST', path: `/fn/${FUNCTION}@1`, body });
    await answer.body.dump();
    if (answer.statusCode !== 200) throw new Error(`${FUNCTION} answered ${answer.statusCode}`);
  });
  for (const body of bodies) body.write('hold');
  await until(`${INSTANCES} containers serve`, async () => {
    const { functions } = (await hob.control('stats')) as { readonly functions: readonly { readonly busy: number }[] };
    return functions.reduce((sum, { busy }) => sum + busy, 0) === INSTANCES;
  });
  for (const body of bodies) body.end();
  await Promise.all(answers);
  await pool.close();
}

async function hobMemory(): Promise<{ readonly parked: number[]; readonly warm: number[] }> {
  const count = `${INSTANCES}`;
  // As many as there are of each peer, who shares its pages with no more than that either: none is made for one that serves.
  const env = { HOB_POOL_MIN: count, HOB_POOL_MAX: count, HOB_CONTAINERS_MAX: count, HOB_POOL_WARM_MB: '128' };
  await using hob = await HobServer.create({ env });
  // Making a version live would load a container of it.
  await hob.deploy('--no-live', join(import.meta.dirname, 'functions', FUNCTION));
  const parkedPids = await until(`${INSTANCES} containers are parked`, () => {
    const pids = containers(hob);
    return pids.length === INSTANCES && pids;
  });
  const parked = parkedPids.map(proportionalMb);
  await makeWarm(hob);
  return { parked, warm: parkedPids.map(proportionalMb) };
}

/** Of every process, those whose command line has a word that contains the name, and the shims of containerd that are a parent of one. */
function processesOf(slot: string): number[] {
  const pids = readdirSync('/proc')
    .map(Number)
    .filter((pid) => pid > 0 && pid !== process.pid);
  const own = pids.filter((pid) => commandOf(pid).includes(slot));
  const shims = own.map(parentOf).filter((pid) => commandOf(pid).includes('containerd-shim'));
  return [...new Set([...own, ...shims])];
}

/** Empty when the process is gone. */
function commandOf(pid: number): string {
  return readIfThere(`/proc/${pid}/cmdline`);
}

function parentOf(pid: number): number {
  return Number(/^PPid:\s+(\d+)$/m.exec(readIfThere(`/proc/${pid}/status`))?.[1] ?? 0);
}

function readIfThere(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

/** As many servers as there are containers of hob, so that their shared pages are shared as widely. */
async function containerMemory(peers: ContainerPeers, peer: ContainerPeer): Promise<number[]> {
  const slots = Array.from({ length: INSTANCES }, (_, at) => `memory-${process.pid}-${at}-`);
  const started: StartedServer[] = [];
  try {
    for (const slot of slots) started.push(await (await serverIn(peers, peer, slot)).start());
    return slots.map((slot) => processesOf(slot).reduce((sum, pid) => sum + proportionalMb(pid), 0));
  } finally {
    for (const each of started) await each[Symbol.asyncDispose]();
  }
}

/** Servers without containers, each with all of its processes, after a call. */
async function serverMemory(): Promise<Peer[]> {
  const all = await Promise.all(Array.from({ length: INSTANCES }, () => ServerPeers.open()));
  try {
    const [first] = all;
    const names = first?.present.map(({ name }) => name) ?? [];
    const rows = names.map(async (name) => {
      const servers = all.flatMap(({ present }) => present).filter((server) => server.name === name);
      for (const { url } of servers) await call(`${url}/100`);
      return { name: `${name}, no container`, ...quantiles(servers.map(({ pid }) => proportionalMb(pid))) };
    });
    return [...(await Promise.all(rows)), ...(first?.missing ?? [])];
  } finally {
    for (const each of all) await each[Symbol.asyncDispose]();
  }
}

/** (d) Proportional memory of containers that wait and that have served. */
export async function benchMemory(): Promise<Measurement[]> {
  await using peers = await ContainerPeers.open();
  const first = await hobMemory();
  const theirs: Peer[] = [];
  for (const peer of peers.present) {
    theirs.push({ name: `${peer.name}: node:http`, ...quantiles(await containerMemory(peers, peer)) });
  }
  theirs.push(...peers.missing, ...(await serverMemory()));
  const second = await hobMemory();
  const rows = [
    ['memory, parked', [...first.parked, ...second.parked], []],
    ['memory, warm', [...first.warm, ...second.warm], theirs],
  ] as const;
  return rows.map(([name, samples, others]) => ({
    name,
    unit: 'MB',
    better: 'lower',
    hob: quantiles(samples),
    peers: others,
    how: `proportional set size (Pss) of ${INSTANCES} at the same time, hob before and after the peers; warm: after a call; a peer's supervisor of each container is counted, daemons that many share (hob serve, dockerd) are not`,
  }));
}
