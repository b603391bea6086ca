/**
 * The zygote: a booted Node that containers are forked from. It runs as root, holds nothing that a function may see, runs
 * no function code, and does one thing at a time: only its main thread may ever work, so it uses no asynchronous file or
 * DNS call. It ends when its control socket closes, that is with the host's process.
 */
import { readdirSync, readlinkSync, writeSync } from 'node:fs';
import { Socket } from 'node:net';
import { setFlagsFromString } from 'node:v8';
import { loadNative, type ChildPipes, type ContainerSpec, type Native, type SeccompFilter } from '@hob/native/library';
import { prepareShim, refreshAfterFork, startShim } from './shim.ts';
import {
  ENTER_FAILED_EXIT_CODE,
  type ForkRequest,
  INSIDE_UID,
  ZYGOTE_CHANNEL_FD,
  ZYGOTE_CONTROL_FD,
  type ZygoteReply,
  type ZygoteRequest,
  type ZygoteSetup,
} from './zygote-messages.ts';

const FRAMES = 0;
const STDERR = 3;
const LINE_BYTES_MAX = 64 * 1024;

class Zygote {
  readonly #control = new Socket({ fd: ZYGOTE_CONTROL_FD, readable: true, writable: true });
  #native: Native | undefined;
  #filter: SeccompFilter | undefined;
  #loopFds: readonly number[] = [];
  #partial = '';
  #isChild = false;

  start(): void {
    this.#control.setEncoding('utf8');
    this.#control.on('data', (text: string) => this.#receive(text));
    this.#control.on('close', () => process.exit(0));
    this.#control.on('error', () => process.exit(1));
  }

  #receive(text: string): void {
    const lines = (this.#partial + text).split('\n');
    this.#partial = lines.pop() ?? '';
    if (this.#partial.length > LINE_BYTES_MAX) process.exit(1);
    for (const line of lines) {
      this.#serve(JSON.parse(line) as ZygoteRequest);
      // The rest of the lines are the zygote's: the child must not answer them too.
      if (this.#isChild) return;
    }
  }

  #serve(request: ZygoteRequest): void {
    const serial = request.op === 'setup' ? 0 : request.serial;
    try {
      switch (request.op) {
        case 'setup':
          this.#setUp(request).then(
            () => this.#reply({ op: 'ready', serial: 0, nodeVersion: process.version }),
            (error: unknown) => this.#fail(0, error),
          );
          return;
        case 'fork':
          this.#fork(request);
      }
    } catch (error) {
      this.#fail(serial, error);
    }
  }

  #fail(serial: number, error: unknown): void {
    this.#reply({ op: 'failed', serial, message: error instanceof Error ? error.message : String(error) });
  }

  /** The host asks for nothing else until it is told that the zygote is ready. */
  async #setUp({ library, profile, faultStep }: ZygoteSetup): Promise<void> {
    if (faultStep !== '') process.env['HOB_FAULT_STEP'] = faultStep;
    this.#native = loadNative(library);
    this.#filter = this.#native.loadFilter(profile);
    await prepareShim();
    setFlagsFromString('--lazy'); // for functions' code
    // Garbage of the start would be copied page by page in every container that collects it.
    globalThis.gc?.();
    this.#loopFds = openDescriptors().filter((fd) => fd > 2 && fd !== ZYGOTE_CHANNEL_FD);
  }

  #nativeOrThrow(): Native {
    if (!this.#native) throw new Error('the zygote was not set up');
    return this.#native;
  }

  #fork(request: ForkRequest): void {
    const native = this.#nativeOrThrow();
    const spec: ContainerSpec = {
      ...request,
      cgroup2Dir: request.cgroup2Dir,
      insideUid: INSIDE_UID,
      loopFds: this.#loopFds,
    };
    const pipes: ChildPipes = new Int32Array(4);
    const pid = native.fork(spec, ZYGOTE_CHANNEL_FD, request.serial, pipes);
    if (pid === 0) this.#becomeContainer(spec, pipes);
    else this.#reply({ op: 'done', serial: request.serial, pid });
  }

  /** Runs in the child, from here on to its end. */
  #becomeContainer(spec: ContainerSpec, pipes: ChildPipes): void {
    this.#isChild = true;
    const native = this.#nativeOrThrow();
    const exit = (code: number): never => native.exit(code);
    try {
      native.enter(spec, this.#filter as SeccompFilter, pipes);
      native.forkLoop();
      this.#control.removeAllListeners();
      this.#control.destroy();
      native.settle(spec);
      refreshAfterFork();
      startShim({ socketFd: pipes[FRAMES] as number, exit });
    } catch (error) {
      report(pipes[STDERR] as number, error instanceof Error ? error.message : String(error));
      exit(ENTER_FAILED_EXIT_CODE);
    }
  }

  #reply(reply: ZygoteReply): void {
    this.#control.write(`${JSON.stringify(reply)}\n`);
  }
}

/** The pipe for standard error moves to 2 on the way into the container, and its first descriptor is closed later. */
function report(fd: number, message: string): void {
  for (const target of [fd, 2]) {
    try {
      writeSync(target, `${message}\n`);
      return;
    } catch {
      // Then the other one; when neither is there, the exit code alone tells.
    }
  }
}

/** The descriptors that are open now, without the one that reads the list. */
function openDescriptors(): number[] {
  return readdirSync('/proc/self/fd')
    .map(Number)
    .filter((fd) => {
      try {
        return !readlinkSync(`/proc/self/fd/${fd}`).startsWith('/proc/');
      } catch {
        return false;
      }
    });
}

for (const name of Object.keys(process.env)) delete process.env[name];
new Zygote().start();
