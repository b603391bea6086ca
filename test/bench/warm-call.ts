import { join } from 'node:path';
import { HobServer } from '../support/hob-server.ts';
import { call } from '../support/http-call.ts';
import { type Measurement, type Peer, quantiles } from './measurement.ts';
import { PeerProgram } from './peers/peer-program.ts';
import { runWrk, type WrkResult } from './peers/wrk.ts';
import { needProgram, versionOf } from './tools.ts';

const ROUNDS = 5;
const SECONDS = 4;
const WARM_UP_SECONDS = 2;

/** One way to call a function warm. */
interface Variant {
  readonly name: string;
  readonly function: string;
  readonly connections: number;
  readonly settings: string;
}

const variants: readonly Variant[] = [
  { name: 'warm, 1 connection', function: 'answer', connections: 1, settings: 'concurrency 1' },
  {
    name: 'warm, 32 connections',
    function: 'answer-many',
    connections: 32,
    settings: 'concurrency 32, one container',
  },
  {
    name: 'warm, 32 connections, 32 containers',
    function: 'answer',
    connections: 32,
    settings: 'concurrency 1, so that each connection has a container of its own',
  },
];

async function assertSameAnswer(hobUrl: string, peerUrl: string): Promise<void> {
  const [ours, theirs] = await Promise.all([call(hobUrl), call(peerUrl)]);
  const view = ({ status, headers, body }: typeof ours): string =>
    `${status} ${headers['content-type']} ${body.toString()}`;
  if (view(ours) !== view(theirs)) throw new Error(`the answers differ: ${view(ours)}; ${view(theirs)}`);
}

/** Percentiles of single calls within a round; of those, the median over the rounds. */
function latency(results: readonly WrkResult[]): { p50: number; p99: number } {
  return {
    p50: quantiles(results.map(({ p50Ms }) => p50Ms)).p50,
    p99: quantiles(results.map(({ p99Ms }) => p99Ms)).p50,
  };
}

async function benchVariant(wrk: string, variant: Variant, hob: HobServer, peer: PeerProgram): Promise<Measurement[]> {
  const { connections } = variant;
  const urls = [`${hob.url}/fn/${variant.function}`, `${peer.url}/`];
  await assertSameAnswer(urls[0] ?? '', urls[1] ?? '');
  for (const url of urls) await runWrk(wrk, url, { connections, seconds: WARM_UP_SECONDS });
  const { ours, theirs } = await loadInTurn(wrk, urls, connections);
  const how = `${versionOf(wrk, '-v').split(' [')[0]}, ${ROUNDS} rounds of ${SECONDS} s in turn; hob with ${variant.settings}`;
  return rowsOf(variant.name, 'bare fastify', { ours, theirs, how });
}

interface Rounds {
  readonly ours: readonly WrkResult[];
  readonly theirs: readonly WrkResult[];
}

async function loadInTurn(wrk: string, urls: readonly string[], connections: number): Promise<Rounds> {
  const ours: WrkResult[] = [];
  const theirs: WrkResult[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    ours.push(await runWrk(wrk, urls[0] ?? '', { connections, seconds: SECONDS }));
    theirs.push(await runWrk(wrk, urls[1] ?? '', { connections, seconds: SECONDS }));
  }
  return { ours, theirs };
}

function rowsOf(
  name: string,
  peerName: string,
  { ours, theirs, how }: Rounds & { readonly how: string },
): Measurement[] {
  const rates = (results: readonly WrkResult[]) =>
    quantiles(
      results.map(({ requestsPerSecond }) => requestsPerSecond),
      'higher',
    );
  const peerOf = (numbers: { p50: number; p99: number }): Peer => ({ name: peerName, ...numbers });
  return [
    {
      name: `${name}: throughput`,
      unit: 'requests/s',
      better: 'higher',
      hob: rates(ours),
      peer: peerOf(rates(theirs)),
      how: `${how}; p99 is the worst round`,
    },
    {
      name: `${name}: latency`,
      unit: 'ms',
      better: 'lower',
      hob: latency(ours),
      peer: peerOf(latency(theirs)),
      how,
    },
  ];
}

/** What workers gain or cost on this host: the same hob, its gateway as two processes and as one. */
async function benchWorkers(wrk: string, one: HobServer): Promise<Measurement[]> {
  await using two = await HobServer.create({ env: { HOB_LOG_LEVEL: 'warn', HOB_WORKERS: '2' } });
  await two.deploy(join(import.meta.dirname, 'functions/answer-many'));
  const urls = [two, one].map(({ url }) => `${url}/fn/answer-many`);
  for (const url of urls) await runWrk(wrk, url, { connections: 32, seconds: WARM_UP_SECONDS });
  const rounds = await loadInTurn(wrk, urls, 32);
  const how = `${ROUNDS} rounds of ${SECONDS} s in turn; concurrency 32, one container`;
  return rowsOf('warm, 32 connections, --workers 2', 'hob, one process', { ...rounds, how });
}

/** (c) Calls of a function that is already in a container, against fastify alone, by the same load generator. */
export async function benchWarmCall(): Promise<Measurement[]> {
  const wrk = await needProgram('wrk');
  if ('missing' in wrk) throw new Error(`no load generator: ${wrk.missing}`);
  await using hob = await HobServer.create({ env: { HOB_LOG_LEVEL: 'warn' } });
  await hob.deploy(...['answer', 'answer-many'].map((name) => join(import.meta.dirname, 'functions', name)));
  await using peer = await PeerProgram.start('bare-fastify');
  const rows: Measurement[] = [];
  for (const variant of variants) rows.push(...(await benchVariant(wrk.path, variant, hob, peer)));
  rows.push(...(await benchWorkers(wrk.path, hob)));
  return rows;
}
