import { readFileSync } from 'node:fs';
import { missingFor } from '../tools.ts';
import type { MissingPeer } from './container-peers.ts';
import { openFunctionsFramework } from './functions-framework.ts';
import { PeerProgram } from './peer-program.ts';
import { openWorkerd } from './workerd.ts';

const fastifyVersion = (): string => {
  const manifest = readFileSync(new URL('package.json', import.meta.resolve('fastify')), 'utf8');
  return (JSON.parse(manifest) as { version: string }).version;
};

const openers = {
  'bare fastify': () => PeerProgram.start('bare-fastify', `bare fastify ${fastifyVersion()}`),
  workerd: openWorkerd,
  'functions-framework': openFunctionsFramework,
} as const;

/** All servers that warm calls are compared with: they answer what functions/answer answers. */
export class ServerPeers implements AsyncDisposable {
  readonly present: PeerProgram[] = [];
  readonly missing: MissingPeer[] = [];

  static async open(): Promise<ServerPeers> {
    const self = new ServerPeers();
    for (const [name, open] of Object.entries(openers)) {
      const peer = await open().catch(missingFor);
      if ('missing' in peer) self.missing.push({ name, ...peer });
      else self.present.push(peer);
    }
    return self;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const peer of this.present) await peer[Symbol.asyncDispose]();
  }
}
