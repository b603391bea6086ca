// @ts-check
/** Running other programs during set-up: their output is kept, and shown only when they fail. */
import { spawn } from 'node:child_process';
import { basename } from 'node:path';

const OUTPUT_CHARS_MAX = 64 * 1024;

/** A step that could not be done, with what the program said and the command that would help. */
export class SetupError extends Error {
  /**
   * @param {string} message what went wrong, one line
   * @param {{ output?: string, remedy: string }} help
   */
  constructor(message, help) {
    super(message);
    this.name = 'SetupError';
    this.output = help.output ?? '';
    this.remedy = help.remedy;
  }
}

/**
 * Runs a program to its end.
 *
 * @param {readonly string[]} command program and arguments
 * @param {object} options
 * @param {string} options.remedy the command that helps when this one fails
 * @param {string} [options.cwd]
 * @param {NodeJS.ProcessEnv} [options.env] the whole environment; default: that of this process
 * @param {(line: string) => void} [options.onLine] called with each line of output
 * @returns {Promise<string>} its output, both streams as they came, at most the last 64 Ki characters
 * @throws {SetupError} when it cannot be started or does not end with 0
 */
export async function run(command, { remedy, cwd, env, onLine }) {
  const [program = '', ...args] = command;
  const child = spawn(program, args, { cwd, env: env ?? process.env, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  let rest = '';
  /** @param {string} text */
  const take = (text) => {
    output = (output + text).slice(-OUTPUT_CHARS_MAX);
    const lines = (rest + text).split(/[\r\n]+/);
    rest = lines.pop() ?? '';
    if (onLine) for (const line of lines) if (line.trim() !== '') onLine(line.trim());
  };
  child.stdout.setEncoding('utf8').on('data', take);
  child.stderr.setEncoding('utf8').on('data', take);
  /** @type {string} */
  const end = await new Promise((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('close', (code, signal) =>
      resolve(code === 0 ? '' : signal ? `ended by ${signal}` : `exit code ${code}`),
    );
  });
  if (end !== '') throw new SetupError(`${[basename(program), ...args].join(' ')}: ${end}`, { output, remedy });
  return output;
}
