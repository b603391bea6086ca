import { execFileSync } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { createServer, type Server } from 'node:http';
import { createServer as createTcpServer, type Server as TcpServer } from 'node:net';
import { networkInterfaces } from 'node:os';
import { libraryPath, loadNetwork, type NativeNetwork } from '@hob/native';

/** Addresses of the lab's world. */
export const world = {
  /** A server on the internet, and the internet's end of the host's uplink, where the name server is. */
  web4: '93.184.216.34',
  web6: '2606:2800:220:1::34',
  other4: '93.184.216.99',
  /** A server that accepts and says nothing. */
  hold4: '93.184.216.77',
  uplink4: '5.6.7.1',
  uplink6: '2a00:6::1',
  /** The host itself. */
  host4: '5.6.7.8',
  host6: '2a00:6::8',
  /** A network of the host's owner. */
  private4: '10.9.0.5',
  private6: 'fd99::5',
  hostPrivate4: '10.9.0.1',
  hostPrivate6: 'fd99::1',
  /** What clouds tell their machines. */
  metadata4: '169.254.169.254',
  metadata6: 'fd00:ec2::254',
} as const;

/** Link-local addresses of each link's ends. */
const OURS = 'fe80::a';
const THEIRS = 'fe80::b';

export const HTTP_PORT = 80;
export const TCP_PORT = 7000;
export const UDP_PORT = 7001;
export const SINK_PORT = 4000;

/** A network namespace of the lab, linked to the host. */
interface Place {
  readonly namespace: number;
  readonly routes: number;
}

/**
 * A world for one test process: it moves itself into a network namespace that stands for the host, linked to an "internet", a
 * private network and a metadata service, each a namespace with real servers in it. Nothing of the machine's own network is
 * touched or reached, and everything goes with the process.
 */
export class NetworkLab implements AsyncDisposable {
  readonly native: NativeNetwork = loadNetwork(libraryPath);
  readonly #descriptors: number[] = [];
  readonly #closers: (() => Promise<void>)[] = [];
  readonly internet: Place;
  readonly privateNetwork: Place;
  readonly metadata: Place;
  readonly #routes: number;

  /** Call it once, before anything else uses the network. */
  constructor() {
    const { native } = this;
    native.enter(this.#keep(native.createNamespace()));
    this.#routes = this.#keep(native.openRoutes());
    this.internet = this.#place('inet', [world.host4, 24, world.host6], [world.uplink4, 24, world.uplink6]);
    this.privateNetwork = this.#place(
      'priv',
      [world.hostPrivate4, 24, world.hostPrivate6],
      [world.private4, 24, world.private6],
    );
    this.metadata = this.#place('meta', [], [world.metadata4, 32, world.metadata6]);
    for (const address of [world.web4, world.other4, world.hold4, world.web6]) {
      native.addAddress(this.internet.routes, 'lo', address, address.includes(':') ? 128 : 32);
    }
    native.addRoute(this.#routes, { name: 'inet', destination: '0.0.0.0', prefixBits: 0, via: world.uplink4 });
    native.addRoute(this.#routes, { name: 'inet', destination: '::', prefixBits: 0, via: world.uplink6 });
    native.addRoute(this.#routes, { name: 'meta', destination: world.metadata4, prefixBits: 32 });
    native.addRoute(this.#routes, { name: 'meta', destination: world.metadata6, prefixBits: 128 });
    // Whatever is let through by mistake finds its way back.
    for (const [place, via4] of [
      [this.privateNetwork, world.hostPrivate4],
      [this.metadata, world.host4],
      [this.internet, world.host4],
    ] as const) {
      native.addRoute(place.routes, { name: 'eth0', destination: '0.0.0.0', prefixBits: 0, via: via4 });
      native.addRoute(place.routes, { name: 'eth0', destination: '::', prefixBits: 0, via: OURS });
    }
  }

  /** Starts the servers of every place, and of the host itself. Each answers with its name and who asks. */
  async serve(): Promise<void> {
    const { internet, privateNetwork, metadata } = this;
    await this.#serveAt('web', internet, [world.web4, world.web6, world.other4]);
    const held = createTcpServer((socket) => {
      this.defer(async () => void socket.destroy());
      socket.on('error', () => undefined);
    });
    await this.#listen(held, this.bind(internet, 'tcp', world.hold4, TCP_PORT));
    await this.#serveAt('private', privateNetwork, [world.private4, world.private6]);
    await this.#serveAt('metadata', metadata, [world.metadata4, world.metadata6]);
    await this.#serveAt('host', undefined, ['0.0.0.0', '::']);
  }

  /** A socket of a place's namespace, bound; of the host's when there is none. */
  bind(place: Place | undefined, kind: 'tcp' | 'udp', address: string, port: number): number {
    const open = (): number => this.native.bindSocket(kind, address, port);
    return place === undefined ? open() : this.native.within(place.namespace, open);
  }

  /** The network namespace of a process. */
  visit(pid: number): Place {
    const namespace = this.#keep(openSync(`/proc/${pid}/ns/net`, 'r'));
    return { namespace, routes: this.#keep(this.native.within(namespace, () => this.native.openRoutes())) };
  }

  /** The names of hob's tables in the host's packet filter. */
  tables(): string[] {
    const output = execFileSync('nft', ['list', 'tables'], { encoding: 'utf8' });
    return [...output.matchAll(/^table inet (hob-\S+)$/gm)].map(([, name]) => name ?? '').toSorted();
  }

  /** The addresses of a link, IPv4 first. */
  addressesOf({ namespace }: Place, link: string): string[] {
    const found = this.native.within(namespace, () => networkInterfaces()[link]) ?? [];
    return found.map(({ address }) => address);
  }

  /** Tells of each datagram that arrives at an address of a place, on SINK_PORT, where it came from. */
  async receive(place: Place, address: string, onDatagram: (source: string) => void): Promise<void> {
    const fd = this.bind(place, 'udp', address, SINK_PORT);
    await this.#datagrams(address, fd, (_, from) => onDatagram(from.address));
  }

  /** Sends one datagram to SINK_PORT from an address that a place has. */
  async sendFrom(place: Place, source: string, target: string): Promise<void> {
    const fd = this.bind(place, 'udp', source, 0);
    const socket = await this.#datagrams(source, fd, () => undefined);
    await new Promise<void>((resolve) => socket.send('hello', SINK_PORT, target, () => resolve()));
  }

  /** What is to be undone at the end. */
  defer(close: () => Promise<void>): void {
    this.#closers.push(close);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const close of this.#closers.toReversed()) await close();
    for (const fd of this.#descriptors) closeSync(fd);
  }

  #keep(fd: number): number {
    this.#descriptors.push(fd);
    return fd;
  }

  /** A namespace with a link of the host's: the host's and its own addresses, IPv4 with its prefix, IPv6 with /64. */
  #place(name: string, ours: readonly Part[], theirs: readonly Part[]): Place {
    const { native } = this;
    const namespace = this.#keep(native.createNamespace());
    const routes = this.#keep(native.within(namespace, () => native.openRoutes()));
    native.createVeth(this.#routes, name, 'eth0', namespace);
    for (const [socket, link, [v4, bits, v6]] of [
      [this.#routes, name, ours],
      [routes, 'eth0', theirs],
    ] as const) {
      native.setLinkUp(socket, link);
      if (typeof v4 === 'string') native.addAddress(socket, link, v4, Number(bits));
      if (typeof v6 === 'string') native.addAddress(socket, link, v6, bits === 32 ? 128 : 64);
      native.addAddress(socket, link, link === name ? OURS : THEIRS, 64);
    }
    return { namespace, routes };
  }

  async #serveAt(name: string, place: Place | undefined, addresses: readonly string[]): Promise<void> {
    for (const address of addresses) {
      const web = createServer((request, response) => {
        response.setHeader('connection', 'close');
        response.end(`${name} ${request.socket.remoteAddress}`);
      });
      const tcp = createTcpServer((socket) => {
        socket.on('error', () => undefined);
        socket.end(`${name} ${socket.remoteAddress}`);
      });
      await this.#listen(web, this.bind(place, 'tcp', address, HTTP_PORT));
      await this.#listen(tcp, this.bind(place, 'tcp', address, TCP_PORT));
      await this.#echo(name, address, this.bind(place, 'udp', address, UDP_PORT));
    }
  }

  async #listen(server: Server | TcpServer, fd: number): Promise<void> {
    await new Promise<void>((resolve) => server.listen({ fd }, resolve));
    this.defer(() => new Promise((resolve) => server.close(() => resolve())));
  }

  async #echo(name: string, address: string, fd: number): Promise<void> {
    const socket = await this.#datagrams(address, fd, (_, from) => {
      socket.send(`${name} ${from.address}`, from.port, from.address);
    });
  }

  async #datagrams(address: string, fd: number, take: (bytes: Buffer, from: RemoteInfo) => void): Promise<Socket> {
    const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4');
    socket.on('message', take);
    socket.on('error', () => undefined);
    await new Promise<void>((resolve) => socket.bind({ fd }, resolve));
    this.defer(() => new Promise((resolve) => socket.close(() => resolve())));
    return socket;
  }
}

type Part = string | number;
