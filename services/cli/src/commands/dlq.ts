import { type DeadLetter, type DeadLetterList, fail } from '@hob/contracts';
import type { Command } from 'commander';
import { table } from '../terminal.ts';
import type { Tools } from '../tools.ts';
import { complete } from './command.ts';
import { invocationId, recordText } from './invocation.ts';
import { functionName } from './target.ts';

interface ListOptions {
  readonly function?: string;
  readonly limit: string;
  readonly json?: true;
}

interface ChoiceOptions {
  readonly function?: string;
  readonly all?: true;
  readonly json?: true;
}

/** Adds `hob dlq`. */
export function addDlq(program: Command, tools: Tools): void {
  const group = program.command('dlq').description('Asynchronous calls that were given up: the dead letters.');
  const list = group
    .command('ls')
    .description('List dead letters, newest first.')
    .option('-f, --function <name>', 'those of one function')
    .option('-n, --limit <count>', 'how many', '50')
    .action((options: ListOptions) => listLetters(tools, options));
  complete(list, [
    ['hob dlq ls', 'the newest fifty'],
    ['hob dlq ls --function mail --json', 'those of one function, as JSON'],
  ]);
  const show = group
    .command('show')
    .description('Show one dead letter: its request, its last answer, why it was given up.')
    .argument('<id>', 'its id')
    .action((id: string, { json }: { json?: true }) => showLetter(tools, invocationId(id), json === true));
  complete(show, [['hob dlq show 0b8e…', 'all that is known of it']]);
  addAction(group, tools, ['redrive', 'redriven', 'Have dead letters tried again, with all their attempts.']);
  addAction(group, tools, ['purge', 'purged', 'Remove dead letters for good.']);
}

type Action = readonly [name: 'redrive' | 'purge', done: string, description: string];

function addAction(group: Command, tools: Tools, [name, done, description]: Action): void {
  const command = group
    .command(name)
    .description(description)
    .argument('[id...]', 'their ids')
    .option('-f, --function <name>', 'those of one function')
    .option('--all', 'all of them')
    .action((ids: string[], options: ChoiceOptions) => act(tools, [name, done, description], { ids, ...options }));
  complete(command, [
    [`hob dlq ${name} 0b8e… 77a1…`, 'these two'],
    [`hob dlq ${name} --function mail`, 'those of one function'],
    [`hob dlq ${name} --all`, 'all'],
  ]);
}

async function listLetters(tools: Tools, options: ListOptions): Promise<void> {
  const query = new URLSearchParams({ limit: options.limit });
  if (options.function !== undefined) query.set('function', functionName(options.function));
  const client = await tools.client();
  const answer = await client.json({ method: 'GET', path: `/v1/dead-letters?${query.toString()}` });
  if (options.json) return tools.terminal.json(answer);
  const { total, letters } = answer as DeadLetterList;
  if (letters.length === 0) return tools.terminal.note('no dead letters');
  const rows = letters.map(({ id, function: name, attempts, endedAt = '', error }) => {
    return [id, name, String(attempts), endedAt, error?.code ?? ''];
  });
  if (total > letters.length) tools.terminal.note(`${letters.length} of ${total}`);
  return tools.terminal.result(table(['ID', 'FUNCTION', 'ATTEMPTS', 'GIVEN UP', 'ERROR'], rows));
}

async function showLetter(tools: Tools, id: string, json: boolean): Promise<void> {
  const { terminal } = tools;
  const client = await tools.client();
  const answer = await client.json({ method: 'GET', path: `/v1/dead-letters/${id}` });
  if (json) return terminal.json(answer);
  const letter = answer as DeadLetter;
  const { method, url, body, encoding, bodyBytes } = letter.request;
  const text = encoding === 'utf8' ? body : `(${bodyBytes} bytes)`;
  const request = terminal.foreign(terminal.stdout, `${method} ${url}${text === '' ? '' : `\n\n${text}`}`);
  return terminal.result(`${recordText(tools, letter)}\n\n${request}`);
}

async function act(
  tools: Tools,
  [name, done]: Action,
  { ids, function: of, all, json }: ChoiceOptions & { readonly ids: readonly string[] },
): Promise<void> {
  const chosen = [ids.length > 0, of !== undefined, all === true].filter(Boolean).length;
  if (chosen !== 1) throw fail('ERR_CLI_USAGE', ['give ids, or --function, or --all']);
  const choice = {
    ...(ids.length > 0 && { ids: ids.map(invocationId) }),
    ...(of !== undefined && { function: functionName(of) }),
    ...(all && { all }),
  };
  const client = await tools.client();
  const answer = (await client.json({
    method: 'POST',
    path: `/v1/dead-letters/${name}`,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(choice),
  })) as { readonly count: number };
  if (json) await tools.terminal.json(answer);
  else await tools.terminal.result(`${done} ${answer.count}`);
  if (answer.count < Math.max(ids.length, 0)) {
    tools.terminal.note(`${ids.length - answer.count} of ${ids.length} ids name no dead letter`);
    tools.exitCode = 1;
  }
}
