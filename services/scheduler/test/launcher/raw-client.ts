import { once } from 'node:events';
import { hostNative } from '@hob/native';
import type { DriverOptions } from '../../src/driver/driver-options.ts';
import { DescriptorInbox } from '../../src/driver/descriptor-inbox.ts';
import type { Reply } from '../../src/launcher/messages.ts';
import { type LauncherProcess, startLauncher } from '../driver/real-driver.ts';

/** A client of a launcher that may send whatever it likes. */
export class RawClient {
  readonly launcher: LauncherProcess;
  readonly inbox: DescriptorInbox;
  /** How the launcher's process ended. */
  readonly exited: Promise<readonly [code: number | null, signal: NodeJS.Signals | null]>;
  readonly #closed: Promise<unknown>;
  readonly #replies: Reply[] = [];
  #partial = '';
  #wake: () => void = () => undefined;

  constructor(options: DriverOptions, containersMax?: number) {
    this.launcher = startLauncher(options, containersMax);
    this.inbox = new DescriptorInbox(hostNative(), this.launcher.channel);
    this.exited = once(this.launcher.child, 'exit').then(([code, signal]) => [code, signal]);
    this.#closed = once(this.launcher.socket, 'close');
    this.launcher.socket.setEncoding('utf8');
    this.launcher.socket.on('error', () => undefined); // it may be cut off, and looks itself
    this.launcher.socket.on('data', (text: string) => {
      const lines = (this.#partial + text).split('\n');
      this.#partial = lines.pop() ?? '';
      this.#replies.push(...lines.map((line) => JSON.parse(line) as Reply));
      this.#wake();
    });
  }

  /** Writes text as it is. */
  write(text: string): void {
    this.launcher.socket.write(text);
  }

  send(message: unknown): void {
    this.write(`${JSON.stringify(message)}\n`);
  }

  /** The next reply that is no news of zygotes. */
  async next(): Promise<Reply> {
    for (;;) {
      const reply = this.#replies.shift();
      if (reply && reply.op !== 'zygotes') return reply;
      if (!reply) await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  /** Sends a request and gives the next reply. */
  async ask(message: unknown): Promise<Reply> {
    this.send(message);
    return this.next();
  }

  /** Has a container made. @returns its id and pid */
  async create(serial: number): Promise<{ readonly container: string; readonly pid: number }> {
    const reply = await this.ask({ op: 'create', serial, runtime: 'nodejs24.x', memoryMb: 128, network: 'none' });
    if (reply.op !== 'created') throw new Error(JSON.stringify(reply));
    return reply;
  }

  /** Waits until the launcher has closed the connection. */
  async cutOff(): Promise<void> {
    await this.#closed;
  }

  /** Goes away, and waits for the launcher's end. @returns its exit code */
  async leave(): Promise<number | null> {
    this.launcher.socket.destroy();
    this.inbox.close();
    const [code] = await this.exited;
    return code;
  }
}
