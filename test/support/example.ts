import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

const examplesFolder = join(import.meta.dirname, '../../functions/examples');

/** The call that an example's `call.json` describes. */
export interface ExampleCall {
  readonly method: string;
  /** From the function's name on, starting with `/`. */
  readonly path: string;
  readonly headers: Record<string, string>;
  readonly body: Uint8Array | undefined;
  readonly expect: { readonly status: number; readonly contentType: string; readonly bodyIncludes?: string };
}

interface CallFile extends Omit<ExampleCall, 'body'> {
  readonly body?: string;
  /** Relative to the example's folder. */
  readonly bodyFile?: string;
}

/** Names of all examples: their folders' names, which are their functions' too. */
export function exampleNames(): string[] {
  return readdirSync(examplesFolder)
    .filter((name) => existsSync(join(examplesFolder, name, 'hob.json')))
    .toSorted();
}

export function exampleFolder(name: string): string {
  return join(examplesFolder, name);
}

/** Reads an example's call.json and the file that it names. */
export function exampleCall(name: string): ExampleCall {
  const { body, bodyFile, ...file }: CallFile = JSON.parse(
    readFileSync(join(examplesFolder, name, 'call.json'), 'utf8'),
  );
  const bytes = bodyFile === undefined ? body : readFileSync(join(examplesFolder, name, bodyFile));
  return { ...file, body: typeof bytes === 'string' ? Buffer.from(bytes) : bytes };
}
