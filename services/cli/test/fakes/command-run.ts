import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import type { TestContext } from 'node:test';
import { run } from '../../src/run.ts';

/** What a command did. */
export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly stdoutBytes: Buffer;
}

interface RunOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly stdin?: string;
  /** Whether the streams claim to be a terminal. */
  readonly tty?: boolean;
}

/** Runs `hob` in this process, with streams of the test and nothing of this process's environment. */
export async function hob(argv: readonly string[], options: RunOptions = {}): Promise<Outcome> {
  const tty = options.tty === true;
  const stdout = Object.assign(new PassThrough(), { isTTY: tty, columns: 100 });
  const stderr = Object.assign(new PassThrough(), { isTTY: tty, columns: 100 });
  const stdin = Object.assign(Readable.from([Buffer.from(options.stdin ?? '')]), { isTTY: tty });
  const output = Promise.all([buffer(stdout), buffer(stderr)]);
  // A home that does not exist: the operator's own tokens must not reach a test.
  const env = { HOME: '/nonexistent', PATH: '/usr/local/bin:/usr/bin:/bin', ...options.env };
  const code = await run(argv, { env, stdin, stdout, stderr });
  stdout.end();
  stderr.end();
  const [stdoutBytes, stderrBytes] = await output;
  return { code, stdout: stdoutBytes.toString(), stderr: stderrBytes.toString(), stdoutBytes };
}

/** A folder that is gone after the test. */
export async function temporaryFolder(context: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'hob-cli-'));
  context.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}
