/**
 * A small program that starts programs and times them, one after another, as its parent tells it on standard input: one
 * JSON array of program and arguments a line. It answers each with a RunTimes a line.
 *
 * It is a process of its own because a fork copies page tables, and those of a process that has measured for a while
 * are large: its peers would pay for that. It may also be in a mount namespace that the parent is not in.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { RunTimes } from './run-times.ts';

async function run(program: string, args: readonly string[]): Promise<RunTimes> {
  const startedMs = performance.now();
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'], env: { PATH: process.env['PATH'] ?? '' } });
  let firstByteMs: number | undefined;
  let said = '';
  child.stdin.on('error', () => undefined); // it may end without reading
  child.stdin.end();
  child.stdout.on('data', () => (firstByteMs ??= performance.now() - startedMs));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
  child.once('error', (error) => (said += error.message));
  const [code] = await once(child, 'close');
  return { firstByteMs, exitMs: performance.now() - startedMs, exitCode: code, said: said.slice(0, 2000) };
}

for await (const line of createInterface({ input: process.stdin })) {
  const [program = '', ...args]: string[] = JSON.parse(line);
  process.stdout.write(`${JSON.stringify(await run(program, args))}\n`);
}
