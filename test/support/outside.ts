import { closeSync } from 'node:fs';
import { createServer } from 'node:http';
import { libraryPath, loadNetwork } from '@hob/native';

/** Addresses of the world around this process once it has one of its own. */
export const outside = {
  /** A web server on the internet, and another one. */
  web: '93.184.216.34',
  other: '93.184.216.99',
  /** This host. */
  host: '5.6.7.8',
} as const;

const ROUTER = '5.6.7.1';
const HTTP_PORT = 80;

/**
 * Moves this process, and with it all that it starts from now on, into a network namespace that stands for a host, linked to
 * another one that stands for the internet, where a web server answers with what it is made to, or its name and who asks. Nothing of the machine's own
 * network is reached. Call it before anything uses the network.
 *
 * @param visited told of each request of the web server, its path and query; may say what it is answered with.
 * @returns what ends the servers; the namespaces go with the process.
 */
export async function enterWorldOfOwn(
  visited: (url: string) => string | undefined = () => undefined,
): Promise<AsyncDisposable> {
  const native = loadNetwork(libraryPath);
  const ended = new AsyncDisposableStack();
  const keep = (fd: number): number => ended.adopt(fd, closeSync);
  native.enter(keep(native.createNamespace()));
  const internet = keep(native.createNamespace());
  const ours = keep(native.openRoutes());
  const theirs = keep(native.within(internet, () => native.openRoutes()));
  native.createVeth(ours, 'inet', 'eth0', internet);
  for (const [routes, name, address] of [
    [ours, 'inet', outside.host],
    [theirs, 'eth0', ROUTER],
  ] as const) {
    native.setLinkUp(routes, name);
    native.addAddress(routes, name, address, 24);
  }
  native.addRoute(ours, { name: 'inet', destination: '0.0.0.0', prefixBits: 0, via: ROUTER });
  for (const address of [outside.web, outside.other]) {
    native.addAddress(theirs, 'lo', address, 32);
    const server = createServer((request, response) => {
      const answer = visited(request.url ?? '') ?? `web ${request.socket.remoteAddress}`;
      response.setHeader('connection', 'close').end(answer);
    });
    const fd = native.within(internet, () => native.bindSocket('tcp', address, HTTP_PORT));
    await new Promise<void>((resolve) => server.listen({ fd }, resolve));
    ended.defer(async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      // A container that was killed does not end its connections.
      server.closeAllConnections();
      await closed;
    });
  }
  return ended;
}
