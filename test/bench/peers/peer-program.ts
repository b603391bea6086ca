import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { freePort } from '../../support/free-port.ts';
import { call } from '../../support/http-call.ts';
import { until } from '../../support/until.ts';
import { peerEnvironment } from '../tools.ts';

/** A peer that is a server of its own, started with an empty environment. */
export class PeerProgram implements AsyncDisposable {
  /** With its version. */
  readonly name: string;
  /** Where it listens: `http://127.0.0.1:<port>`. */
  readonly url: string;
  readonly #child: ChildProcess;

  private constructor(name: string, child: ChildProcess, url: string) {
    this.name = name;
    this.#child = child;
    this.url = url;
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Starts a program of this folder. Resolved when it listens. @throws Error when it ends instead. */
  static async start(file: string, name: string): Promise<PeerProgram> {
    const args = [join(import.meta.dirname, `${file}.cjs`)];
    const child = spawn(process.execPath, args, { env: peerEnvironment, stdio: ['pipe', 'pipe', 'inherit'] });
    for await (const url of createInterface({ input: child.stdout })) return new PeerProgram(name, child, url);
    throw new Error(`${name} ended before it listened`);
  }

  /** Starts a server that is told its port. Resolved when it answers. @throws Error when it ends instead. */
  static async serve(name: string, command: (port: number) => readonly string[]): Promise<PeerProgram> {
    const port = await freePort();
    const [program = '', ...args] = command(port);
    const child = spawn(program, args, { env: peerEnvironment, stdio: ['pipe', 'ignore', 'inherit'] });
    const self = new PeerProgram(name, child, `http://127.0.0.1:${port}`);
    await until(`${name} answers`, async () => {
      if (child.exitCode !== null) throw new Error(`${name} ended with ${child.exitCode}`);
      return (await call(`${self.url}/100`).catch(() => undefined))?.status === 200;
    });
    return self;
  }

  /** The programs of this folder end with their input, and others by a signal. */
  async [Symbol.asyncDispose](): Promise<void> {
    const ended =
      this.#child.exitCode === null && this.#child.signalCode === null ? once(this.#child, 'exit') : undefined;
    this.#child.stdin?.end();
    if (this.#child.stdout === null) this.#child.kill('SIGTERM');
    await ended;
  }
}
