import { join } from 'node:path';
import { quantile } from '../bench/measurement.ts';
import { type FunctionSettings, writeFunction } from '../support/function-folder.ts';
import { HobServer } from '../support/hob-server.ts';
import { TemporaryFolder } from '../support/temporary-folder.ts';
import { type OpenCall, OpenLoop } from './open-loop.ts';

const CONNECTIONS = 1024;
const CAPACITY_S = 5;
const QUIET_S = 3;
const FLOOD_S = 30;
/** How long after the flood it may take until all is as before. */
const RECOVERY_S = 2;
const FACTOR = 5;
const GOODPUT_SHARE_MIN = 0.85;
/** Of the capacity: what quiet is. */
const QUIET_SHARE = 0.1;
/** As quiet as before, chance aside. */
const NEAR = 2;

/** A function to be flooded. */
interface Subject {
  readonly settings: FunctionSettings;
  readonly source: string;
  /** How many calls at once are as many as it can serve at once, or more. */
  readonly callers: number;
}

const waiting = `import { setTimeout as delay } from 'node:timers/promises';
export default async (): Promise<Response> => {
  await delay(20);
  return new Response('done');
};
`;
const computing = `export default (): Response => {
  const endMs = performance.now() + 10;
  while (performance.now() < endMs);
  return new Response('done');
};
`;
const subjects: readonly Subject[] = [
  { settings: { name: 'waiting', memoryMb: 128, maxContainers: 4 }, source: waiting, callers: 8 },
  { settings: { name: 'computing', memoryMb: 128, maxContainers: 4 }, source: computing, callers: 8 },
  {
    settings: { name: 'fresh', memoryMb: 128, reuse: 'never' },
    source: `export default (): Response => new Response('done');\n`,
    callers: 16,
  },
];

const took = (calls: readonly OpenCall[]): string => {
  const ms = calls.map(({ tookMs }) => tookMs);
  if (ms.length === 0) return '–'.padStart(16);
  return [0.5, 0.99].map((share) => quantile(ms, share).toFixed(1).padStart(8)).join('');
};

const answeredBy = (calls: readonly OpenCall[], status: number): OpenCall[] =>
  calls.filter((call) => call.status === status);

function printSeconds(calls: readonly OpenCall[], startMs: number): void {
  const heads = ['second', 'served', 'p50 ms', 'p99 ms', 'refused', 'p50 ms', 'p99 ms'];
  console.log(heads.map((head) => head.padStart(8)).join(''));
  const seconds = Map.groupBy(calls, ({ atMs }) => Math.floor((atMs - startMs) / 1000));
  for (const [second, of] of seconds) {
    const [served, refused] = [answeredBy(of, 200), answeredBy(of, 429)];
    const counts = [second, served.length].map((value) => `${value}`.padStart(8)).join('');
    console.log(`${counts}${took(served)}${`${refused.length}`.padStart(8)}${took(refused)}`);
  }
}

const median = (calls: readonly OpenCall[]): number =>
  quantile(
    calls.map(({ tookMs }) => tookMs),
    0.5,
  );

async function overloadOne(loop: OpenLoop, { settings, callers }: Subject): Promise<string[]> {
  await loop.capacity(callers, 1); // warms both sides up
  const before = await loop.capacity(callers, CAPACITY_S);
  const trickle = async (seconds: number): Promise<OpenCall[]> =>
    Promise.all((await loop.flood(QUIET_SHARE * before, seconds)).calls);
  const quiet = await trickle(QUIET_S);
  const startMs = performance.now();
  const { calls: leaving, unsent, seconds } = await loop.flood(FACTOR * before, FLOOD_S);
  const endMs = performance.now();
  const recovering = trickle(RECOVERY_S);
  const calls = await Promise.all(leaving);
  await recovering;
  const after = await trickle(QUIET_S);
  // The host may be as busy with something else before as after.
  const capacity = (before + (await loop.capacity(callers, CAPACITY_S))) / 2;
  const offered = calls.length / seconds;
  const goodput = answeredBy(calls, 200).filter(({ atMs, tookMs }) => atMs + tookMs <= endMs).length / seconds;
  const share = goodput / capacity;
  const shown = [capacity, offered, unsent / seconds].map((rate) => rate.toFixed(0));
  console.log(
    `${settings.name}: ${shown[0]} calls a second are the most; ${shown[1]} come, ${shown[2]} found no connection`,
  );
  printSeconds(calls, startMs);
  console.log(
    `${(100 * share).toFixed(0)} % of the most are served; quiet p50, p99 before, ms: ${took(quiet)}; after: ${took(after)}\n`,
  );
  const [served, refused] = [answeredBy(calls, 200), answeredBy(calls, 429)];
  const said = [
    [offered < (FACTOR - 1) * capacity, 'fewer calls came than were to'],
    [share < GOODPUT_SHARE_MIN, `only ${(100 * share).toFixed(0)} % of the most were served`],
    [served.length + refused.length < calls.length, `${calls.length - served.length - refused.length} calls failed`],
    [refused.some(({ retryAfter }) => retryAfter === undefined), 'there were refusals without retry-after'],
    [median(refused) > median(served) / NEAR, 'refusals came late'],
    [after.some(({ status }) => status !== 200), 'there were failures after the flood'],
    [median(after) > NEAR * median(quiet), 'calls take longer after the flood than before'],
  ] as const;
  return said.flatMap(([isSo, what]) => (isSo ? [`${settings.name}: ${what}`] : []));
}

/**
 * Calls come five times as fast as they can be served, whether they are answered or not. As many as can be are to be served, the others
 * refused at once; and soon afterwards all is to be as it was before.
 *
 * @returns what did not go as it should.
 */
export async function overload(): Promise<string[]> {
  await using folder = await TemporaryFolder.create('overload');
  const said: string[] = [];
  for (const subject of subjects) {
    const { settings, source } = subject;
    await using hob = await HobServer.create({ env: { HOB_LOG_LEVEL: 'warn' } });
    await hob.deploy(await writeFunction(join(folder.path, settings.name), settings, source));
    await using loop = new OpenLoop(hob.url, `/fn/${settings.name}`, CONNECTIONS);
    said.push(...(await overloadOne(loop, subject)));
  }
  return said;
}
