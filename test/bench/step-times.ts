import { readFile, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stepTimesLibraryPath } from '@hob/native';
import { type DriverOptions, HostDriver } from '@hob/scheduler';
import { TemporaryFolder } from '../support/temporary-folder.ts';

/** As native/src/step-times.c lays them out. */
const [HEAD_BYTES, NAME_BYTES, ENTRY_BYTES, ENTRIES_MAX] = [8, 24, 32, 16_384];
const KIND = { runtime: 'nodejs24.x', memoryMb: 256, network: 'none' } as const;
/** The first ones find caches empty. */
const WARM_UP = 3;

interface Note {
  readonly step: string;
  readonly atMs: number;
}

/**
 * How long each step of a create takes, ms for each container, by a library that notes when each begins: from the zygote's
 * first step to the frame by which the container says that it is parked.
 */
export async function measureSteps(options: DriverOptions, containers: number): Promise<Map<string, number[]>> {
  await using folder = await TemporaryFolder.create('step-times');
  const path = join(folder.path, 'notes');
  await writeFile(path, '');
  await truncate(path, HEAD_BYTES + ENTRIES_MAX * ENTRY_BYTES);
  const driver = await HostDriver.open({ ...options, library: stepTimesLibraryPath, probe: path });
  const times = new Map<string, number[]>();
  try {
    let seen = 0;
    for (let count = 0; count < WARM_UP + containers; count += 1) {
      const container = await driver.create(KIND);
      const parkedMs = performance.timeOrigin + performance.now();
      container.kill();
      await container.exited;
      const notes = readNotes(await readFile(path));
      if (count >= WARM_UP) addTo(times, notes.slice(seen), parkedMs);
      seen = notes.length;
    }
  } finally {
    await driver.close();
  }
  return times;
}

function readNotes(file: Buffer): Note[] {
  return Array.from({ length: Math.min(file.readUInt32LE(0), ENTRIES_MAX) }, (_, index) => {
    const at = HEAD_BYTES + index * ENTRY_BYTES;
    const step = file.toString('latin1', at, at + NAME_BYTES).replace(/\0.*$/s, '');
    return { step, atMs: Number(file.readBigInt64LE(at + NAME_BYTES)) / 1e6 };
  });
}

/** Each step lasts until the next one begins, the last one until the container is parked. */
function addTo(times: Map<string, number[]>, notes: readonly Note[], parkedMs: number): void {
  const first = notes.findIndex(({ step }) => step === 'pipes');
  const own = notes.slice(first);
  for (const [index, { step, atMs }] of own.entries()) {
    const tookMs = (own[index + 1]?.atMs ?? parkedMs) - atMs;
    const all = times.get(step);
    if (all === undefined) times.set(step, [tookMs]);
    else all.push(tookMs);
  }
}
