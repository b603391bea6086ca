import { join } from 'node:path';
import { HobServer } from '../support/hob-server.ts';
import { type Measurement, quantiles } from './measurement.ts';
import { ContainerPeers, NODE } from './peers/container-peers.ts';
import { runWrk } from './peers/wrk.ts';
import { needProgram } from './tools.ts';

const CONNECTIONS = 4;
const ROUNDS = 4;
const SECONDS = 4;
const SCRIPT = 'require("fs").writeSync(1, "x".repeat(100))';

/** Runs a container for each call, as many callers at a time as there are commands. @returns calls per second. */
async function runPerSecond(peers: ContainerPeers, commands: readonly (readonly string[])[]): Promise<number> {
  const startedMs = performance.now();
  let count = 0;
  const caller = async (command: readonly string[]): Promise<void> => {
    while (performance.now() - startedMs < SECONDS * 1000) {
      await peers.runner.run(command);
      count += 1;
    }
  };
  await Promise.all(commands.map(caller));
  return count / ((performance.now() - startedMs) / 1000);
}

/** (g) A fresh container for every call: over HTTP with hob, by one run of Node for each call with the peer. */
export async function benchFreshCall(): Promise<Measurement[]> {
  const wrk = await needProgram('wrk');
  if ('missing' in wrk) throw new Error(`no load generator: ${wrk.missing}`);
  await using hob = await HobServer.create({ env: { HOB_LOG_LEVEL: 'warn' } });
  await hob.deploy(join(import.meta.dirname, 'functions/answer-once'));
  await using peers = await ContainerPeers.open(['crun']);
  const [crun] = peers.present;
  const slots = Array.from({ length: CONNECTIONS }, (_, slot) => `${slot}`);
  const prepare = async (slot: string): Promise<readonly string[]> =>
    (await crun?.prepare(slot, [NODE, '-e', SCRIPT])) ?? [];
  const commands = await Promise.all(slots.map(prepare));
  const url = `${hob.url}/fn/answer-once/100`;
  await runWrk(wrk.path, url, { connections: CONNECTIONS, seconds: 1 });
  const [ours, theirs]: [number[], number[]] = [[], []];
  for (let round = 0; round < ROUNDS; round += 1) {
    ours.push((await runWrk(wrk.path, url, { connections: CONNECTIONS, seconds: SECONDS })).requestsPerSecond);
    if (crun !== undefined) theirs.push(await runPerSecond(peers, commands));
  }
  const better = 'higher';
  const present = crun === undefined ? [] : [{ name: `${crun.name} run for each call`, ...quantiles(theirs, better) }];
  return [
    {
      name: `fresh container for each call, ${CONNECTIONS} callers`,
      unit: 'requests/s',
      better,
      hob: quantiles(ours, better),
      peers: [...present, ...peers.missing],
      how: `${ROUNDS} rounds of ${SECONDS} s in turn; hob over HTTP with reuse "never"; the peer runs node -e, with no HTTP; p99 is the worst round`,
    },
  ];
}
