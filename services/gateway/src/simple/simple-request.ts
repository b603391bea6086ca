/** A request of which nothing is missing. */
export interface SimpleRequest {
  readonly method: string;
  readonly url: string;
  /** Flat list: lower-case name, value, …. */
  readonly rawHeaders: readonly string[];
  /** Undefined when it is empty. */
  readonly body: Buffer | undefined;
}

const HEAD_END = '\r\n\r\n';
const REQUEST_LINE = /(GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS) (\/fn\/[!"$-~]*) HTTP\/1\.1\r\n/y;
/** One blank at most is left out here: two unbounded repetitions of blanks would be tried against each other. */
const HEADER = /([!#$%&'*+.^_`|~0-9A-Za-z-]+): ?([\t\x20-\x7e\x80-\xff]*)\r\n/y;
const LENGTH = /^(?:0|[1-9][0-9]{0,8})$/;

/** What the headers say of the request itself. */
interface Framing {
  hosts: number;
  /** As declared, or -1. */
  contentLength: number;
}

/**
 * Reads a request to a function that is as most are: HTTP/1.1, whole, alone, and without anything that asks for more than an
 * answer. Whatever else there is in HTTP, right or wrong, is left to Node's parser.
 *
 * @param chunk all that has come since the request before. The body is a view of it.
 * @param headBytesMax a head of this size is none of ours either.
 * @returns undefined when it is not such a request. What is read here Node would read just so.
 */
export function readSimpleRequest(chunk: Buffer, headBytesMax: number): SimpleRequest | undefined {
  // Made before it is known where the head ends: what is behind it is little, or nothing, most of the time.
  const head = chunk.toString('latin1', 0, headBytesMax + HEAD_END.length);
  const found = head.indexOf(HEAD_END);
  if (found === -1 || found >= headBytesMax) return undefined;
  const headEnd = found + HEAD_END.length;
  REQUEST_LINE.lastIndex = 0;
  const line = REQUEST_LINE.exec(head);
  if (line === null) return undefined;
  const rawHeaders: string[] = [];
  const framing: Framing = { hosts: 0, contentLength: -1 };
  let at = REQUEST_LINE.lastIndex;
  while (at < found + 2) {
    HEADER.lastIndex = at;
    const header = HEADER.exec(head);
    if (header === null) return undefined;
    const name = (header[1] as string).toLowerCase();
    const value = trimmed(header[2] as string);
    if (!isSimple(name, value, framing)) return undefined;
    rawHeaders.push(name, value);
    at = HEADER.lastIndex;
  }
  const bodyBytes = chunk.byteLength - headEnd;
  if (framing.hosts !== 1 || Math.max(framing.contentLength, 0) !== bodyBytes) return undefined;
  const body = bodyBytes === 0 ? undefined : chunk.subarray(headEnd);
  return { method: line[1] as string, url: line[2] as string, rawHeaders, body };
}

/** Notes what is said of the length. @returns false when more is asked for than we do. */
function isSimple(name: string, value: string, framing: Framing): boolean {
  switch (name) {
    case 'host':
      framing.hosts += 1;
      return true;
    case 'content-length':
      if (framing.contentLength !== -1 || !LENGTH.test(value)) return false;
      framing.contentLength = Number(value);
      return true;
    case 'connection':
      return value.toLowerCase() === 'keep-alive';
    case 'expect':
    case 'hob-invocation-type':
    case 'idempotency-key':
    case 'proxy-connection':
    case 'transfer-encoding':
    case 'upgrade':
      return false;
    default:
      return true;
  }
}

const TAB = 9;
const BLANK = 32;

/** Without the blanks and tabs of HTTP around it; others are a part of the value. */
function trimmed(value: string): string {
  const isBlank = (at: number): boolean => {
    const code = value.charCodeAt(at);
    return code === BLANK || code === TAB;
  };
  let start = 0;
  let end = value.length;
  while (start < end && isBlank(start)) start += 1;
  while (end > start && isBlank(end - 1)) end -= 1;
  return start === 0 && end === value.length ? value : value.slice(start, end);
}
