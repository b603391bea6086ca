import { createSocket, type Socket as DatagramSocket } from 'node:dgram';
import { createServer, type Server, type Socket } from 'node:net';
import type { NativeNetwork } from '@hob/native';
import { dnsAddress4, dnsAddress6 } from '../egress-options.ts';
import { DnsStream, frameMessage } from './dns-stream.ts';
import type { Asker, DnsResolver } from './dns-resolver.ts';

const DNS_PORT = 53;
/** Connections of all containers, and of one. */
const CONNECTIONS_TOTAL_MAX = 512;
const CONNECTIONS_MAX = 8;
/** How long a connection may be silent, ms. */
const IDLE_MS = 10_000;
/** No question is as long. */
const QUESTION_BYTES_MAX = 4096;
/** What waits to be sent over one connection, bytes. */
const UNSENT_BYTES_MAX = 256 * 1024;

/** What a forwarder is made with. */
export interface ForwarderParts {
  readonly native: NativeNetwork;
  /** The network namespace to listen in. */
  readonly namespace: number;
  readonly hasIpv6: boolean;
  readonly resolver: DnsResolver;
  /** The container that an address belongs to; undefined for none that may ask. */
  readonly askerAt: (address: string) => Asker | undefined;
}

/** The name server that containers see: over UDP and TCP, IPv4 and IPv6, at one address for all of them. */
export class DnsForwarder {
  readonly #parts: ForwarderParts;
  readonly #datagrams: DatagramSocket[] = [];
  readonly #servers: Server[] = [];
  readonly #connections = new Map<Socket, Asker>();

  private constructor(parts: ForwarderParts) {
    this.#parts = parts;
  }

  /** Listens. @throws ERR_NATIVE_SYSCALL; nothing is open then. */
  static async open(parts: ForwarderParts): Promise<DnsForwarder> {
    const forwarder = new DnsForwarder(parts);
    try {
      for (const address of parts.hasIpv6 ? [dnsAddress4, dnsAddress6] : [dnsAddress4]) {
        await forwarder.#listenDatagrams(address);
        await forwarder.#listenStreams(address);
      }
      return forwarder;
    } catch (error) {
      await forwarder.close();
      throw error;
    }
  }

  /** Closes every socket. Idempotent. */
  async close(): Promise<void> {
    for (const connection of this.#connections.keys()) connection.destroy();
    const closed = [...this.#datagrams, ...this.#servers].map(
      (each) => new Promise<void>((resolve) => each.close(() => resolve())),
    );
    this.#datagrams.length = 0;
    this.#servers.length = 0;
    await Promise.all(closed);
  }

  #bind(kind: 'tcp' | 'udp', address: string): number {
    const { native, namespace } = this.#parts;
    return native.within(namespace, () => native.bindSocket(kind, address, DNS_PORT));
  }

  async #listenDatagrams(address: string): Promise<void> {
    const fd = this.#bind('udp', address);
    const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4');
    socket.on('error', () => undefined); // such as an answer to a container that is gone
    socket.on('message', (message, { address: source, port }) => {
      const asker = this.#parts.askerAt(source);
      if (asker === undefined || message.byteLength > QUESTION_BYTES_MAX) return;
      void this.#answer(message, asker, true).then((answer) => {
        if (answer !== undefined && this.#datagrams.includes(socket)) socket.send(answer, port, source);
      });
    });
    await new Promise<void>((resolve) => socket.bind({ fd }, resolve));
    this.#datagrams.push(socket);
  }

  async #listenStreams(address: string): Promise<void> {
    const fd = this.#bind('tcp', address);
    const server = createServer({ noDelay: true }, (socket) => this.#serve(socket));
    server.maxConnections = CONNECTIONS_TOTAL_MAX;
    server.on('error', () => undefined);
    await new Promise<void>((resolve) => server.listen({ fd }, resolve));
    this.#servers.push(server);
  }

  #serve(socket: Socket): void {
    const asker = this.#parts.askerAt(socket.remoteAddress ?? '');
    const others = [...this.#connections.values()].filter((each) => each === asker).length;
    if (asker === undefined || others >= CONNECTIONS_MAX) {
      socket.destroy();
      return;
    }
    this.#connections.set(socket, asker);
    const stream = new DnsStream((message) => {
      void this.#answer(message, asker, false).then((answer) => {
        if (answer === undefined || socket.writableLength > UNSENT_BYTES_MAX) socket.destroy();
        else socket.write(frameMessage(answer));
      });
    });
    socket.setTimeout(IDLE_MS, () => socket.destroy());
    socket.on('error', () => socket.destroy());
    socket.on('close', () => this.#connections.delete(socket));
    socket.on('data', (chunk: Buffer) => {
      stream.push(chunk);
      if (stream.pendingBytes > QUESTION_BYTES_MAX) socket.destroy();
    });
  }

  /** Never rejects. */
  #answer(message: Buffer, asker: Asker, isDatagram: boolean): Promise<Buffer | undefined> {
    return this.#parts.resolver.answer(message, asker, isDatagram).catch(() => undefined);
  }
}
