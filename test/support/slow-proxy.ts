import { once } from 'node:events';
import { chmod } from 'node:fs/promises';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { TemporaryFolder } from './temporary-folder.ts';

/**
 * A socket in front of another one, which passes everything on at once in the one direction, and answers in the other one as late as it is
 * told to.
 */
export class SlowProxy implements AsyncDisposable {
  /** Where clients connect; any user may. */
  readonly path: string;
  /** How late answers are from now on, ms. */
  delayMs = 0;
  readonly #folder: TemporaryFolder;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(folder: TemporaryFolder, target: string) {
    this.#folder = folder;
    this.path = join(folder.path, 'proxy.sock');
    this.#server = createServer((client) => this.#pass(client, connect(target)));
  }

  /** @param target path of the socket behind it. */
  static async open(target: string): Promise<SlowProxy> {
    const folder = await TemporaryFolder.create('proxy');
    await chmod(folder.path, 0o755);
    const proxy = new SlowProxy(folder, target);
    proxy.#server.listen(proxy.path);
    await once(proxy.#server, 'listening');
    await chmod(proxy.path, 0o777);
    return proxy;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    await this.#folder[Symbol.asyncDispose]();
  }

  #pass(client: Socket, target: Socket): void {
    const waiting: { readonly sinceMs: number; readonly bytes: Buffer }[] = [];
    // What waits is looked at often, as the delay may have been changed meanwhile.
    const timer = setInterval(() => {
      while (waiting[0] !== undefined && performance.now() - waiting[0].sinceMs >= this.delayMs) {
        client.write(waiting.shift()?.bytes ?? '');
      }
    }, 5);
    const end = (): void => {
      clearInterval(timer);
      for (const socket of [client, target]) {
        socket.destroy();
        this.#sockets.delete(socket);
      }
    };
    for (const socket of [client, target]) {
      this.#sockets.add(socket);
      socket.on('error', end).on('close', end);
    }
    client.on('data', (bytes) => target.write(bytes));
    target.on('data', (bytes) => waiting.push({ sinceMs: performance.now(), bytes }));
  }
}
