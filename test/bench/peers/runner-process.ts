import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { peerEnvironment } from '../tools.ts';
import type { RunRequest, RunTimes } from './run-times.ts';

/** On hybrid hosts crun 1.8 insists on dropping controllers that this tree does not have, and fails. */
const HYBRID = '/sys/fs/cgroup/unified';

/** A command that runs. */
export interface Running {
  /** Rejects with what it said when it fails. */
  readonly ended: Promise<RunTimes>;
  /** Closes its standard input, and waits for its end. */
  stop(): Promise<void>;
}

/** The runner: see runner.ts. In its mount namespace the hybrid cgroup tree, if there is one, is covered. */
export class RunnerProcess implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, PromiseWithResolvers<RunTimes>>();
  #serials = 0;

  constructor() {
    const cover = existsSync(HYBRID) ? `mount -t tmpfs tmpfs ${HYBRID} && ` : '';
    const runner = join(import.meta.dirname, 'runner.ts');
    const script = ['/bin/sh', '-c', `${cover}exec "$0" "$1"`, process.execPath, runner];
    const child = spawn('unshare', ['--mount', '--propagation', 'private', ...script], {
      env: peerEnvironment,
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    this.#child = child;
    createInterface({ input: child.stdout }).on('line', (line) => this.#end(JSON.parse(line)));
    child.once('exit', () => {
      for (const { reject } of this.#waiting.values()) reject(new Error('the runner ended'));
    });
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Runs a command to its end. @throws Error with what it said when it failed. */
  async run(command: readonly string[]): Promise<RunTimes> {
    return this.#start(command, false).ended;
  }

  /** Starts a command, whose standard input stays open. */
  hold(command: readonly string[]): Running {
    return this.#start(command, true);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.stdin?.end();
    if (this.#child.exitCode === null && this.#child.signalCode === null) await once(this.#child, 'exit');
  }

  #start(command: readonly string[], holdInput: boolean): Running {
    const serial = this.#serials++;
    const waiting = Promise.withResolvers<RunTimes>();
    this.#waiting.set(serial, waiting);
    this.#send({ serial, command, holdInput });
    const stop = async (): Promise<void> => {
      this.#send({ serial, closeInput: true });
      await waiting.promise;
    };
    return { ended: waiting.promise, stop };
  }

  #send(request: RunRequest): void {
    this.#child.stdin?.write(`${JSON.stringify(request)}\n`);
  }

  #end(times: RunTimes): void {
    const waiting = this.#waiting.get(times.serial);
    this.#waiting.delete(times.serial);
    if (times.exitCode === 0) waiting?.resolve(times);
    else waiting?.reject(new Error(`it ended with ${times.exitCode}: ${times.said.trim()}`));
  }
}
