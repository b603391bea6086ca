import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { FunctionConfig } from '@hob/contracts';

/** What a hob.json must and may hold. */
export type FunctionSettings = Pick<FunctionConfig, 'name'> & Partial<FunctionConfig>;

/**
 * Writes a function as a user would.
 *
 * @param folder is made when it is not there.
 * @param source text of its index.ts.
 * @returns the folder.
 */
export async function writeFunction(folder: string, config: FunctionSettings, source: string): Promise<string> {
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'hob.json'), `${JSON.stringify(config, undefined, 2)}\n`);
  await writeFile(join(folder, 'index.ts'), source);
  return folder;
}
