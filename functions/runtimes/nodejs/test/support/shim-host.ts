import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import type { Duplex } from 'node:stream';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { setTimeout } from 'node:timers/promises';
import {
  decodeCredit,
  decodeJson,
  encodeChunks,
  encodeCredit,
  encodeFrame,
  encodeJson,
  FLAG_END,
  type Frame,
  FrameDecoder,
  FrameType,
  frameTypeName,
} from '@hob/contracts/frames';
import { encodeInvoke } from '@hob/contracts/invoke';
import type { CancelPayload, ClaimPayload, ExitPayload, FailurePayload, HeadPayload } from '@hob/contracts/protocol';
import { bundle } from '../../build.ts';

const NODE = join(import.meta.dirname, '../../../../../node_modules/.bin/node');
const FLAGS = ['--v8-pool-size=0', '--single-threaded', '--disable-sigusr1', '--experimental-vm-modules'];

const bundles = new Map<string, Promise<string>>();

/**
 * The command that runs a program as a zygote runs: bundled, once for each test file, and with the same flags.
 *
 * @param url of the program.
 */
export async function bundledProcess(url: string): Promise<[string, string[]]> {
  const made = bundles.get(url) ?? makeBundle(url);
  bundles.set(url, made);
  return [NODE, [...FLAGS, await made]];
}

async function makeBundle(url: string): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'hob-shim-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  const outfile = join(folder, 'bundle.cjs');
  await bundle(fileURLToPath(url), outfile);
  return outfile;
}

/** A process with the shim, and the host's side of its socket. Dispose of it: that ends the process. */
export class ShimHost implements AsyncDisposable {
  readonly child: ChildProcess;
  readonly #socket: Duplex;
  readonly calls = new Map<number, Call>();
  /** Every frame on stream 0, in the order of arrival. */
  readonly frames: Frame[] = [];
  readonly exited: Promise<{ readonly code: number | null; readonly signal: string | null }>;
  /** Resolved when every descriptor of the container's end is closed. */
  readonly socketClosed: Promise<unknown>;
  readonly logs: string[] = [];
  #errors: Error[] = [];
  #nextStream = 1;
  #waiting: (() => void)[] = [];

  private constructor(child: ChildProcess) {
    this.child = child;
    this.#socket = child.stdio[3] as Duplex;
    const decoder = new FrameDecoder((frame) => this.#take(frame));
    this.#socket.on('data', (bytes: Buffer) => {
      try {
        decoder.push(bytes);
      } catch (error) {
        this.#errors.push(error as Error);
      }
      this.#wakeAll();
    });
    this.#socket.on('error', () => undefined);
    this.socketClosed = new Promise((resolve) => this.#socket.once('close', resolve));
    this.exited = (async () => {
      const [code, signal] = (await once(child, 'close')) as [number | null, string | null];
      this.#wakeAll();
      return { code, signal };
    })();
  }

  /** Starts the process and waits until it is parked. */
  static async start(environment: Record<string, string> = {}): Promise<ShimHost> {
    const [command, args] = await bundledProcess(import.meta.resolve('./shim-process.ts'));
    const child = spawn(command, args, {
      stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
      env: { PATH: process.env['PATH'] ?? '', ...environment },
    });
    const host = new ShimHost(child);
    await host.frame(FrameType.PARKED);
    return host;
  }

  /** Starts a process and gives it a function. */
  static async load(source: string, env: Record<string, string> = {}): Promise<ShimHost> {
    const host = await ShimHost.start();
    host.claim(source, { env });
    await host.frame(FrameType.LOADED);
    return host;
  }

  claim(source: string, options: { env?: Record<string, string>; cache?: Uint8Array } = {}): void {
    const code = Buffer.from(source);
    const claim: ClaimPayload = {
      function: 'test',
      version: 7,
      memoryMb: 256,
      filename: '/var/task/index.mjs',
      env: options.env ?? {},
      codeBytes: code.byteLength,
      cacheBytes: options.cache?.byteLength ?? 0,
    };
    this.send(encodeJson(FrameType.CLAIM, 0, claim));
    if (options.cache) for (const frame of encodeChunks(FrameType.CACHE, 0, options.cache)) this.send(frame);
    for (const frame of encodeChunks(FrameType.CODE, 0, code)) this.send(frame);
  }

  compile(source: string): void {
    const code = Buffer.from(source);
    this.send(encodeJson(FrameType.COMPILE, 0, { filename: '/var/task/index.mjs', codeBytes: code.byteLength }));
    for (const frame of encodeChunks(FrameType.CODE, 0, code)) this.send(frame);
  }

  /** Starts an invocation. Without a body it is sent complete; with `body: 'later'` use `Call.write`. */
  invoke(options: InvokeOptions = {}): Call {
    const stream = this.#nextStream;
    this.#nextStream += 1;
    const call = new Call(this, stream, options.creditsByHand ?? false);
    this.calls.set(stream, call);
    const { body } = options;
    const frame = encodeInvoke(
      stream,
      {
        id: `id-${stream}`,
        method: options.method ?? (body === undefined ? 'GET' : 'POST'),
        url: options.url ?? 'http://localhost/',
        headers: options.headers ?? [],
        deadlineMs: Date.now() + (options.timeoutMs ?? 60_000),
        graceMs: options.graceMs ?? 100,
      },
      body === undefined ? FLAG_END : 0,
    );
    if (body === undefined || body === 'later') this.send(frame);
    else this.send(Buffer.concat([frame, encodeFrame(FrameType.BODY, stream, body, FLAG_END)]));
    return call;
  }

  /** Invokes and waits for the complete text of the response. @throws when it ends in ERROR. */
  async text(options: InvokeOptions = {}): Promise<string> {
    return (await this.invoke(options).done()).text;
  }

  send(bytes: Uint8Array): void {
    this.#socket.write(bytes);
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  hangUp(): void {
    this.#socket.destroy();
  }

  /** Waits until the process sleeps, as far as the kernel's account of it tells: nothing has run for five looks. */
  async idle(): Promise<void> {
    let last = '';
    for (let equal = 0; equal < 5;) {
      await setTimeout(20);
      const [, , state, ...rest] = readFileSync(`/proc/${this.child.pid}/stat`, 'utf8').split(' ');
      const now = `${state} ${rest[10]} ${rest[11]}`;
      equal = now === last && state === 'S' ? equal + 1 : 0;
      last = now;
    }
  }

  /** Waits for the end of the process itself, whatever is still unread in its socket. */
  async exitedUnread(): Promise<{ readonly code: number | null }> {
    if (this.child.exitCode === null) await once(this.child, 'exit');
    return { code: this.child.exitCode };
  }

  /** Waits for a frame on stream 0. @throws when the process ends without it, or sends another answer to a claim. */
  async frame(type: FrameType): Promise<Frame> {
    await this.until(() => {
      if (this.frames.some((frame) => frame.type === type)) return true;
      const failed = this.frames.find((frame) => frame.type === FrameType.LOAD_FAILED);
      if (failed) throw new Error(`LOAD_FAILED: ${JSON.stringify(decodeJson(failed))}`);
      return false;
    });
    return this.frames.find((frame) => frame.type === type) as Frame;
  }

  async exit(): Promise<ExitPayload> {
    return decodeJson(await this.frame(FrameType.EXIT)) as object as ExitPayload;
  }

  /** Waits for something that comes with frames. @throws when the process ends first, or its frames are broken. */
  async until(check: () => boolean): Promise<void> {
    while (!check()) {
      if (this.#errors[0]) throw this.#errors[0];
      const changed = new Promise<void>((resolve) => {
        this.#waiting.push(resolve);
      });
      const outcome = await Promise.race([changed, this.exited]);
      if (outcome && !check()) {
        const told = this.frames.map(
          (frame) => `${frameTypeName(frame.type)} ${Buffer.from(frame.payload).toString()}`,
        );
        throw new Error(`the process ended: ${JSON.stringify(outcome)}\n${[...told, ...this.logs].join('\n')}`);
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.child.kill('SIGKILL');
    await this.exited;
    this.#socket.destroy();
  }

  #take(frame: Frame): void {
    if (frame.type === FrameType.LOG) this.logs.push(`${frame.stream} ${Object.values(decodeJson(frame)).join(' ')}`);
    else if (frame.stream === 0) this.frames.push(frame);
    else this.calls.get(frame.stream)?.take(frame);
  }

  #wakeAll(): void {
    for (const wake of this.#waiting.splice(0)) wake();
  }
}

/** How to invoke. */
export interface InvokeOptions {
  readonly method?: string;
  readonly url?: string;
  readonly headers?: readonly string[];
  /** `later`: it is sent with `Call.write`. */
  readonly body?: string | Uint8Array;
  readonly timeoutMs?: number;
  readonly graceMs?: number;
  /** No credit is given but by `Call.grant`. */
  readonly creditsByHand?: boolean;
}

/** The host's side of one invocation. */
export class Call {
  readonly stream: number;
  readonly #host: ShimHost;
  readonly #creditsByHand: boolean;
  /** Names of its frames, in the order of arrival. */
  readonly frames: string[] = [];
  head: HeadPayload | undefined;
  failure: FailurePayload | undefined;
  chunks: Uint8Array[] = [];
  bodyEnded = false;
  isDone = false;
  /** Bytes of credit that the shim has given for the request's body. */
  grantedBytes = 0;

  constructor(host: ShimHost, stream: number, creditsByHand: boolean) {
    this.#host = host;
    this.stream = stream;
    this.#creditsByHand = creditsByHand;
  }

  get bodyBytes(): number {
    return this.chunks.reduce((sum, chunk) => sum + chunk.byteLength, 0);
  }

  get text(): string {
    return Buffer.concat(this.chunks).toString();
  }

  get isOver(): boolean {
    return this.isDone || this.failure !== undefined;
  }

  header(name: string): string | undefined {
    const headers = this.head?.headers ?? [];
    const at = headers.findIndex((entry, index) => index % 2 === 0 && entry === name);
    return at === -1 ? undefined : headers[at + 1];
  }

  write(chunk: string | Uint8Array, isLast = false): void {
    this.#host.send(encodeFrame(FrameType.BODY, this.stream, chunk, isLast ? FLAG_END : 0));
  }

  grant(bytes: number): void {
    this.#host.send(encodeCredit(this.stream, bytes));
  }

  cancel(reason: CancelPayload['reason']): void {
    this.#host.send(encodeJson(FrameType.CANCEL, this.stream, { reason }));
  }

  until(check: () => boolean): Promise<void> {
    return this.#host.until(check);
  }

  async done(): Promise<this> {
    await this.until(() => this.isOver);
    if (this.failure) throw new Error(`ERROR: ${JSON.stringify(this.failure)}`);
    return this;
  }

  async failed(): Promise<FailurePayload> {
    await this.until(() => this.isOver);
    if (!this.failure) throw new Error(`DONE with ${this.head?.status} ${this.text}`);
    return this.failure;
  }

  take(frame: Frame): void {
    if (this.isOver) throw new Error(`${frameTypeName(frame.type)} after the end of stream ${this.stream}`);
    this.frames.push(frameTypeName(frame.type));
    const isEnd = (frame.flags & FLAG_END) !== 0;
    if (frame.type === FrameType.HEAD) this.head = decodeJson(frame) as object as HeadPayload;
    else if (frame.type === FrameType.BODY) {
      this.chunks.push(frame.payload);
      if (!this.#creditsByHand && frame.payload.byteLength > 0) this.grant(frame.payload.byteLength);
    } else if (frame.type === FrameType.CREDIT) this.grantedBytes += decodeCredit(frame);
    else if (frame.type === FrameType.DONE) this.isDone = true;
    else if (frame.type === FrameType.ERROR) this.failure = decodeJson(frame) as object as FailurePayload;
    this.bodyEnded ||= isEnd;
  }
}
