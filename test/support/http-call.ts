import { request } from 'undici';
import { patience } from './patience.ts';

/** A whole answer. */
export interface Answer {
  readonly status: number;
  /** Names in lower case; several values of one name are joined with `, `. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

export interface CallOptions {
  readonly method?: string;
  readonly headers?: Record<string, string>;
  readonly body?: string | Uint8Array;
  readonly signal?: AbortSignal;
}

/** Calls over HTTP/1.1 and reads the whole answer, whatever its status. */
export async function call(url: string, options: CallOptions = {}): Promise<Answer> {
  const method = options.method ?? (options.body === undefined ? 'GET' : 'POST');
  const answer = await request(url, {
    method,
    headers: options.headers ?? {},
    body: options.body ?? null,
    ...(options.signal === undefined ? {} : { signal: options.signal }),
    headersTimeout: 120_000 * patience,
  });
  const body = Buffer.from(await answer.body.arrayBuffer());
  return { status: answer.statusCode, headers: flatten(answer.headers), body };
}

/** @param headers as undici gives them. */
function flatten(headers: Record<string, string | string[] | undefined>): Record<string, string> {
  const pairs = Object.entries(headers).filter(([, value]) => value !== undefined);
  return Object.fromEntries(pairs.map(([name, value]) => [name, Array.isArray(value) ? value.join(', ') : `${value}`]));
}

/** The code in a problem document, with its status in front: `502 ERR_FN_EXITED`. For an answer that is none, its text. */
export function problem(answer: Answer): string {
  const text = answer.body.toString('utf8');
  if (answer.headers['content-type']?.startsWith('application/problem+json') !== true) {
    return `${answer.status} ${text.slice(0, 200)}`;
  }
  const document: { status: number; code: string } = JSON.parse(text);
  return `${document.status === answer.status ? '' : 'status differs: '}${answer.status} ${document.code}`;
}
