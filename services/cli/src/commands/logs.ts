import { fail, type LogLine } from '@hob/contracts';
import { type Command, InvalidArgumentError } from 'commander';
import type { Tools } from '../tools.ts';
import { complete } from './command.ts';
import { functionName } from './target.ts';

const TAIL_DEFAULT = 100;
const TAIL_MAX = 10_000;
/** No line of the log is near this long; a longer one is no log. */
const LINE_CHARS_MAX = 1024 * 1024;

interface LogsOptions {
  readonly follow?: true;
  readonly denied?: true;
  readonly tail: number;
  readonly json?: true;
}

/** Adds `hob logs`. */
export function addLogs(program: Command, tools: Tools): void {
  const command = program
    .command('logs')
    .description('Show what a function wrote: time, invocation, channel, line.')
    .argument('<name>', 'name of the function')
    .option('--denied', 'only what it tried to reach over the network and may not')
    .option('-f, --follow', 'go on with new lines until interrupted')
    .option('-n, --tail <lines>', `how many past lines to show, at most ${TAIL_MAX}`, parseTail, TAIL_DEFAULT)
    .action((name: string, options: LogsOptions) => logs(tools, functionName(name), options));
  complete(command, [
    ['hob logs hello', `the last ${TAIL_DEFAULT} lines`],
    ['hob logs hello --follow --tail 0', 'new lines as they come'],
    ['hob logs hello --denied', 'what it tried to reach and may not'],
    ['hob logs hello --json | jq -r \'select(.channel == "stderr").line\'', 'only what went to stderr'],
  ]);
}

function parseTail(text: string): number {
  const lines = Number(text);
  if (/^\d+$/.test(text) && lines <= TAIL_MAX) return lines;
  throw new InvalidArgumentError(`must be a whole number from 0 to ${TAIL_MAX}.`);
}

async function logs(tools: Tools, name: string, options: LogsOptions): Promise<void> {
  const client = await tools.client();
  const follow = options.follow === true;
  const response = await client.send({
    method: 'GET',
    path: `/v1/functions/${name}/logs?tail=${options.tail}&follow=${follow}${options.denied ? '&channel=denied' : ''}`,
    // A quiet function may write nothing for days.
    ...(follow ? { bodyTimeoutMs: 0 } : {}),
  });
  if (response.statusCode >= 400) throw await client.problem(response);
  for await (const text of lines(client.chunks(response), client.url)) {
    await tools.terminal.result(options.json ? text : readable(tools, parseLine(text, client.url)));
  }
}

/** Cuts a stream of bytes into its lines; empty ones are left out. */
async function* lines(chunks: AsyncIterable<Uint8Array>, url: string): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of chunks) {
    const pieces = (rest + decoder.decode(chunk, { stream: true })).split('\n');
    rest = pieces.pop() ?? '';
    if (rest.length > LINE_CHARS_MAX) throw fail('ERR_CLI_BAD_ANSWER', [url, 'it has an endless line']);
    yield* pieces.filter((piece) => piece !== '');
  }
  if (rest !== '') yield rest;
}

function parseLine(text: string, url: string): LogLine {
  try {
    return JSON.parse(text) as LogLine;
  } catch (cause) {
    throw fail('ERR_CLI_BAD_ANSWER', [url, 'a line of the log is not JSON'], { cause });
  }
}

function readable({ terminal }: Tools, { timeMs, invocationId, channel, line }: LogLine): string {
  const { stdout } = terminal;
  const time = new Date(timeMs).toISOString();
  const from = `${time} ${(invocationId || '-').slice(0, 8).padEnd(8)} ${channel.padEnd(8)}`;
  const text = terminal.foreign(stdout, line);
  return `${terminal.style(stdout, 'dim', from)} ${channel === 'stdout' ? text : terminal.style(stdout, 'red', text)}`;
}
