import { once } from 'node:events';
import { open } from 'node:fs/promises';
import { extname } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { fail, type HobError } from '@hob/contracts';
import { type Command, InvalidArgumentError } from 'commander';
import { type ApiClient, type ApiResponse, problemOf } from '../api-client.ts';
import { invocationAccount, receiptLines } from '../invocation-account.ts';
import { controlFilter } from '../terminal.ts';
import type { Tools } from '../tools.ts';
import { complete } from './command.ts';
import { functionTarget } from './target.ts';

/** Longer than the longest timeout of a function and the wait for a container together. */
const CALL_TIMEOUT_MS = 960_000;

interface InvokeOptions {
  readonly data?: string;
  readonly path: string;
  readonly method?: string;
  readonly header?: Readonly<Record<string, string[]>>;
  readonly async?: true;
  readonly receipt?: true;
  readonly json?: true;
}

/** A body, and the headers that speak of it. */
export interface Payload {
  readonly body: string | Readable;
  readonly headers: Readonly<Record<string, string>>;
}

/** Adds `hob invoke`. */
export function addInvoke(program: Command, tools: Tools): void {
  const command = program
    .command('invoke')
    .description('Call a function and print the body of its answer.')
    .argument('<name[@version]>', 'function to call, a version or alias of it; the live version when none is given')
    .option('-d, --data <text>', 'body to send: text, @file, or @- for standard input; makes it a POST')
    .option('-p, --path <path>', 'path and query behind the name', parsePath, '/')
    .option('-X, --method <method>', 'HTTP method (default: GET, or POST with --data)', parseMethod)
    .option('-H, --header <k: v>', 'header to send; may be repeated', parseHeader)
    .option('-a, --async', 'queue the call and print its id; "hob invocation <id>" shows what becomes of it')
    .option('-r, --receipt', 'print the receipt too: version, kind of start, times, CPU, memory, outcome')
    .action((target: string, options: InvokeOptions) => invoke(tools, functionTarget(target), options));
  complete(command, [
    ['hob invoke hello', 'GET /'],
    ['hob invoke hello --data \'{"name":"you"}\' --receipt', 'POST JSON, and show what it took'],
    ['hob invoke thumbnail@3 --data @photo.png > small.png', 'version 3, a file in and a file out'],
    ['hob invoke thumbnail --data @photo.png --async', 'queue it'],
    ["hob invoke api --path /users?n=2 --method PUT -H 'x-id: 7'", 'anything HTTP can say'],
  ]);
}

/** Path and query, as they go over the wire. */
export function parsePath(text: string): string {
  if (!text.startsWith('/') && !text.startsWith('?')) throw new InvalidArgumentError('must start with "/" or "?".');
  return text.replaceAll(/[^\u0021-\u007e]/gu, encodeURIComponent);
}

/** A method in upper case. */
export function parseMethod(text: string): string {
  const method = text.toUpperCase();
  if (/^[A-Z]{1,20}$/.test(method) && method !== 'CONNECT') return method;
  throw new InvalidArgumentError('must be an HTTP method such as PUT.');
}

/** Adds a `name: value` to the headers before it. */
export function parseHeader(text: string, before: Readonly<Record<string, string[]>> = {}): Record<string, string[]> {
  const [, name = '', value = ''] = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*)$/.exec(text) ?? [];
  if (name === '') throw new InvalidArgumentError("must look like 'name: value'.");
  const key = name.toLowerCase();
  return { ...before, [key]: [...(before[key] ?? []), value] };
}

async function invoke(tools: Tools, target: string, options: InvokeOptions): Promise<void> {
  const client = await tools.client();
  const payload = options.data === undefined ? undefined : await readPayload(options.data, tools.stdin);
  const response = await tools.terminal.progress(`calling ${target}`, () =>
    client.send({
      method: options.method ?? (payload === undefined ? 'GET' : 'POST'),
      path: `/fn/${target}${options.path === '/' ? '' : options.path}`,
      headers: { ...payload?.headers, ...options.header, ...(options.async && { 'hob-invocation-type': 'async' }) },
      ...(payload === undefined ? {} : { body: payload.body }),
      headTimeoutMs: CALL_TIMEOUT_MS,
      bodyTimeoutMs: CALL_TIMEOUT_MS,
    }),
  );
  if (options.async && response.statusCode === 202) return printId(tools, client, response, options);
  const problem = await printAnswer(tools, client, response, options);
  if (options.receipt && !options.json) tools.terminal.note(receiptLines(invocationAccount(response.headers)));
  if (problem !== undefined) throw problem;
  if (response.statusCode >= 400) throw fail('ERR_CLI_STATUS', [target, response.statusCode]);
}

async function printId(tools: Tools, client: ApiClient, response: ApiResponse, { json }: InvokeOptions): Promise<void> {
  const accepted = JSON.parse(await client.text(response)) as { readonly id: string };
  return json ? tools.terminal.json(accepted) : tools.terminal.result(accepted.id);
}

/**
 * Prints the body; but an error that hob answered with is given back, to be told as every other error.
 * A problem document that is none of hob's is the function's own answer.
 */
async function printAnswer(
  tools: Tools,
  client: ApiClient,
  response: ApiResponse,
  options: InvokeOptions,
): Promise<HobError | undefined> {
  const isProblem = String(response.headers['content-type']).startsWith('application/problem+json');
  if (!isProblem && !options.json) {
    await printStream(tools, client, response);
    return undefined;
  }
  const bytes = await client.bytes(response);
  const problem = isProblem ? problemOf(bytes.toString()) : undefined;
  if (options.json) await tools.terminal.json(jsonAnswer(response, bytes));
  else if (problem === undefined)
    await tools.terminal.result(tools.terminal.foreign(tools.terminal.stdout, bytes.toString()));
  return problem;
}

/** What `--data` says: text, a file, or standard input. */
export async function readPayload(data: string, stdin: Readable): Promise<Payload> {
  if (data === '@-') return { body: stdin, headers: { 'content-type': 'application/octet-stream' } };
  if (data.startsWith('@')) {
    const path = data.slice(1);
    const file = await open(path);
    const type = extname(path) === '.json' ? 'application/json' : 'application/octet-stream';
    const stat = await file.stat();
    if (stat.isDirectory()) {
      await file.close();
      throw fail('ERR_CLI_USAGE', [`${path} is a folder`]);
    }
    // The length of a pipe or device is not known before its end.
    const length = stat.isFile() ? { 'content-length': String(stat.size) } : {};
    return { body: file.createReadStream(), headers: { 'content-type': type, ...length } };
  }
  const type = isJson(data) ? 'application/json' : 'text/plain; charset=utf-8';
  return { body: data, headers: { 'content-type': type } };
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

async function printStream(tools: Tools, client: ApiClient, response: ApiResponse): Promise<void> {
  const { stdout } = tools.terminal;
  const chunks = client.chunks(response);
  if (!stdout.isTTY) {
    for await (const chunk of chunks) if (!stdout.write(chunk)) await once(stdout, 'drain');
    return;
  }
  await pipeline(chunks, controlFilter(), stdout, { end: false });
  // The shell's prompt should not follow on the same line.
  stdout.write('\n');
}

function jsonAnswer(response: ApiResponse, bytes: Buffer): object {
  const text = bytes.toString();
  const exact = Buffer.from(text).equals(bytes);
  return {
    status: response.statusCode,
    headers: response.headers,
    receipt: invocationAccount(response.headers),
    bodyEncoding: exact ? 'utf8' : 'base64',
    body: exact ? text : bytes.toString('base64'),
  };
}
