import { createSocket } from 'node:dgram';
import { createServer } from 'node:net';
import { type Answer, decode, encode, type RecordType } from 'dns-packet';
import { DnsStream, frameMessage } from '../../../src/driver/network/dns/dns-stream.ts';

const TRUNCATED = 1 << 9;
const UDP_BYTES = 1232;

/** The records of one name, by type; a name that is not in the zone does not exist. */
export type Zone = Readonly<Record<string, readonly Answer[]>>;

/** Records of a name's addresses. */
export function addresses(name: string, list: readonly string[], ttl = 60): Answer[] {
  return list.map((data) => ({ type: data.includes(':') ? 'AAAA' : 'A', class: 'IN', name, ttl, data }));
}

/** A name server of a test's own, over UDP and TCP, on sockets that are bound already. It remembers what it was asked. */
export class TestDns {
  /** `name type transport`, in the order of arrival. */
  readonly asked: string[] = [];
  readonly #zone: Zone;
  readonly #closers: (() => Promise<void>)[] = [];

  private constructor(zone: Zone) {
    this.#zone = zone;
  }

  static async serve(zone: Zone, sockets: { readonly udp: number; readonly tcp: number }): Promise<TestDns> {
    const dns = new TestDns(zone);
    const datagrams = createSocket('udp4');
    datagrams.on('message', (bytes, from) => datagrams.send(dns.#answer(bytes, 'udp'), from.port, from.address));
    await new Promise<void>((resolve) => datagrams.bind({ fd: sockets.udp }, resolve));
    const server = createServer((socket) => {
      const stream = new DnsStream((bytes) => socket.write(frameMessage(dns.#answer(bytes, 'tcp'))));
      socket.on('data', (chunk: Buffer) => stream.push(chunk));
      socket.on('error', () => socket.destroy());
    });
    await new Promise<void>((resolve) => server.listen({ fd: sockets.tcp }, resolve));
    dns.#closers.push(() => new Promise((resolve) => datagrams.close(() => resolve())));
    dns.#closers.push(() => new Promise((resolve) => server.close(() => resolve())));
    return dns;
  }

  async close(): Promise<void> {
    for (const close of this.#closers) await close();
  }

  #answer(bytes: Buffer, transport: 'udp' | 'tcp'): Buffer {
    const { id = 0, questions = [] } = decode(bytes);
    const [question] = questions;
    const name = question?.name ?? '';
    const type: RecordType = question?.type ?? 'A';
    this.asked.push(`${name} ${type} ${transport}`);
    const records = this.#zone[name];
    const rcode = records === undefined ? 3 : 0;
    const answers = this.#follow(name, type);
    const whole = encode({ type: 'response', id, flags: rcode, questions, answers });
    if (transport === 'tcp' || whole.byteLength <= UDP_BYTES) return whole;
    return encode({ type: 'response', id, flags: rcode | TRUNCATED, questions });
  }

  /** The records of a type, through aliases, as a resolver gives them. */
  #follow(name: string, type: RecordType): Answer[] {
    const records = this.#zone[name] ?? [];
    const alias = records.find((record) => record.type === 'CNAME');
    if (alias?.type === 'CNAME') return [alias, ...this.#follow(alias.data, type)];
    return records.filter((record) => record.type === type);
  }
}
