import { isHobError } from '@hob/contracts';
import { type Command, CommanderError } from 'commander';
import { ServerError } from './api-client.ts';
import { debugging } from './environment.ts';
import { hintFor } from './hints.ts';
import { createProgram } from './program.ts';
import type { Terminal } from './terminal.ts';
import { type ProcessParts, Tools } from './tools.ts';

/** What `hob` ends with. */
const ExitCode = { done: 0, failed: 1, usage: 2, interrupted: 130 } as const;

/**
 * Runs one command. Never throws: an error is told on stderr.
 *
 * @param argv what comes after `hob`.
 * @returns the exit code.
 */
export async function run(argv: readonly string[], parts: ProcessParts): Promise<number> {
  await using tools = new Tools(parts);
  // A reader that has had enough (`hob logs x | head`) is no failure.
  parts.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1));
  const help = argv.includes('serve') ? (await import('./serve/serve-help.ts')).serveHelp() : '';
  const program = createProgram(tools, help);
  try {
    await program.parseAsync(argv, { from: 'user' });
    return tools.exitCode;
  } catch (error) {
    if (tools.interrupted) return ExitCode.interrupted;
    return report(error, tools, { json: argv.includes('--json'), command: commandIn(program, argv) });
  }
}

/** The words that name a command, as far as they do: `alias set`. */
function commandIn(program: Command, argv: readonly string[]): string {
  const words: string[] = [];
  let command: Command | undefined = program;
  for (const word of argv) {
    command = command.commands.find((each) => each.name() === word);
    if (command === undefined) break;
    words.push(word);
  }
  return words.join(' ');
}

interface Complaint {
  readonly code: string;
  readonly message: string;
  readonly hint: string;
  /** What the function threw. */
  readonly stack?: string;
}

function report(error: unknown, tools: Tools, asked: { readonly json: boolean; readonly command: string }): number {
  const { terminal } = tools;
  const { json, command } = asked;
  if (error instanceof CommanderError && error.exitCode === 0) return ExitCode.done;
  const complaint = complaintOf(error, command);
  if (json) terminal.note(JSON.stringify({ error: complaint }));
  else tell(complaint, terminal);
  if (debugging(tools.env) && error instanceof Error) terminal.note(error.stack ?? '');
  return complaint.code === 'ERR_CLI_USAGE' ? ExitCode.usage : ExitCode.failed;
}

function tell(complaint: Complaint, terminal: Terminal): void {
  const { stderr } = terminal;
  const message = terminal.foreign(stderr, complaint.message);
  terminal.note(`${terminal.style(stderr, 'red', 'error:')} ${message} (${complaint.code})`);
  if (complaint.stack !== undefined) terminal.note(terminal.foreign(stderr, complaint.stack));
  terminal.note(`${terminal.style(stderr, 'cyan', 'hint:')} ${complaint.hint}`);
}

function complaintOf(error: unknown, command: string): Complaint {
  if (error instanceof CommanderError) return usageComplaint(error, command);
  if (isHobError(error)) {
    const stack = error instanceof ServerError ? error.failureStack : undefined;
    const { code, message } = error;
    const hint = code === 'ERR_CLI_USAGE' ? usageHint(command) : hintFor(code);
    return { code, message, hint, ...(stack === undefined ? {} : { stack }) };
  }
  const message = error instanceof Error ? error.message : String(error);
  // Errors of the file system have a code of their own, which says more than ours would.
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'ERR_INTERNAL';
  return { code, message, hint: hintFor(code) };
}

function usageComplaint(error: CommanderError, command: string): Complaint {
  const [message = '', ...more] = error.message.replace(/^error: /, '').split('\n');
  // Without a command that exists commander shows the help, and gives no message of its own.
  const said = message === '(outputHelp)' ? 'name one of these commands' : message;
  return { code: 'ERR_CLI_USAGE', message: said, hint: [...more, usageHint(command)].join(' ') };
}

function usageHint(command: string): string {
  return command === '' ? hintFor('ERR_CLI_USAGE') : `"hob ${command} --help" shows how to use it`;
}
