import { setTimeout as sleep } from 'node:timers/promises';
import { libraryPath } from '@hob/native';
import { type DriverOptions, driverDefaults, HostDriver } from '@hob/scheduler';
import { type Measurement, quantiles } from './measurement.ts';
import { ContainerPeers, MEMORY_MB, NODE, root } from './peers/container-peers.ts';
import { measureSteps } from './step-times.ts';

const KIND = { runtime: 'nodejs24.x', memoryMb: MEMORY_MB, network: 'none' } as const;
const BATCHES = 4;
const HOB_BATCH = 40;
const PEER_BATCH = 8;
/** Rounds in which hob and each peer start one container after a second of quiet. */
const QUIET_ROUNDS = 6;
const QUIET_MS = 1000;
const PARALLEL = [1, 4, 16] as const;
const PARALLEL_ROUNDS = 3;
const PARALLEL_MS = 1500;
/** Containers whose steps are timed. */
const STEP_CONTAINERS = 100;
const SCRIPT = 'require("fs").writeSync(1, ".")';

const isolation = 'same root filesystem, namespaces, cgroup limits and seccomp rules; the peers run node -e';

/** How long one container took, ms: until its first JavaScript, and until nothing is left of it. */
interface Life {
  readonly createdMs: number;
  readonly goneMs: number;
}

/** hob or a peer: starts a container and waits until it is gone. */
interface Starter {
  readonly name: string;
  start(slot: number): Promise<Life>;
}

async function starters(driver: HostDriver, peers: ContainerPeers): Promise<readonly [Starter, ...Starter[]]> {
  const hob: Starter = {
    name: 'hob',
    async start() {
      const startedMs = performance.now();
      const container = await driver.create(KIND);
      const createdMs = performance.now() - startedMs;
      container.kill();
      await container.exited;
      return { createdMs, goneMs: performance.now() - startedMs };
    },
  };
  const slots = Array.from({ length: Math.max(...PARALLEL) }, (_, slot) => `${slot}`);
  const others = peers.present.map(async (peer): Promise<Starter> => {
    const commands = await Promise.all(slots.map((slot) => peer.prepare(slot, [NODE, '-e', SCRIPT])));
    return {
      name: peer.name,
      async start(slot) {
        const { firstByteMs, exitMs } = await peers.runner.run(commands[slot] ?? []);
        if (firstByteMs === undefined) throw new Error(`${peer.name} ran no JavaScript`);
        return { createdMs: firstByteMs, goneMs: exitMs };
      },
    };
  });
  return [hob, ...(await Promise.all(others))];
}

/** Lives by starter. */
type Lives = Map<Starter, Life[]>;

/** In batches, by turns: within a batch one starts as soon as the one before is gone. */
async function backToBack(all: readonly Starter[]): Promise<Lives> {
  const lives: Lives = new Map(all.map((starter) => [starter, []]));
  for (let batch = 0; batch < BATCHES; batch += 1) {
    for (const starter of all) {
      const size = starter.name === 'hob' ? HOB_BATCH : PEER_BATCH;
      for (let count = 0; count < size; count += 1) lives.get(starter)?.push(await starter.start(0));
    }
  }
  return lives;
}

async function afterQuiet(all: readonly Starter[]): Promise<Lives> {
  const lives: Lives = new Map(all.map((starter) => [starter, []]));
  for (let round = 0; round < QUIET_ROUNDS; round += 1) {
    for (const starter of all) {
      await sleep(QUIET_MS);
      lives.get(starter)?.push(await starter.start(0));
    }
  }
  return lives;
}

/** Containers per second, so many at the same time: until the last one that was begun within the round is gone. */
async function rate(starter: Starter, parallel: number): Promise<number> {
  const startedMs = performance.now();
  let count = 0;
  const loop = async (_: unknown, slot: number): Promise<void> => {
    while (performance.now() - startedMs < PARALLEL_MS) {
      await starter.start(slot);
      count += 1;
    }
  };
  await Promise.all(Array.from({ length: parallel }, loop));
  return count / ((performance.now() - startedMs) / 1000);
}

async function rates(all: readonly Starter[], parallel: number): Promise<Map<Starter, number[]>> {
  const found = new Map<Starter, number[]>(all.map((starter) => [starter, []]));
  for (let round = 0; round < PARALLEL_ROUNDS; round += 1) {
    for (const starter of all) found.get(starter)?.push(await rate(starter, parallel));
  }
  return found;
}

/** Each step of a create, in their order. */
async function stepRows(options: DriverOptions): Promise<Measurement[]> {
  const times = await measureSteps(options, STEP_CONTAINERS);
  return [...times].map(([step, samples]) => ({
    name: `create, steps: ${step}`,
    unit: 'ms',
    better: 'lower',
    hob: quantiles(samples),
    peers: [],
    how: `each until the next one begins, the last one until the container says that it is parked; ${STEP_CONTAINERS} containers`,
  }));
}

/** (a) Containers whose program is Node: how long one takes, and how many there are in a second. */
export async function benchCreate(): Promise<Measurement[]> {
  const paths = { root, library: libraryPath, bundles: '/nonexistent' };
  const options = { ...driverDefaults, ...paths, instance: `bench-${process.pid}` };
  await using peers = await ContainerPeers.open();
  const driver = await HostDriver.open(options);
  try {
    const all = await starters(driver, peers);
    const [hob, ...others] = all;
    await hob.start(0); // boots the zygote
    const row = (
      text: Pick<Measurement, 'name' | 'unit' | 'better' | 'how'>,
      samples: (starter: Starter) => readonly number[],
    ): Measurement => ({
      ...text,
      how: `${text.how}; ${isolation}`,
      hob: quantiles(samples(hob), text.better),
      peers: [
        ...others.map((each) => ({ name: each.name, ...quantiles(samples(each), text.better) })),
        ...peers.missing,
      ],
    });
    const [near, quiet] = [await backToBack(all), await afterQuiet(all)];
    const created = (lives: Lives) => (each: Starter) => lives.get(each)?.map(({ createdMs }) => createdMs) ?? [];
    const gone = (each: Starter): number[] => near.get(each)?.map(({ goneMs }) => goneMs) ?? [];
    const batches = `${BATCHES} batches in turn, ${HOB_BATCH} of hob, ${PEER_BATCH} of each peer, back to back`;
    const pauses = `${QUIET_ROUNDS} of each in turn, each after ${QUIET_MS} ms of quiet`;
    const ms = { unit: 'ms', better: 'lower' } as const;
    const rows = [
      row({ ...ms, name: 'create', how: `until the first JavaScript; ${batches}` }, created(near)),
      row({ ...ms, name: 'create, quiet', how: `until the first JavaScript; ${pauses}` }, created(quiet)),
      row({ ...ms, name: 'create, run, remove', how: `until nothing is left; ${batches}` }, gone),
    ];
    for (const parallel of PARALLEL) {
      const found = await rates(all, parallel);
      const how = `${PARALLEL_ROUNDS} rounds of ${PARALLEL_MS} ms in turn; p99 is the worst round`;
      const text = {
        name: `containers, ${parallel} in parallel`,
        unit: 'containers/s',
        better: 'higher',
        how,
      } as const;
      rows.push(row(text, (each) => found.get(each) ?? []));
    }
    return [...rows, ...(await stepRows({ ...options, instance: `${options.instance}-steps` }))];
  } finally {
    await driver.close();
  }
}
