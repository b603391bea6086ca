import { join } from 'node:path';
import { Client } from 'undici';
import { HobServer } from '../support/hob-server.ts';
import { type Measurement, quantiles } from './measurement.ts';
import { PeerProgram } from './peers/peer-program.ts';

const ROUNDS = 60;
const WARM_UP = 10;
const works = [
  { path: '/compute', name: 'heavy, computing' },
  { path: '/allocate', name: 'heavy, allocating' },
  { path: '/buffers', name: 'heavy, fresh 3 MB buffers' },
] as const;

/** Calls in turn, one after another. @returns times of each target, ms. */
async function timesOf(targets: readonly { client: Client; path: string }[]): Promise<number[][]> {
  const times = targets.map((): number[] => []);
  for (let round = 0; round < WARM_UP + ROUNDS; round += 1) {
    for (const [at, { client, path }] of targets.entries()) {
      const startedMs = performance.now();
      const answer = await client.request({ method: 'GET', path });
      await answer.body.text();
      if (answer.statusCode !== 200) throw new Error(`${path} answered ${answer.statusCode}`);
      if (round >= WARM_UP) times[at]?.push(performance.now() - startedMs);
    }
  }
  return times;
}

/** (f) Handlers that only work: containers have one thread, for the compiler and the garbage collector too. */
export async function benchHeavy(): Promise<Measurement[]> {
  await using hob = await HobServer.create({ env: { HOB_LOG_LEVEL: 'warn' } });
  await hob.deploy(join(import.meta.dirname, 'functions/heavy'));
  await using plain = await PeerProgram.start('plain-heavy', `plain Node ${process.versions.node}`);
  const clients = [new Client(hob.url), new Client(plain.url)] as const;
  const rows: Measurement[] = [];
  for (const { name, path } of works) {
    const targets = [
      { client: clients[0], path: `/fn/heavy${path}` },
      { client: clients[1], path },
    ];
    const [ours = [], theirs = []] = await timesOf(targets);
    const how = `time of a call, ${ROUNDS} of each in turn over one connection; hob's container has 512 MB and one core`;
    const peers = [{ name: plain.name, ...quantiles(theirs) }];
    rows.push({ name, unit: 'ms', better: 'lower', hob: quantiles(ours), peers, how });
  }
  for (const client of clients) await client.close();
  return rows;
}
