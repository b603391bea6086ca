import { spawn, spawnSync } from 'node:child_process';
import { copyFileSync, fstatSync, readdirSync, readlinkSync } from 'node:fs';
import { hostname, uptime } from 'node:os';
import type { JavaScriptAttempt } from './attempts.ts';
import { runMachineCode } from './inject.ts';

const LINKER = process.arch === 'x64' ? '/lib64/ld-linux-x86-64.so.2' : '/lib/ld-linux-aarch64.so.1';
/** Two readings of one clock by two processes are this close, seconds. */
const SAME_CLOCK_SECONDS = 5;

function ran(program: string, args: readonly string[] = []): string {
  const { error, status, signal } = spawnSync(program, args);
  if (error) throw error;
  return `ended with ${status ?? signal}`;
}

function runCopy(at: string): string {
  copyFileSync('/bin/true', at);
  spawnSync('/bin/chmod', ['755', at]);
  return ran(at);
}

/** Starts processes until the kernel refuses one, and ends them. */
async function spawnWithoutEnd(): Promise<string> {
  const children: ReturnType<typeof spawn>[] = [];
  try {
    for (let count = 0; count < 4096; count += 1) {
      const child = spawn('/bin/sleep', ['1000'], { stdio: 'ignore' });
      const refusal = await new Promise<string | undefined>((resolve) => {
        child.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
        child.once('spawn', () => resolve(undefined));
      });
      if (refusal !== undefined) return refusal;
      children.push(child);
    }
    return 'as many as it liked';
  } finally {
    await Promise.all(
      children.map((child) => {
        const ended = new Promise((resolve) => child.once('exit', resolve));
        child.kill('SIGKILL');
        return ended;
      }),
    );
  }
}

/** The kinds of all open descriptors, and how many sockets there are: one, for the frames. */
function descriptors(): string {
  const links = readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      return [readlinkSync(`/proc/self/fd/${fd}`)];
    } catch {
      return []; // the one that read the list
    }
  });
  const kinds = links.map((link) => link.replace(/:\[\d+\]$/, '').replace('anon_inode:', ''));
  const sockets = kinds.filter((kind) => kind === 'socket').length;
  return `${[...new Set(kinds)].toSorted().join(' ')}; sockets: ${sockets}`;
}

export const processAttempts: Readonly<Record<string, JavaScriptAttempt>> = {
  'own-identity': () => `${process.getuid?.()} ${process.getgid?.()} ${process.getgroups?.().join()} ${process.pid}`,
  'own-hostname': () => hostname(),
  'own-variables': () => Object.keys(process.env).toSorted().join(' '),
  'own-descriptors': descriptors,
  'own-standard-input': () => (fstatSync(0).isFIFO() ? 'a pipe' : 'something else'),
  'host-uptime': ({ uptimeSeconds }) =>
    Math.abs(uptime() - uptimeSeconds) < SAME_CLOCK_SECONDS ? "the host's" : 'its own',
  'set-uid-root': () => {
    process.setuid?.(0);
    return 'done';
  },
  'set-gid-root': () => {
    process.setgid?.(0);
    return 'done';
  },
  'set-groups-root': () => {
    process.setgroups?.([0]);
    return 'done';
  },
  'signal-host-process': () => String(process.kill(2, 9)),
  'signal-every-process': () => String(process.kill(2147483000, 9)),
  'run-from-tmp': () => runCopy('/tmp/attack-true'),
  'run-from-shm': () => runCopy('/dev/shm/attack-true'),
  'run-asset': () => ran('/var/task/program'),
  'run-asset-by-linker': () => {
    const said = spawnSync(LINKER, ['/var/task/program'], { encoding: 'utf8' });
    if (said.error) throw said.error;
    return said.status === 42
      ? 'it ran'
      : (/failed to map segment|cannot [a-z ]+/.exec(said.stderr)?.[0] ?? said.stderr);
  },
  'run-machine-code': runMachineCode,
  'spawn-without-end': spawnWithoutEnd,
};
