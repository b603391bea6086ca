import type { Command } from 'commander';

/** One way to call a command, and what it does. */
export type Example = readonly [call: string, what: string];

/** Adds the option and the help that every command has. */
export function complete(command: Command, examples: readonly Example[]): Command {
  const width = Math.max(...examples.map(([call]) => call.length));
  const lines = examples.map(([call, what]) => `  $ ${call.padEnd(width)}  # ${what}`);
  return command.option('--json', 'print JSON, for programs').addHelpText('after', `\nExamples:\n${lines.join('\n')}`);
}
