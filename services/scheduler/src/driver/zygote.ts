import { type ChildProcess, spawn } from 'node:child_process';
import type { Duplex } from 'node:stream';
import { fail } from '@hob/contracts';
import {
  type ContainerProgram,
  type ContainerRequest,
  encodeFork,
  encodeText,
  type Native,
  preloadPath,
  seccompProfilePath,
} from '@hob/native';
import { type ZygoteReply, type ZygoteRequest, zygotePath } from '@hob/runtime-nodejs';
import { type ContainerEnds, DescriptorInbox } from './descriptor-inbox.ts';
import type { DriverOptions } from './driver-options.ts';
import { readLines } from './output-lines.ts';

/** A forked container's first process and the host's ends of its descriptors, which the receiver owns. */
export interface ForkResult {
  readonly pid: number;
  readonly ends: ContainerEnds;
}

interface Pending {
  resolve(reply: { readonly pid: number }): void;
  reject(error: Error): void;
}

/** Heap flags for a memory class: room is left for code, buffers and stacks under the container's limit. */
export function heapFlags(memoryClassMb: number): string[] {
  const semiSpaceMb = memoryClassMb <= 128 ? 2 : memoryClassMb <= 256 ? 8 : 16;
  const oldSpaceMb = Math.floor(memoryClassMb * 0.75) - 3 * semiSpaceMb;
  return [`--max-semi-space-size=${semiSpaceMb}`, `--max-old-space-size=${oldSpaceMb}`];
}

/** The Node flags of every zygote: no thread of V8's, so that forking is safe. */
const runtimeFlags = [
  '--v8-pool-size=0',
  '--single-threaded',
  '--disable-sigusr1',
  '--experimental-vm-modules',
  '--disable-warning=ExperimentalWarning',
  '--expose-gc',
  // What is compiled before the fork stays compiled, however often the zygote collects its garbage; and all of the shim is
  // compiled, also what has not run. The zygote switches to lazy compilation before its first fork.
  '--no-flush-bytecode',
  '--no-lazy',
  // What runs during the boot is not about to be optimized after the fork, by each container for itself. The zygote switches
  // to V8's usual number, too.
  '--invocation-count-for-maglev=3000',
];

function textOf(request: ZygoteRequest): Buffer {
  return encodeText(JSON.stringify(request));
}

/**
 * One zygote process. Lifecycle: booting → ready → dead, with no way back; the driver makes another one.
 * Its containers are not its children and go on when it dies.
 */
export class Zygote {
  readonly memoryClassMb: number;
  readonly #child: ChildProcess;
  readonly #control: Duplex;
  readonly #inbox: DescriptorInbox;
  readonly #pending = new Map<number, Pending>();
  readonly #lastWords: string[] = [];
  #nextSerial = 1;
  #partial = '';
  #dead = false;
  /** Resolves when the process is gone. */
  readonly exited: Promise<void>;

  private constructor(native: Native, options: DriverOptions, memoryClassMb: number) {
    this.memoryClassMb = memoryClassMb;
    const [ours, theirs] = native.channel('packets');
    this.#inbox = new DescriptorInbox(native, ours);
    try {
      this.#child = spawn(
        `${options.root}/usr/local/bin/node`,
        [...runtimeFlags, ...heapFlags(memoryClassMb), zygotePath],
        // Whatever is in a zygote's environment is in its containers' memory. Detached: Ctrl-C in a terminal is for the
        // server, which ends its zygotes when their containers are gone.
        {
          cwd: '/',
          detached: true,
          env: { LD_PRELOAD: preloadPath },
          stdio: ['ignore', 'ignore', 'pipe', 'pipe', theirs],
        },
      );
    } finally {
      native.close(theirs);
    }
    this.#control = this.#child.stdio[3] as Duplex;
    this.#control.setEncoding('utf8');
    this.#control.on('data', (text: string) => this.#receive(text));
    this.#control.on('error', () => this.#child.kill('SIGKILL'));
    if (this.#child.stderr) readLines(this.#child.stderr, (line) => this.#remember(line));
    this.exited = new Promise((resolve) => {
      const end = (): void => {
        this.#end();
        resolve();
      };
      this.#child.once('close', end);
      this.#child.once('error', end);
    });
  }

  /**
   * Boots a zygote and waits until it can fork.
   *
   * @throws ERR_SCHED_START_FAILED with its last words, after which no process is left.
   */
  static async boot(native: Native, options: DriverOptions, memoryClassMb: number): Promise<Zygote> {
    const zygote = new Zygote(native, options, memoryClassMb);
    const { library, probe, startTimeoutMs } = options;
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      zygote.kill();
    }, startTimeoutMs);
    try {
      await zygote.#ask(0, textOf({ op: 'setup', library, profile: seccompProfilePath, probe }));
    } catch (cause) {
      zygote.kill();
      await zygote.exited;
      const reason = isLate ? `it took longer than ${startTimeoutMs} ms` : zygote.#account(cause);
      throw fail('ERR_SCHED_START_FAILED', [`the zygote did not boot: ${reason}`], { cause });
    } finally {
      clearTimeout(timer);
    }
    return zygote;
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  get dead(): boolean {
    return this.#dead;
  }

  /**
   * Forks a container; it is not yet parked.
   *
   * @param noticesFd the socket for the listener of the request's own filter; a copy of it is sent.
   * @throws ERR_SCHED_START_FAILED, after which nothing is left.
   */
  fork(request: ContainerRequest, noticesFd?: number): Promise<ForkResult> {
    return this.#start((serial) => {
      if (noticesFd !== undefined) this.#inbox.send(serial, noticesFd);
      return encodeFork(serial, request);
    });
  }

  /** Makes a container that executes a program. @throws ERR_SCHED_START_FAILED, after which nothing is left. */
  spawn(request: ContainerRequest, program: ContainerProgram): Promise<ForkResult> {
    return this.#start((serial) => textOf({ op: 'spawn', ...request, program, serial }));
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }

  async #start(encode: (serial: number) => Buffer): Promise<ForkResult> {
    const serial = this.#nextSerial++;
    try {
      const { pid } = await this.#ask(serial, encode(serial));
      const ends = this.#inbox.take(serial);
      if (ends === undefined) throw fail('ERR_NATIVE_SYSCALL', ['receive', 'EAGAIN']);
      return { pid, ends };
    } catch (cause) {
      this.#inbox.discard(serial);
      throw fail('ERR_SCHED_START_FAILED', [this.#account(cause)], { cause });
    }
  }

  #ask(serial: number, request: Buffer): Promise<{ readonly pid: number }> {
    if (this.#dead) return Promise.reject(new Error('the zygote is dead'));
    return new Promise((resolve, reject) => {
      this.#pending.set(serial, { resolve, reject });
      this.#control.write(request);
    });
  }

  #receive(text: string): void {
    const lines = (this.#partial + text).split('\n');
    this.#partial = lines.pop() ?? '';
    for (const line of lines) {
      const reply = JSON.parse(line) as ZygoteReply;
      const pending = this.#pending.get(reply.serial);
      this.#pending.delete(reply.serial);
      if (reply.op === 'failed') pending?.reject(new Error(reply.message));
      else pending?.resolve({ pid: reply.op === 'done' ? reply.pid : this.pid });
    }
  }

  #remember(line: string): void {
    this.#lastWords.push(line);
    if (this.#lastWords.length > 20) this.#lastWords.shift();
  }

  #account(cause: unknown): string {
    const message = cause instanceof Error ? cause.message : String(cause);
    return [message, ...this.#lastWords].join('; ');
  }

  #end(): void {
    if (this.#dead) return;
    for (const pending of this.#pending.values()) pending.reject(new Error('the zygote died'));
    this.#pending.clear();
    this.#dead = true;
    // What it forked without telling: the descriptors close, and the driver finds the processes.
    this.#inbox.close();
  }
}
