import { createInterface } from 'node:readline/promises';
import type { Command } from 'commander';
import type { Tools } from '../tools.ts';
import { complete } from './command.ts';
import { functionName } from './target.ts';

interface RmOptions {
  readonly yes?: true;
  readonly json?: true;
}

/** Adds `hob rm`. */
export function addRm(program: Command, tools: Tools): void {
  const command = program
    .command('rm')
    .description('Remove functions with all their versions; running calls are cancelled.')
    .argument('<name...>', 'names of the functions')
    .option('-y, --yes', 'do not ask')
    .action((names: string[], options: RmOptions) => remove(tools, names.map(functionName), options));
  complete(command, [
    ['hob rm hello', 'asks first, when run in a terminal'],
    ['hob rm hello markdown --yes', 'removes both'],
  ]);
}

async function remove(tools: Tools, names: readonly string[], options: RmOptions): Promise<void> {
  const ask = !options.yes && tools.stdin.isTTY && tools.terminal.stderr.isTTY;
  if (ask && !(await confirmed(tools, names))) {
    tools.terminal.note('nothing removed');
    tools.exitCode = 1;
    return;
  }
  const client = await tools.client();
  for (const name of names) {
    const path = `/v1/functions/${name}`;
    await tools.terminal.progress(`removing ${name}`, () => client.json({ method: 'DELETE', path }));
    if (!options.json) await tools.terminal.result(`removed ${name}`);
  }
  if (options.json) await tools.terminal.json({ removed: names });
}

async function confirmed(tools: Tools, names: readonly string[]): Promise<boolean> {
  // Not as a terminal: readline would keep Ctrl-C for itself.
  const prompt = createInterface({ input: tools.stdin, output: tools.terminal.stderr, terminal: false });
  try {
    const question = `Remove ${names.join(', ')} with all versions? [y/N] `;
    const answer = await prompt.question(question, { signal: tools.interruption });
    return /^y(?:es)?$/i.test(answer.trim());
  } finally {
    prompt.close();
  }
}
