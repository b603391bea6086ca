import { join } from 'node:path';
import { HobServer } from '../support/hob-server.ts';
import { call } from '../support/http-call.ts';
import type { Measurement } from './measurement.ts';
import { ServerPeers } from './peers/server-peers.ts';
import { needProgram } from './tools.ts';
import { compareByWrk, type Target } from './wrk-rounds.ts';

const ROUNDS = 3;
const SECONDS = 2;
/** Code of both sides is compiled while it is called: after one second of few calls it is not yet. */
const WARM_UP_SECONDS = 2;
const BODIES = [
  { bytes: 100, text: '100 B' },
  { bytes: 100_000, text: '100 KB' },
] as const;

/** One way to call a function warm. */
interface Variant {
  readonly name: string;
  readonly function: string;
  readonly connections: number;
  readonly settings: string;
}

const many = { function: 'answer-many', settings: 'hob with concurrency 128, one container' } as const;
const one = { function: 'answer', settings: 'hob with concurrency 1: a container for each connection' } as const;
const variants: readonly Variant[] = [
  { name: 'warm, 1 connection', connections: 1, ...one },
  { name: 'warm, 32 connections', connections: 32, ...many },
  { name: 'warm, 128 connections', connections: 128, ...many },
];

async function assertSameAnswers(targets: readonly Target[]): Promise<void> {
  const views = await Promise.all(
    targets.map(async ({ url }) => {
      const { status, headers, body } = await call(url);
      return `${status} ${headers['content-type']?.toLowerCase().replaceAll(' ', '')} ${body.toString()}`;
    }),
  );
  const odd = views.findIndex((view) => view !== views[0]);
  if (odd >= 0)
    throw new Error(`${targets[odd]?.name} answers ${views[odd]?.slice(0, 80)}, not ${views[0]?.slice(0, 80)}`);
}

/** (c) Calls of a function that is already in a container, against servers that answer the same without containers. */
export async function benchWarmCall(): Promise<Measurement[]> {
  const wrk = await needProgram('wrk');
  if ('missing' in wrk) throw new Error(`no load generator: ${wrk.missing}`);
  await using hob = await HobServer.create({ env: { HOB_LOG_LEVEL: 'warn' } });
  await hob.deploy(...['answer', 'answer-many'].map((name) => join(import.meta.dirname, 'functions', name)));
  await using peers = await ServerPeers.open();
  const rows: Measurement[] = [];
  const compare = async (variant: Variant, body: (typeof BODIES)[number], others: readonly Target[]): Promise<void> => {
    const ours = { name: 'hob', url: `${hob.url}/fn/${variant.function}/${body.bytes}` };
    const targets = [ours, ...others.map(({ name, url }) => ({ name, url: `${url}/${body.bytes}` }))];
    await assertSameAnswers(targets);
    const text = { name: `${variant.name}, ${body.text}`, how: variant.settings };
    const { connections } = variant;
    const load = { wrk: wrk.path, connections, rounds: ROUNDS, seconds: SECONDS, warmUpSeconds: WARM_UP_SECONDS };
    rows.push(...(await compareByWrk(text, targets, load, peers.missing)));
  };
  for (const variant of variants) for (const body of BODIES) await compare(variant, body, peers.present);
  const fastify = peers.present.filter(({ name }) => name.includes('fastify'));
  await compare({ name: 'warm, 32 containers', connections: 32, ...one }, BODIES[0], fastify);
  await using two = await HobServer.create({ env: { HOB_LOG_LEVEL: 'warn', HOB_WORKERS: '2' } });
  await two.deploy(join(import.meta.dirname, 'functions/answer-many'));
  const workers = { name: 'hob --workers 2', url: `${two.url}/fn/answer-many/${BODIES[0].bytes}` };
  const alone = { name: 'hob in one process', url: `${hob.url}/fn/answer-many/${BODIES[0].bytes}` };
  const text = { name: 'warm, 32 connections, --workers 2', how: many.settings };
  const load = { wrk: wrk.path, connections: 32, rounds: ROUNDS, seconds: SECONDS, warmUpSeconds: WARM_UP_SECONDS };
  rows.push(...(await compareByWrk(text, [workers, alone], load, [])));
  return rows;
}
