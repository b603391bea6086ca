import { type Answer, type DecodedPacket, decode, encode, type RecordType } from 'dns-packet';

/** The largest message that is sent in one datagram to whoever says nothing else, and to whoever says that it takes more. */
const UDP_BYTES = 512;
const UDP_BYTES_MAX = 1232;
/** The largest message over TCP, bytes. */
const MESSAGE_BYTES_MAX = 65_535;

const HEADER_BYTES = 12;
/** No question and no record is shorter, bytes. */
const RECORD_BYTES_MIN = 5;
const RECURSION_DESIRED = 1 << 8;
const RECURSION_AVAILABLE = 1 << 7;
const TRUNCATED = 1 << 9;
const OPCODE = 0xf << 11;
/** Answers with more records than this are cut. */
const ANSWERS_MAX = 64;

/** Answers' codes, by number. */
export const rcodes = { NOERROR: 0, SERVFAIL: 2, NXDOMAIN: 3 } as const;

/** A question from a container. */
export interface DnsQuery {
  readonly id: number;
  /** As it was asked, and in lower case without a last dot. */
  readonly asked: string;
  readonly name: string;
  readonly type: RecordType;
  readonly hasEdns: boolean;
  /** What its sender takes in a datagram, bytes. */
  readonly udpBytesMax: number;
}

/** What a name server said. */
export interface DnsReply {
  readonly rcode: number;
  readonly isTruncated: boolean;
  readonly answers: readonly Answer[];
}

/** Reads a question. @returns undefined for anything but one plain question of class IN. */
export function readQuery(bytes: Buffer): DnsQuery | undefined {
  const packet = read(bytes);
  const [question, ...more] = packet?.questions ?? [];
  if (packet === undefined || question === undefined || more.length > 0) return undefined;
  if (packet.type !== 'query' || ((packet.flags ?? 0) & OPCODE) !== 0 || question.class !== 'IN') return undefined;
  const edns = packet.additionals?.find((record) => record.type === 'OPT');
  return {
    id: packet.id ?? 0,
    asked: question.name,
    name: canonicalName(question.name),
    type: question.type,
    hasEdns: edns !== undefined,
    udpBytesMax: Math.min(UDP_BYTES_MAX, Math.max(UDP_BYTES, edns?.udpPayloadSize ?? 0)),
  };
}

/** The same question from us, to a name server. @throws when its name cannot be written. */
export function questionBytes({ name, type }: DnsQuery, id: number): Buffer {
  return encode({
    type: 'query',
    id,
    flags: RECURSION_DESIRED,
    questions: [{ name, type, class: 'IN' }],
    additionals: [edns(UDP_BYTES_MAX)],
  });
}

/** Reads an answer to a question of ours. @returns undefined when it is none. */
export function readReply(bytes: Buffer, { name, type }: DnsQuery, id: number): DnsReply | undefined {
  const packet = read(bytes);
  const [question] = packet?.questions ?? [];
  if (packet === undefined || packet.type !== 'response' || packet.id !== id) return undefined;
  if (question === undefined || canonicalName(question.name) !== name || question.type !== type) return undefined;
  return {
    rcode: (packet.flags ?? 0) & 0xf,
    isTruncated: packet.flag_tc,
    answers: (packet.answers ?? []).slice(0, ANSWERS_MAX),
  };
}

/**
 * Writes the answer to a container.
 *
 * @param bytesMax a longer one says that it is cut, and has no records: its sender asks again over TCP.
 * @returns undefined when the records cannot be written.
 */
export function replyBytes(
  query: DnsQuery,
  reply: Omit<DnsReply, 'isTruncated'>,
  bytesMax: number,
): Buffer | undefined {
  const packet = {
    type: 'response' as const,
    id: query.id,
    flags: RECURSION_DESIRED | RECURSION_AVAILABLE | reply.rcode,
    questions: [{ name: query.asked, type: query.type, class: 'IN' as const }],
    answers: [...reply.answers],
    additionals: query.hasEdns ? [edns(UDP_BYTES_MAX)] : [],
  };
  try {
    const whole = encode(packet);
    if (whole.byteLength <= bytesMax) return whole;
    return encode({ ...packet, flags: packet.flags | TRUNCATED, answers: [] });
  } catch {
    return undefined; // a name server may send what has no text form, and nobody needs it
  }
}

/** Names are compared in lower case, without the dot that ends them. */
export function canonicalName(name: string): string {
  return name.toLowerCase().replace(/\.$/, '');
}

/** Whatever bytes come, there is a packet or nothing. */
function read(bytes: Buffer): DecodedPacket | undefined {
  if (bytes.byteLength < HEADER_BYTES || bytes.byteLength > MESSAGE_BYTES_MAX) return undefined;
  // The reader makes room for as many records as the header says.
  const records = [4, 6, 8, 10].reduce((sum, at) => sum + bytes.readUInt16BE(at), 0);
  if (records * RECORD_BYTES_MIN > bytes.byteLength - HEADER_BYTES) return undefined;
  try {
    return decode(bytes);
  } catch {
    return undefined;
  }
}

function edns(udpPayloadSize: number): Answer {
  return {
    type: 'OPT',
    name: '.',
    udpPayloadSize,
    extendedRcode: 0,
    ednsVersion: 0,
    flags: 0,
    flag_do: false,
    options: [],
  };
}
