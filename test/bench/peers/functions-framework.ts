import { join } from 'node:path';
import { type Missing, needPackage } from '../tools.ts';
import { PeerProgram } from './peer-program.ts';

const NAME = '@google-cloud/functions-framework';
const VERSION = '5.0.5';

/** The server that Google's function services start for each function: express. */
export async function openFunctionsFramework(): Promise<PeerProgram | Missing> {
  const found = await needPackage(NAME, VERSION);
  if ('missing' in found) return found;
  const program = join(found.folder, 'node_modules', NAME, 'build/src/main.js');
  const source = join(import.meta.dirname, 'functions-framework.cjs');
  return PeerProgram.serve(`functions-framework ${VERSION}`, (port) => [
    process.execPath,
    program,
    `--source=${source}`,
    '--target=answer',
    `--port=${port}`,
  ]);
}
