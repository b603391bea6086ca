/**
 * A small program that starts programs and times them, as its parent tells it on standard input: one RunRequest a line. It
 * answers the end of each with a RunTimes a line.
 *
 * It is a process of its own because a fork copies page tables, and those of a process that has measured for a while
 * are large: its peers would pay for that. It may also be in a mount namespace that the parent is not in.
 */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { RunRequest, RunTimes } from './run-times.ts';

const held = new Map<number, ChildProcessWithoutNullStreams>();

function start(serial: number, command: readonly string[], holdInput: boolean): void {
  const [program = '', ...args] = command;
  const startedMs = performance.now();
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'], env: process.env });
  let firstByteMs: number | undefined;
  let said = '';
  child.stdin.on('error', () => undefined); // it may end without reading
  if (holdInput) held.set(serial, child);
  else child.stdin.end();
  child.stdout.on('data', () => (firstByteMs ??= performance.now() - startedMs));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
  child.once('error', (error) => (said += error.message));
  child.once('close', (exitCode) => {
    held.delete(serial);
    const exitMs = performance.now() - startedMs;
    const times: RunTimes = {
      serial,
      exitMs,
      exitCode,
      said: said.slice(0, 2000),
      ...(firstByteMs && { firstByteMs }),
    };
    process.stdout.write(`${JSON.stringify(times)}\n`);
  });
}

for await (const line of createInterface({ input: process.stdin })) {
  const request: RunRequest = JSON.parse(line);
  if ('closeInput' in request) held.get(request.serial)?.stdin.end();
  else start(request.serial, request.command, request.holdInput);
}
for (const child of held.values()) child.stdin.end();
