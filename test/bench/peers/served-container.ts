import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'undici';
import { type ContainerPeer, SHARED_FOLDER } from './container-peer.ts';
import { type ContainerPeers, NODE } from './container-peers.ts';

/** A container without a network is reached through the file system. It ends with its input. */
const SERVER = `
  const server = require('node:http').createServer((_request, response) => {
    response.writeHead(200, { 'content-type': 'application/json; charset=utf-8' }).end('{"hello":"world"}');
  });
  server.listen(process.argv[1], () => require('node:fs').chmodSync(process.argv[1], 0o777));
  process.stdin.resume().once('end', () => process.exit());`;
const POLL_MS = 0.5;
const WAIT_MS_MAX = 30_000;

/** A server that has answered its first call. Disposing ends the container. */
export interface StartedServer extends AsyncDisposable {
  /** From before the container was asked for until the answer was read, ms. */
  readonly answeredMs: number;
}

/** A container with a server in it, that can be started again and again. */
export interface ServedContainer {
  start(): Promise<StartedServer>;
}

/** @param slot see ContainerPeer.prepare(); it is found in the command lines of the container's processes. */
export async function serverIn(peers: ContainerPeers, peer: ContainerPeer, slot: string): Promise<ServedContainer> {
  const file = `${peer.name.split(' ')[0]}-${slot}`;
  const command = await peer.prepare(slot, [NODE, '-e', SERVER, join(SHARED_FOLDER, file)]);
  const socketPath = join(peers.shared, file);
  return {
    async start() {
      rmSync(socketPath, { force: true });
      const startedMs = performance.now();
      const running = peers.runner.hold(command);
      const failed = running.ended.then(
        () => `${peer.name} ended before it answered`,
        (error: unknown) => String(error),
      );
      await firstAnswer(socketPath, failed);
      const answeredMs = performance.now() - startedMs;
      return { answeredMs, [Symbol.asyncDispose]: () => running.stop() };
    },
  };
}

/** Asks until there is an answer. @param failed says why there will be none. */
async function firstAnswer(socketPath: string, failed: Promise<string>): Promise<void> {
  const untilMs = performance.now() + WAIT_MS_MAX;
  let failure: string | undefined;
  void failed.then((why) => (failure = why));
  for (;;) {
    try {
      await using client = new ClosingClient(socketPath);
      const answer = await client.request({ method: 'GET', path: '/' });
      if ((await answer.body.text()) === '{"hello":"world"}') return;
    } catch (error) {
      if (failure !== undefined || performance.now() > untilMs)
        throw new Error(failure ?? 'no answer', { cause: error });
    }
    await sleep(POLL_MS);
  }
}

class ClosingClient extends Client implements AsyncDisposable {
  constructor(socketPath: string) {
    super('http://localhost', { socketPath });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.destroy();
  }
}
