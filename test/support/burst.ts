import { join } from 'node:path';
import type { Answer } from './http-call.ts';
import { writeFunction } from './function-folder.ts';
import type { HobServer } from './hob-server.ts';

const MEMORY_MB = 128;
const source = `export default (): Response => new Response('first');\n`;

/** A call of a burst. */
export interface BurstCall {
  readonly name: string;
  readonly answer: Answer;
  readonly tookMs: number;
}

/** Deploys functions of which no container was loaded, as one is before a version is live. @returns their names. */
export async function deployFresh(hob: HobServer, folder: string, prefix: string, count: number): Promise<string[]> {
  const names = Array.from({ length: count }, (_, at) => `${prefix}-${at}`);
  const write = (name: string): Promise<string> =>
    writeFunction(join(folder, name), { name, memoryMb: MEMORY_MB }, source);
  await hob.deploy('--no-live', ...(await Promise.all(names.map(write))));
  return names;
}

/** Calls the first versions of all functions at the same time, each several times: all calls of one, then all of the next. @returns them as they were answered. */
export async function burst(hob: HobServer, names: readonly string[], callsEach: number): Promise<BurstCall[]> {
  const startMs = performance.now();
  const calls: BurstCall[] = [];
  const call = async (name: string): Promise<void> => {
    const answer = await hob.fn(`${name}@1`);
    calls.push({ name, answer, tookMs: performance.now() - startMs });
  };
  await Promise.all(names.flatMap((name) => Array.from({ length: callsEach }, () => call(name))));
  return calls;
}
