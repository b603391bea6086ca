import { setTimeout as delay } from 'node:timers/promises';
import { fail, type InvocationRecord } from '@hob/contracts';
import type { Command } from 'commander';
import { table } from '../terminal.ts';
import type { Tools } from '../tools.ts';
import { complete } from './command.ts';

/** Pause between two looks, ms. */
const LOOK_EVERY_MS = 200;

interface InvocationOptions {
  readonly wait?: true;
  readonly cancel?: true;
  readonly json?: true;
}

/** Adds `hob invocation`. */
export function addInvocation(program: Command, tools: Tools): void {
  const command = program
    .command('invocation')
    .description('Show what has become of an asynchronous call, or cancel a call.')
    .argument('<id>', 'the call\'s id, as "hob invoke --async" printed it')
    .option('-w, --wait', 'wait until it has ended; fails unless it succeeded')
    .option('--cancel', 'cancel it, waiting or running')
    .action((id: string, options: InvocationOptions) => invocation(tools, invocationId(id), options));
  complete(command, [
    ['hob invocation 0b8e…', 'its status, attempts, and the last answer'],
    ['hob invocation 0b8e… --wait --json', 'the same as JSON, once it has ended'],
    ['hob invocation 0b8e… --cancel', 'end it'],
  ]);
}

/** Checks an id that was given on the command line. @throws ERR_CLI_USAGE */
export function invocationId(text: string): string {
  if (/^[0-9a-zA-Z-]{1,64}$/.test(text)) return text;
  throw fail('ERR_CLI_USAGE', [`"${text}" is no id of an invocation`]);
}

async function invocation(tools: Tools, id: string, options: InvocationOptions): Promise<void> {
  const client = await tools.client();
  const path = `/v1/invocations/${id}`;
  if (options.cancel) {
    const answer = await client.json({ method: 'DELETE', path });
    return options.json ? tools.terminal.json(answer) : tools.terminal.result(`cancelled ${id}`);
  }
  const read = async (): Promise<InvocationRecord> => (await client.json({ method: 'GET', path })) as InvocationRecord;
  const record = options.wait ? await tools.terminal.progress('waiting', () => ended(tools, read)) : await read();
  if (options.json) await tools.terminal.json(record);
  else await tools.terminal.result(recordText(tools, record));
  if (options.wait && record.status !== 'succeeded') tools.exitCode = 1;
}

async function ended(tools: Tools, read: () => Promise<InvocationRecord>): Promise<InvocationRecord> {
  for (;;) {
    const record = await read();
    if (record.endedAt !== undefined) return record;
    await delay(LOOK_EVERY_MS, undefined, { signal: tools.interruption });
  }
}

/** The record in words. What the function said is made harmless for a terminal. */
export function recordText(tools: Tools, record: InvocationRecord): string {
  const { terminal } = tools;
  const { result, error } = record;
  const version = record.version === undefined ? '' : `@${record.version}`;
  const rows = [
    ['id', record.id],
    ['function', `${record.function}${version}`],
    ['status', record.status],
    ['attempts', `${record.attempts} of ${record.maxAttempts}`],
    ['created', record.createdAt],
    ...(record.nextAttemptAt === undefined ? [] : [['next attempt', record.nextAttemptAt]]),
    ...(record.endedAt === undefined ? [] : [['ended', record.endedAt]]),
    ...(error === undefined ? [] : [['error', terminal.foreign(terminal.stdout, `${error.code}: ${error.message}`)]]),
    ...(result === undefined ? [] : [['answer', `status ${result.status}, ${result.bodyBytes} bytes`]]),
  ];
  const text = table(['INVOCATION', ''], rows);
  const body = result?.encoding === 'utf8' ? terminal.foreign(terminal.stdout, result.body) : '';
  return body === '' ? text : `${text}\n\n${body}`;
}
