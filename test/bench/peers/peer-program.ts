import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { peerEnvironment } from '../tools.ts';

/** A peer that is a server of its own: a program of this folder, started with an empty environment. */
export class PeerProgram implements AsyncDisposable {
  /** Where it listens: `http://127.0.0.1:<port>`. */
  readonly url: string;
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess, url: string) {
    this.#child = child;
    this.url = url;
  }

  /** Resolved when it listens. @throws Error when it ends instead. */
  static async start(name: string): Promise<PeerProgram> {
    const args = [join(import.meta.dirname, `${name}.cjs`)];
    const child = spawn(process.execPath, args, { env: peerEnvironment, stdio: ['pipe', 'pipe', 'inherit'] });
    for await (const url of createInterface({ input: child.stdout })) return new PeerProgram(child, url);
    throw new Error(`${name} ended before it listened`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.stdin?.end();
    if (this.#child.exitCode === null && this.#child.signalCode === null) await once(this.#child, 'exit');
  }
}
