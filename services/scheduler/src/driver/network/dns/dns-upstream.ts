import { randomInt } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { connect } from 'node:net';
import { type DnsQuery, type DnsReply, questionBytes, readReply } from './dns-message.ts';
import { DnsStream, frameMessage } from './dns-stream.ts';
import type { NameServer, NameServers } from './name-servers.ts';

/** How long one server may take, ms, and how often each is asked. A container's C library gives up after 5 s. */
const SERVER_TIMEOUT_MS = 1500;
const ROUNDS = 2;

/** Asks name servers from the host's own network. */
export class DnsUpstream {
  readonly #servers: NameServers;
  readonly #closing = new AbortController();

  constructor(servers: NameServers) {
    this.#servers = servers;
  }

  /**
   * The first server's answer, over TCP when it does not fit into a datagram; the next server's when there is none in time.
   *
   * @returns undefined when no server answers.
   */
  async ask(query: DnsQuery): Promise<DnsReply | undefined> {
    const servers = this.#servers.current();
    for (const server of Array.from({ length: ROUNDS }, () => servers).flat()) {
      if (this.#closing.signal.aborted) return undefined;
      const reply = await this.#askOne(query, server).catch(() => undefined);
      if (reply !== undefined) return reply;
    }
    return undefined;
  }

  /** Ends what is being asked. */
  close(): void {
    this.#closing.abort();
  }

  async #askOne(query: DnsQuery, server: NameServer): Promise<DnsReply | undefined> {
    // Neither the id nor the port, which the kernel takes at random, can be guessed by whoever would forge an answer.
    const asking: Asking = { query, id: randomInt(0x1_0000), server, signal: this.#signal() };
    const reply = await askByDatagram(asking);
    return reply?.isTruncated === true ? askByStream({ ...asking, signal: this.#signal() }) : reply;
  }

  #signal(): AbortSignal {
    return AbortSignal.any([this.#closing.signal, AbortSignal.timeout(SERVER_TIMEOUT_MS)]);
  }
}

interface Asking {
  readonly query: DnsQuery;
  readonly id: number;
  readonly server: NameServer;
  readonly signal: AbortSignal;
}

/** @returns undefined when the signal was aborted first. */
async function askByDatagram({ query, id, server, signal }: Asking): Promise<DnsReply | undefined> {
  const { promise, resolve, reject } = Promise.withResolvers<DnsReply | undefined>();
  const socket = createSocket(server.address.includes(':') ? 'udp6' : 'udp4');
  const give = (): void => resolve(undefined);
  signal.addEventListener('abort', give, { once: true });
  try {
    socket.on('error', reject);
    // Connected, so that the kernel drops what comes from elsewhere. What is no answer to this question is passed over.
    socket.on('message', (bytes) => {
      const reply = readReply(bytes, query, id);
      if (reply !== undefined) resolve(reply);
    });
    // Without a callback, which would get the error of a connection that cannot be made.
    socket.on('connect', () => socket.send(questionBytes(query, id)));
    socket.connect(server.port, server.address);
    return await promise;
  } finally {
    signal.removeEventListener('abort', give);
    socket.close();
  }
}

async function askByStream({ query, id, server, signal }: Asking): Promise<DnsReply | undefined> {
  const { promise, resolve, reject } = Promise.withResolvers<DnsReply | undefined>();
  const socket = connect({ host: server.address, port: server.port, signal });
  const stream = new DnsStream((bytes) => resolve(readReply(bytes, query, id)));
  socket.on('error', reject);
  socket.on('close', () => resolve(undefined));
  socket.on('data', (chunk: Buffer) => stream.push(chunk));
  socket.write(frameMessage(questionBytes(query, id)));
  try {
    return await promise;
  } finally {
    socket.destroy();
  }
}
