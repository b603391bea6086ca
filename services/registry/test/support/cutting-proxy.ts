import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';

/** Stands in front of a Redis, and can cut a connection after a command has come and before its answer goes. */
export class CuttingProxy implements AsyncDisposable {
  /** Commands that hold this text are done, and their connection is cut in place of an answer. */
  cutAt: string | undefined;
  cuts = 0;
  readonly path: string;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(redis: string, path: string) {
    this.path = path;
    this.#server = createServer((client) => this.#join(client, connect(redis)));
  }

  static async start(redis: string, path: string): Promise<CuttingProxy> {
    const proxy = new CuttingProxy(redis, path);
    proxy.#server.listen(path);
    await once(proxy.#server, 'listening');
    return proxy;
  }

  #join(client: Socket, redis: Socket): void {
    let isCut = false;
    for (const socket of [client, redis]) {
      this.#sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => {
        this.#sockets.delete(socket);
        client.destroy();
        redis.destroy();
      });
    }
    client.on('data', (bytes) => {
      if (this.cutAt !== undefined && bytes.includes(this.cutAt)) {
        isCut = true;
        this.cuts += 1;
      }
      redis.write(bytes);
    });
    redis.on('data', (bytes) => {
      if (isCut) client.destroy();
      else client.write(bytes);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }
}
