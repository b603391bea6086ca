/** An example function: its folder, and the call in `call.json` that shows it at work. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** The content of `call.json`. */
interface ExampleCall {
  readonly method: string;
  /** Appended to `/fn/<name>`. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** A file beside `call.json` whose bytes are the body. */
  readonly bodyFile?: string;
  readonly expect: { readonly status: number; readonly contentType: string; readonly bodyIncludes?: string };
}

/** What came back. */
export interface ExampleAnswer {
  readonly requestLine: string;
  readonly status: number;
  /** How the container was found: warm, pool or cold. */
  readonly start: string;
  /** From sending the request to the last byte of the response, ms. */
  readonly durationMs: number;
  /** A line's worth of the body. */
  readonly excerpt: string;
  /** How the answer differs from what `call.json` expects; empty when it does not. */
  readonly problems: readonly string[];
}

/**
 * Calls a deployed example as its `call.json` says.
 *
 * @param folder absolute path of the example
 * @param functionUrl where the function answers, without a slash at the end
 */
export async function callExample(folder: string, functionUrl: string): Promise<ExampleAnswer> {
  const call: ExampleCall = JSON.parse(await readFile(join(folder, 'call.json'), 'utf8'));
  const body = call.bodyFile === undefined ? call.body : await readFile(join(folder, call.bodyFile));
  const url = new URL(functionUrl + call.path);
  const startedMs = performance.now();
  const response = await fetch(url, {
    method: call.method,
    ...(call.headers && { headers: call.headers }),
    ...(body !== undefined && { body }),
  });
  const bytes = Buffer.from(await response.arrayBuffer());
  return {
    requestLine: `${call.method} ${url.pathname}${url.search}`,
    status: response.status,
    start: response.headers.get('hob-start') ?? 'unknown',
    durationMs: performance.now() - startedMs,
    excerpt: excerpt(bytes, response.headers.get('content-type') ?? ''),
    problems: differences(call.expect, response, bytes),
  };
}

function differences(expected: ExampleCall['expect'], response: Response, bytes: Buffer): string[] {
  const problems: string[] = [];
  const type = response.headers.get('content-type') ?? 'none';
  if (response.status !== expected.status) problems.push(`status ${expected.status} was expected`);
  if (!type.startsWith(expected.contentType)) problems.push(`type ${expected.contentType} was expected, not ${type}`);
  if (bytes.length === 0) problems.push('the body is empty');
  if (expected.bodyIncludes !== undefined && !bytes.includes(expected.bodyIncludes)) {
    problems.push(`the body lacks ${JSON.stringify(expected.bodyIncludes)}`);
  }
  return problems;
}

const EXCERPT_CHARS = 76;

function excerpt(bytes: Buffer, type: string): string {
  if (!/^text\/|json|xml/.test(type)) return `${bytes.length} bytes of ${type === '' ? 'unknown type' : type}`;
  const line = bytes
    .toString('utf8', 0, 4 * EXCERPT_CHARS)
    .replaceAll(/[\s\p{Cc}]+/gu, ' ')
    .trim();
  return line.length <= EXCERPT_CHARS ? line : `${line.slice(0, EXCERPT_CHARS - 1)}…`;
}
