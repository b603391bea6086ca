import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { Pool } from 'undici';
import { HobServer } from '../support/hob-server.ts';
import { descendants } from '../support/processes.ts';
import { proportionalMb } from '../support/proportional.ts';
import { until } from '../support/until.ts';
import { type Measurement, quantiles } from './measurement.ts';
import { peerEnvironment } from './tools.ts';

const INSTANCES = 10;

/** Whether a process is the first of a pid namespace of its own: a container's. */
function isContainer(pid: number): boolean {
  const line = /^NSpid:\s+(.+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return line !== undefined && /\s1$/.test(line);
}

function containers(hob: HobServer): number[] {
  const pids = descendants(hob.pid).map(({ pid }) => pid);
  return pids.filter(isContainer);
}

/** Holds a call open in each parked container, so that every one of them serves; then lets them answer. */
async function makeWarm(hob: HobServer): Promise<void> {
  const pool = new Pool(hob.url, { connections: INSTANCES });
  const bodies: PassThrough[] = [];
  const answers = Array.from({ length: INSTANCES }, async () => {
    const body = new PassThrough();
    bodies.push(body);
    body.write('hold');
    const answer = await pool.request({ method: 'POST', path: '/fn/fresh', body });
    return answer.body;
  });
  const open = await Promise.all(answers);
  for (const body of bodies) body.end();
  for (const body of open) await body.dump();
  await pool.close();
}

async function hobMemory(): Promise<{ readonly parked: number[]; readonly warm: number[] }> {
  const env = { HOB_POOL_MIN: `${INSTANCES}`, HOB_POOL_MAX: `${INSTANCES}`, HOB_POOL_WARM_MB: '128' };
  await using hob = await HobServer.create({ env });
  await hob.deploy(join(import.meta.dirname, '../functions/fresh'));
  const parkedPids = await until(`${INSTANCES} containers are parked`, () => {
    const pids = containers(hob);
    return pids.length === INSTANCES && pids;
  });
  const parked = parkedPids.map(proportionalMb);
  await makeWarm(hob);
  await until('the pool is filled again', () => containers(hob).length === 2 * INSTANCES);
  return { parked, warm: parkedPids.map(proportionalMb) };
}

/** Idle Nodes, as many as there are containers, so that their shared pages are shared as widely. */
async function nodeMemory(): Promise<number[]> {
  const script = 'process.stdout.write("."); setInterval(() => {}, 1e9)';
  const children: ChildProcess[] = [];
  try {
    for (let count = 0; count < INSTANCES; count += 1) {
      const child = spawn(process.execPath, ['-e', script], { env: peerEnvironment, stdio: ['pipe', 'pipe', 'pipe'] });
      children.push(child);
      await once(child.stdout, 'data');
    }
    return children.map(({ pid }) => proportionalMb(pid ?? 0));
  } finally {
    for (const child of children) child.kill('SIGKILL');
    await Promise.all(children.map((child) => once(child, 'close')));
  }
}

/** (d) Proportional memory of containers that wait and that have served, against an idle Node. */
export async function benchMemory(): Promise<Measurement[]> {
  const first = await hobMemory();
  const idle = await nodeMemory();
  const second = await hobMemory();
  idle.push(...(await nodeMemory()));
  const rows = [
    ['memory, parked', [...first.parked, ...second.parked]],
    ['memory, warm', [...first.warm, ...second.warm]],
  ] as const;
  return rows.map(([name, samples]) => ({
    name,
    unit: 'MB',
    better: 'lower',
    hob: quantiles(samples),
    peer: { name: 'node -e, idle', ...quantiles(idle) },
    how: `proportional set size of ${INSTANCES} at the same time, twice in turn; warm: after its first call`,
  }));
}
