import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { until } from '../support/until.ts';

/** A process that runs the events of a Redis, and writes what it has done to a file. */
export class QueueWorker implements AsyncDisposable {
  readonly #arguments: readonly string[];
  #child: ChildProcess | undefined;

  constructor(redis: string, file: string) {
    this.#arguments = ['--conditions=@hob/source', join(import.meta.dirname, 'queue-process.ts'), redis, file];
    this.start();
  }

  start(): void {
    this.#child = spawn(process.execPath, this.#arguments, { stdio: 'inherit' });
  }

  /** Has it do nothing until `continue`. */
  stop(): void {
    this.#child?.kill('SIGSTOP');
  }

  continue(): void {
    this.#child?.kill('SIGCONT');
  }

  async kill(): Promise<void> {
    this.#child?.kill('SIGKILL');
    if (this.#child?.exitCode === null && this.#child.signalCode === null) await once(this.#child, 'exit');
    this.#child = undefined;
  }

  /** As hob does when it stops. @returns its exit code, once it has ended by itself. */
  async close(): Promise<number | undefined> {
    const child = this.#child;
    if (child === undefined) return undefined;
    child.kill('SIGTERM');
    await until('the queue worker has ended', () => child.exitCode !== null || child.signalCode !== null);
    return child.exitCode ?? undefined;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.kill();
  }
}
