/** A guest: a kernel of its own under QEMU, on the host's files, that runs one job and is gone. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { guestKernelFolder } from '../setup/guest-kernel.mjs';
import { initramfs } from './initramfs.ts';

const CONSOLE_LINES = 80;
const runFile = promisify(execFile);
/** What QEMU writes for itself, and how much of it is kept. */
const QEMU_CHARACTERS_MAX = 8192;

/** A guest and its job. */
export interface GuestOptions {
  /** The repository's top folder. */
  readonly root: string;
  /** What is added to the kernel's command line. */
  readonly kernelArguments: string;
  /** Shell script that root runs in the guest. It may read and write in /share. */
  readonly job: string;
  /** Texts of the files that it finds in /share, by their paths there. */
  readonly files: ReadonlyMap<string, string>;
  /** Folder on the host that gets what the job leaves in /share/results, in place of what it had. */
  readonly results: string;
  /** Folder whose content the guest's disk begins with, ext4 on /dev/vda; without one there is no disk. */
  readonly disk?: string;
  readonly memoryMb: number;
  /** When the guest has not ended by then it is ended, ms. */
  readonly timeoutMs: number;
  /** Told each line that the job writes. */
  readonly onLine: (line: string) => void;
}

/** How a guest ended. */
export interface GuestEnd {
  /** Exit code of the job; undefined when it did not come to its end. */
  readonly exitCode: number | undefined;
  /** Why there is no exit code, with the last lines of the guest's console; empty when there is one. */
  readonly problem: string;
}

/**
 * Boots a guest, waits for its end, and leaves nothing of it. The set-up must have prepared its kernel.
 *
 * @param signal ends the guest; the result then says so.
 */
export async function runGuest(options: GuestOptions, signal?: AbortSignal): Promise<GuestEnd> {
  const runs = join(options.root, '.hob', 'vm');
  removeDeadRuns(runs);
  const folder = await mkdtemp(join(runs, `run-${process.pid}-`));
  try {
    const share = join(folder, 'share');
    mkdirSync(join(share, 'results'), { recursive: true });
    for (const [name, text] of [...options.files, ['job.sh', options.job] as const]) {
      mkdirSync(dirname(join(share, name)), { recursive: true });
      writeFileSync(join(share, name), text);
    }
    const kernel = guestKernelFolder(options.root);
    const init = readFileSync(resolve(import.meta.dirname, 'guest-init.sh'), 'utf8');
    writeFileSync(join(folder, 'initramfs'), initramfs(kernel, init));
    if (options.disk !== undefined) await makeDisk(join(folder, 'disk'), options.disk);
    const why = await boot(folder, options, signal);
    rmSync(options.results, { recursive: true, force: true });
    cpSync(join(share, 'results'), options.results, { recursive: true });
    const exitCode = read(join(share, 'exit-code'))?.trim();
    if (exitCode !== undefined && /^\d+$/.test(exitCode)) return { exitCode: Number(exitCode), problem: '' };
    const console = read(join(folder, 'console')) ?? '';
    return { exitCode: undefined, problem: `${why}; its console:\n${lastLines(console)}` };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Removes what runs left whose process was killed: their guests died with them. */
function removeDeadRuns(runs: string): void {
  for (const name of readdirSync(runs)) {
    const pid = /^run-(\d+)-/.exec(name)?.[1];
    if (pid !== undefined && !existsSync(`/proc/${pid}`)) rmSync(join(runs, name), { recursive: true, force: true });
  }
}

async function makeDisk(file: string, folder: string): Promise<void> {
  const { stdout } = await runFile('du', ['--summarize', '--block-size=1M', folder]);
  const megabytes = Math.ceil(1.25 * Number.parseInt(stdout, 10)) + 16;
  await runFile('/usr/sbin/mke2fs', ['-q', '-t', 'ext4', '-O', '^has_journal', '-d', folder, file, `${megabytes}m`]);
}

/** @returns why a guest that left no exit code ended. */
async function boot(folder: string, options: GuestOptions, signal?: AbortSignal): Promise<string> {
  const [program, ...args] = commandLine(folder, options);
  const child: ChildProcess = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let reason = '';
  let said = '';
  const end = (why: string): void => {
    reason ||= why;
    child.kill('SIGKILL');
  };
  const seconds = Math.round(options.timeoutMs / 1000);
  const timer = setTimeout(() => end(`the guest did not end within ${seconds} s`), options.timeoutMs);
  const abort = (): void => end('the guest was cancelled');
  signal?.addEventListener('abort', abort, { once: true });
  if (signal?.aborted) abort();
  if (child.stdout) createInterface(child.stdout).on('line', options.onLine);
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(-QEMU_CHARACTERS_MAX);
  });
  const how = await new Promise<string>((done) => {
    child.once('error', (error) => done(`QEMU could not be started: ${error.message}`));
    child.once('close', (code) => done(code === 0 ? 'the guest ended without a result' : `QEMU ended with ${code}`));
  });
  clearTimeout(timer);
  signal?.removeEventListener('abort', abort);
  return [reason === '' ? how : reason, said.trim()].filter(Boolean).join(': ');
}

/**
 * One processor: two guests run at the same time, and processors that wait for each other cost more than they bring. Software
 * emulation, because a guest must run where there is no virtualisation. A processor without AVX: what is emulated
 * of that is slower than what C libraries use instead. The guest ends with this process, whichever way that ends.
 */
function commandLine(folder: string, { root, memoryMb, kernelArguments, disk }: GuestOptions): [string, ...string[]] {
  const kernel = guestKernelFolder(root);
  const fixed = 'console=ttyS0 quiet loglevel=4 panic=-1 mitigations=off';
  const ninePoint = (id: string, path: string, readonly: 'on' | 'off'): string[] => [
    ...['-fsdev', `local,id=${id},path=${path},security_model=none,multidevs=remap,readonly=${readonly}`],
    ...['-device', `virtio-9p-pci,fsdev=${id},mount_tag=${id}`],
  ];
  return [
    ...(['setpriv', '--pdeathsig', 'KILL'] as const),
    ...['qemu-system-x86_64', '-nodefaults', '-no-user-config', '-no-reboot', '-display', 'none'],
    ...['-machine', 'pc', '-accel', 'tcg,thread=multi', '-cpu', 'Nehalem', '-smp', '1', '-m', `${memoryMb}`],
    ...['-kernel', join(kernel, 'vmlinux'), '-initrd', join(folder, 'initramfs')],
    ...['-append', `${fixed} ${kernelArguments}`],
    ...['-serial', `file:${join(folder, 'console')}`, '-serial', 'stdio', '-device', 'virtio-rng-pci'],
    ...(disk === undefined ? [] : ['-drive', `if=virtio,format=raw,file=${join(folder, 'disk')}`]),
    ...ninePoint('host', '/', 'on'),
    ...ninePoint('share', join(folder, 'share'), 'off'),
  ];
}

function read(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}

/** What a person needs of a console: without the codes for colours, positions and carriage returns. */
function lastLines(text: string): string {
  const lines = text
    .replaceAll(/\u001B\[[0-9;?]*[A-Za-z]/g, '')
    .split(/[\r\n]+/)
    .filter((line) => line.trim() !== '');
  return lines.length === 0 ? '(nothing)' : lines.slice(-CONSOLE_LINES).join('\n');
}
