// Makes its container as hard to end as it can, and then never answers.
import { spawn } from 'node:child_process';
import { openSync, readlinkSync, unlinkSync, writeFileSync, writeSync } from 'node:fs';

const held: unknown[] = [];

/** Runs a shell, and resolves when it has ended. What it left behind goes on. */
async function shell(script: string): Promise<void> {
  const child = spawn('/bin/sh', ['-c', script], { stdio: 'ignore' });
  await new Promise((resolve) => child.once('exit', resolve));
}

const tricks: Readonly<Record<string, () => void | Promise<void>>> = {
  /** Its parent and its parent's parent are gone. */
  'double-fork': () => shell('( ( sleep 1000 & ) & )'),
  /** A session of its own. */
  daemon: () => {
    spawn('/bin/sleep', ['1000'], { detached: true, stdio: 'ignore' }).unref();
  },
  'stop-itself': async () => {
    process.kill(process.pid, 'SIGSTOP');
    spawn('/bin/sh', ['-c', 'kill -STOP $$; sleep 1000'], { stdio: 'ignore' });
    await new Promise((resolve) => setTimeout(resolve, 100));
  },
  'ignore-signals': () => {
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT'] as const) process.on(signal, () => undefined);
    spawn('/bin/sh', ['-c', "trap '' TERM INT HUP QUIT; sleep 1000; sleep 1000"], { stdio: 'ignore' });
  },
  /** Nobody waits for these: their parent is gone, and the first process takes no notice. */
  zombies: () => shell('for i in 1 2 3 4 5 6 7 8 9 0; do for j in 1 2 3 4 5; do ( true & ); done; done'),
  'hold-files': () => {
    for (let count = 0; count < 500; count += 1) {
      const path = `/tmp/held-${count}`;
      writeFileSync(path, Buffer.alloc(16 * 1024, 1));
      held.push(openSync(path, 'r+'));
      unlinkSync(path);
    }
    spawn('/bin/sh', ['-c', 'exec 9>/tmp/held-by-child; sleep 1000'], { stdio: 'ignore' });
  },
  rename: () => {
    process.title = 'systemd) S 1 1';
    spawn('/bin/sleep', ['1000'], { argv0: '[kworker/0:0]', stdio: 'ignore' });
  },
  'flood-output': () => {
    for (let count = 0; count < 3; count += 1) spawn('/bin/yes', [], { stdio: ['ignore', 'inherit', 'inherit'] });
  },
  /** A pipe of its own that nobody reads: the writers are stuck in the kernel. */
  'stuck-writers': () => {
    spawn('/bin/sh', ['-c', 'mkfifo /tmp/stuck; sleep 1000 < /tmp/stuck & yes > /tmp/stuck'], { stdio: 'ignore' });
  },
  /** Whenever it is looked at, some are just being born. */
  respawn: () => {
    for (let count = 0; count < 4; count += 1) {
      spawn('/bin/sh', ['-c', 'while :; do sleep 0.01 & sleep 0.01 & wait; done'], { stdio: 'ignore', detached: true });
    }
  },
  'fill-own-pipe': () => {
    const line = `${'x'.repeat(1023)}\n`;
    for (let bytes = 0; bytes < 8 * 1024 * 1024;) {
      try {
        bytes += writeSync(1, line);
      } catch {
        // The pipe is full; the host reads on.
      }
    }
  },
};

export default async function serve(request: Request): Promise<Response> {
  const { pathname, searchParams } = new URL(request.url);
  const trick = tricks[pathname.slice(1)];
  if (trick === undefined) return Response.json({ pidNamespace: readlinkSync('/proc/self/ns/pid') });
  await trick();
  if (searchParams.has('exit')) process.exit(0);
  // Blocks the thread: nothing of the runtime's runs any more.
  if (searchParams.has('block')) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
  return new Promise<never>(() => undefined);
}
