import { join } from 'node:path';
import { type Abuse, Abusers, abuses, deployAbusers } from '../support/abusers.ts';
import { HobServer } from '../support/hob-server.ts';
import { TemporaryFolder } from '../support/temporary-folder.ts';
import { until } from '../support/until.ts';
import type { Measurement } from './measurement.ts';
import { runWrk, type WrkResult } from './peers/wrk.ts';
import { BUSY_LOOPS, FORK_BOMB, PlainLoad } from './plain-load.ts';
import { needProgram } from './tools.ts';
import { latency } from './wrk-rounds.ts';

const ROUNDS = 3;
const SECONDS = 5;
/** Who abuses at the same time. */
const crowds: readonly (readonly Abuse[])[] = [['cpu', 'memory', 'processes', 'log'], abuses];

/** What is measured while abusers are at work. */
async function besideAbusers<T>(hob: HobServer, crowd: readonly Abuse[], measure: () => Promise<T>): Promise<T> {
  await using abusers = new Abusers(hob, crowd);
  await until('each abuse was ended once', () => abusers.haveEnded(1));
  return await measure();
}

async function besidePlainLoad<T>(script: string, measure: () => Promise<T>): Promise<T> {
  await using _load = new PlainLoad(script);
  return await measure();
}

/**
 * (e) Calls of a function while others abuse one resource each to its limit, against calls of the same function without them.
 * The rounds take turns, so that whatever else the machine does falls on both.
 */
export async function benchNeighbours(): Promise<Measurement[]> {
  const wrk = await needProgram('wrk');
  if ('missing' in wrk) throw new Error(`no load generator: ${wrk.missing}`);
  await using hob = await HobServer.create({ env: { HOB_LOG_LEVEL: 'warn' } });
  await using folder = await TemporaryFolder.create('neighbours');
  await hob.deploy(join(import.meta.dirname, 'functions/answer'));
  await deployAbusers(hob, folder.path);
  const url = `${hob.url}/fn/answer/100`;
  const load = { connections: 1, seconds: SECONDS };
  await runWrk(wrk.path, url, load);
  const alone: WrkResult[] = [];
  const beside = crowds.map((): WrkResult[] => []);
  const besideProcesses: WrkResult[] = [];
  const besideBomb: WrkResult[] = [];
  const besideLoops: WrkResult[] = [];
  const measure = (): Promise<WrkResult> => runWrk(wrk.path, url, load);
  for (let round = 0; round < ROUNDS; round += 1) {
    alone.push(await measure());
    for (const [at, crowd] of crowds.entries()) {
      beside[at]?.push(await besideAbusers(hob, crowd, measure));
    }
    besideLoops.push(await besidePlainLoad(BUSY_LOOPS, measure));
    besideProcesses.push(await besideAbusers(hob, ['processes'], measure));
    besideBomb.push(await besidePlainLoad(FORK_BOMB, measure));
  }
  const rows = crowds.map((crowd, at): Measurement => ({
    name: `warm, beside ${crowd.length} abusers: latency`,
    unit: 'ms',
    better: 'lower',
    hob: latency(beside[at] ?? []),
    peers: [
      { name: 'hob without abusers', ...latency(alone) },
      { name: 'hob beside a plain busy loop for each core', ...latency(besideLoops) },
    ],
    how: `wrk, 1 connection, ${ROUNDS} rounds of ${SECONDS} s in turn; abused are ${crowd.join(', ')}; the plain processes have the lowest priority`,
  }));
  rows.push({
    name: 'warm, beside a fork bomb: latency',
    unit: 'ms',
    better: 'lower',
    hob: latency(besideProcesses),
    peers: [{ name: 'hob beside plain processes that fork as much', ...latency(besideBomb) }],
    how: `wrk, 1 connection, ${ROUNDS} rounds of ${SECONDS} s in turn; the plain processes have the lowest priority`,
  });
  return rows;
}
