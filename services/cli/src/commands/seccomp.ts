import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { buffer, text as textOf } from 'node:stream/consumers';
import { fail, parseFunctionConfig, setInFunctionConfig } from '@hob/contracts';
import type { Command } from 'commander';
import type { Tools } from '../tools.ts';
import { complete } from './command.ts';
import { parseHeader, parseMethod, parsePath, readPayload } from './invoke.ts';
import { functionTarget } from './target.ts';

/** A hundred calls, each of which may take ten times as long as its function may. */
const LEARN_TIMEOUT_MS = 0;

interface LearnOptions {
  readonly data?: string;
  readonly path?: string;
  readonly method?: string;
  readonly header?: Readonly<Record<string, string[]>>;
  readonly calls?: string;
  readonly write?: string | true;
  readonly json?: true;
}

/** What the server says of a lesson. */
interface Learnt {
  readonly function: string;
  readonly version: number;
  readonly seccomp: { readonly allow: string[] };
  readonly calls: readonly { readonly status?: number; readonly outcome: string }[];
}

/** Adds `hob seccomp learn`. */
export function addSeccomp(program: Command, tools: Tools): void {
  const group = program.command('seccomp').description('Find out which system calls a function needs.');
  const learn = group
    .command('learn')
    .description('Call a function while its system calls are noted, and print the smallest "seccomp" for its hob.json.')
    .argument('<name[@version]>', 'function to call; its live version when none is given')
    .option('-d, --data <text>', 'body to send: text, @file, or @- for standard input; makes it a POST')
    .option('-p, --path <path>', 'path and query behind the name', parsePath)
    .option('-X, --method <method>', 'HTTP method (default: GET, or POST with --data)', parseMethod)
    .option('-H, --header <k: v>', 'header to send; may be repeated', parseHeader)
    .option('-c, --calls <file>', 'make the calls of a file instead, - for standard input: one JSON object a line')
    .option('-w, --write [folder]', 'write it into the hob.json of that folder, this one by default')
    .action((target: string, options: LearnOptions) => learnCalls(tools, functionTarget(target), options));
  complete(learn, [
    ['hob seccomp learn hello', 'GET /'],
    ['hob seccomp learn resize --data @photo.png --write resize', 'POST a file; write resize/hob.json'],
    ['hob seccomp learn api --calls calls.ndjson', '{"method":"PUT","path":"/users/7","body":"{}"} …'],
  ]);
}

async function learnCalls(tools: Tools, target: string, options: LearnOptions): Promise<void> {
  const [name = '', version] = target.split('@');
  const calls = options.calls === undefined ? [await ownCall(tools, options)] : await callsOf(tools, options);
  const file =
    options.write === undefined ? undefined : await readHobJson(options.write === true ? '.' : options.write);
  if (file !== undefined && file.name !== name) {
    throw fail('ERR_CLI_USAGE', [`${file.path} is of "${file.name}", not of "${name}"`]);
  }
  const client = await tools.client();
  const body = JSON.stringify({ ...(version !== undefined && { version: Number(version) }), calls });
  const learnt = (await tools.terminal.progress(`learning ${target}`, () =>
    client.json({
      method: 'POST',
      path: `/v1/functions/${name}/seccomp/learn`,
      headers: { 'content-type': 'application/json' },
      body,
      headTimeoutMs: LEARN_TIMEOUT_MS,
    }),
  )) as Learnt;
  if (file !== undefined) await writeFile(file.path, setInFunctionConfig(file.text, 'seccomp', learnt.seccomp));
  await tell(tools, learnt, options.json === true, file?.path);
}

async function tell(tools: Tools, learnt: Learnt, asJson: boolean, written: string | undefined): Promise<void> {
  const { terminal } = tools;
  const { seccomp, calls } = learnt;
  for (const [index, { status, outcome }] of calls.entries()) {
    if (outcome === 'ok') continue;
    const warning = terminal.style(terminal.stderr, 'yellow', 'warning:');
    const answer = status === undefined ? '' : ` after status ${status}`;
    terminal.note(`${warning} call ${index + 1} failed${answer} (${outcome}): what it would have done is not learnt`);
  }
  if (asJson) await terminal.json(learnt);
  else await terminal.result(JSON.stringify({ seccomp }, null, 2));
  const name = learnt.function;
  terminal.note(
    written === undefined
      ? `${name} needs this in its hob.json; whatever else it asks of the kernel will then end its container`
      : `written to ${written}; "hob deploy" makes it hold`,
  );
}

/** The one call that the options describe. */
async function ownCall(tools: Tools, { data, path, method, header }: LearnOptions): Promise<object> {
  const payload = data === undefined ? undefined : await readPayload(data, tools.stdin);
  const given = Object.fromEntries(Object.entries(header ?? {}).map(([key, values]) => [key, values.join(', ')]));
  const { 'content-length': _length, ...described } = payload?.headers ?? {};
  return {
    ...(method !== undefined && { method }),
    ...(path !== undefined && { path }),
    headers: { ...described, ...given },
    ...(payload !== undefined && bodyOf(typeof payload.body === 'string' ? payload.body : await buffer(payload.body))),
  };
}

function bodyOf(body: string | Buffer): object {
  if (typeof body === 'string') return { body };
  return { body: body.toString('base64'), bodyEncoding: 'base64' };
}

/** One JSON object a line. The server checks what is in them. @throws ERR_CLI_USAGE */
async function callsOf(tools: Tools, { calls = '', ...options }: LearnOptions): Promise<unknown[]> {
  for (const name of ['data', 'path', 'method', 'header'] as const) {
    if (options[name] !== undefined) throw fail('ERR_CLI_USAGE', [`--calls and --${name} exclude each other`]);
  }
  const text = calls === '-' ? await textOf(tools.stdin) : await readFile(calls, 'utf8');
  const lines = text.split('\n').map((line, index) => ({ line: line.trim(), number: index + 1 }));
  return lines
    .filter(({ line }) => line !== '')
    .map(({ line, number }): unknown => {
      try {
        return JSON.parse(line);
      } catch (cause) {
        throw fail('ERR_CLI_USAGE', [`${calls}:${number} is no JSON`], { cause });
      }
    });
}

interface HobJson {
  readonly path: string;
  readonly text: string;
  readonly name: string;
}

/** @throws ERR_CONFIG_SYNTAX, ERR_CONFIG_INVALID, and what readFile throws */
async function readHobJson(folder: string): Promise<HobJson> {
  const path = join(folder, 'hob.json');
  const text = await readFile(path, 'utf8');
  return { path, text, name: parseFunctionConfig(text, path).name };
}
