import { join } from 'node:path';
import { type Missing, needPackage } from '../tools.ts';
import { PeerProgram } from './peer-program.ts';

const VERSION = '1.20261117.1';

/** workerd, Cloudflare's runtime: V8 and HTTP in C++, many functions in one process. */
export async function openWorkerd(): Promise<PeerProgram | Missing> {
  const found = await needPackage('workerd', VERSION);
  if ('missing' in found) return found;
  const arch = process.arch === 'arm64' ? 'arm64' : '64';
  const program = join(found.folder, `node_modules/@cloudflare/workerd-linux-${arch}/bin/workerd`);
  const config = join(import.meta.dirname, 'workerd.capnp');
  return PeerProgram.serve(`workerd ${VERSION}`, (port) => [
    program,
    'serve',
    config,
    '--socket-addr',
    `http=127.0.0.1:${port}`,
  ]);
}
