import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { freePort } from './free-port.ts';
import { type Answer, type CallOptions, call } from './http-call.ts';
import { patience, startTimeoutMs } from './patience.ts';
import { descendants, signal } from './processes.ts';
import { TemporaryFolder } from './temporary-folder.ts';
import { until } from './until.ts';

export const repository = join(import.meta.dirname, '../..');
export const serveProgram = join(repository, 'services/cli/dist/main.js');
export const hobProgram = join(repository, 'services/cli/bin/hob.mjs');
const OUTPUT_CHARACTERS_MAX = 1024 * 1024;
/** How long `hob serve` may take to end before it is called hung, ms. */
const STOP_MS_MAX = 30_000 * patience;
const COMMAND_MS_MAX = 120_000 * patience;
/** Where everything takes longer, calls wait longer for a container, and a zygote boots for longer. */
const slowHost: Readonly<Record<string, string>> =
  patience === 1 ? {} : { HOB_QUEUE_TIMEOUT_MS: '120000', HOB_START_TIMEOUT_MS: `${startTimeoutMs}` };

export interface CommandResult {
  readonly exitCode: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

export interface HobServerOptions {
  /** Further `HOB_…` settings of `hob serve`. */
  readonly env?: Readonly<Record<string, string>>;
  /** Its data folder, in place of one of its own. It stays the caller's. */
  readonly dataDir?: string;
  /** A command that executes what follows it, to start `hob serve` with. */
  readonly under?: readonly string[];
}

/**
 * A real `hob serve` on a free port of the loopback, with a data folder and a home of its own.
 *
 * States: running ──stop() or kill()──▶ ended ──start()──▶ running, on the same port and data folder.
 * Disposing stops it and removes its folders.
 */
export class HobServer implements AsyncDisposable {
  readonly url: string;
  readonly token = `hob_${randomBytes(32).toString('base64url')}`;
  readonly dataDir: string;
  readonly #folder: TemporaryFolder;
  readonly #env: Readonly<Record<string, string>>;
  readonly #under: readonly string[];
  #child: ChildProcess | undefined;
  #output = '';

  private constructor(folder: TemporaryFolder, port: number, options: HobServerOptions) {
    this.#folder = folder;
    this.#under = options.under ?? [];
    this.dataDir = options.dataDir ?? join(folder.path, 'data');
    this.url = `http://127.0.0.1:${port}`;
    this.#env = {
      PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
      HOME: join(folder.path, 'home'),
      HOB_LISTEN: `127.0.0.1:${port}`,
      HOB_DATA_DIR: this.dataDir,
      HOB_TOKEN: this.token,
      ...slowHost,
      ...options.env,
    };
  }

  /** Resolved when the server is ready; when it does not get ready, nothing of it is left. */
  static async create(options: HobServerOptions = {}): Promise<HobServer> {
    if (!existsSync(serveProgram)) throw new Error(`${serveProgram} is missing: run "npm run build"`);
    const folder = await TemporaryFolder.create('e2e');
    await mkdir(join(folder.path, 'home'));
    const server = new HobServer(folder, await freePort(), options);
    try {
      await server.start();
    } catch (error) {
      await server[Symbol.asyncDispose]();
      throw error;
    }
    return server;
  }

  /** Pid of `hob serve`. */
  get pid(): number {
    if (this.#child?.pid === undefined) throw new Error('hob serve does not run');
    return this.#child.pid;
  }

  /** What `hob serve` wrote, both streams together, the last megabyte. */
  get output(): string {
    return this.#output;
  }

  /** Starts it after `stop` or `kill`, on the same port and data folder. @param env further settings, for this time. */
  async start(env: Readonly<Record<string, string>> = {}): Promise<void> {
    if (this.#child !== undefined) throw new Error('hob serve runs already');
    const command = [...this.#under, process.execPath, '--max-semi-space-size=64', serveProgram, 'serve'];
    const [program = '', ...args] = command;
    const child = spawn(program, args, {
      env: { ...this.#env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#child = child;
    const collect = (chunk: string) => (this.#output = `${this.#output}${chunk}`.slice(-OUTPUT_CHARACTERS_MAX));
    child.stdout.setEncoding('utf8').on('data', collect);
    child.stderr.setEncoding('utf8').on('data', collect);
    await until(`${this.url}/readyz answers 200`, async () => {
      if (child.exitCode !== null || child.signalCode !== null) {
        throw new Error(`hob serve ended with ${child.exitCode ?? child.signalCode}:\n${this.#output}`);
      }
      const answer = await call(`${this.url}/readyz`).catch(() => undefined);
      return answer?.status === 200;
    });
  }

  /** Waits until it ends by itself. @returns its exit code. */
  async ended(): Promise<number | undefined> {
    const child = this.#child;
    if (child === undefined) return undefined;
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    this.#child = undefined;
    return child.exitCode ?? undefined;
  }

  /** Ends it as an operator does. @returns its exit code. */
  async stop(): Promise<number | undefined> {
    return this.#end('SIGTERM');
  }

  /** Ends it as a power cut does: it can do nothing about it, and its children live on. */
  async kill(): Promise<void> {
    await this.#end('SIGKILL');
  }

  async #end(how: 'SIGTERM' | 'SIGKILL'): Promise<number | undefined> {
    const child = this.#child;
    if (child === undefined) return undefined;
    const exited = child.exitCode === null && child.signalCode === null ? once(child, 'exit') : undefined;
    child.kill(how);
    const hung = setTimeout(() => this.#cut(child), STOP_MS_MAX);
    await exited;
    clearTimeout(hung);
    this.#child = undefined;
    return child.exitCode ?? undefined;
  }

  /** A server that does not end is ended with all its descendants, so that a failed test leaves no process. */
  #cut(child: ChildProcess): void {
    const family = child.pid === undefined ? [] : descendants(child.pid);
    child.kill('SIGKILL');
    for (const { pid } of family) signal(pid, 'SIGKILL');
  }

  /** Runs the `hob` command as a user's shell would, and waits for its end. */
  async hob(args: readonly string[], options: { readonly cwd?: string; readonly input?: string } = {}) {
    const result = await execa(process.execPath, [hobProgram, ...args], {
      cwd: options.cwd ?? this.#folder.path,
      env: this.commandEnv,
      extendEnv: false,
      input: options.input ?? '',
      reject: false,
      stripFinalNewline: false,
      timeout: COMMAND_MS_MAX,
    });
    return { exitCode: result.exitCode, stdout: result.stdout, stderr: result.stderr } satisfies CommandResult;
  }

  /** Runs the `hob` command in a terminal of its own. @returns what the terminal was sent. */
  async hobInTerminal(args: readonly string[]): Promise<string> {
    const command = [process.execPath, hobProgram, ...args].map((word) => `'${word}'`).join(' ');
    const { stdout } = await execa('script', ['--quiet', '--return', '--command', command, '/dev/null'], {
      env: { ...this.commandEnv, NO_COLOR: '1' },
      extendEnv: false,
      input: '',
      timeout: COMMAND_MS_MAX,
    });
    return stdout;
  }

  /** Environment of a shell whose user may talk to this server. */
  get commandEnv(): Record<string, string> {
    return { PATH: this.#env['PATH'] ?? '', HOME: this.#env['HOME'] ?? '', HOB_URL: this.url, HOB_TOKEN: this.token };
  }

  /** Deploys folders by `hob deploy`, with options before them. @throws what the command said when it failed. */
  async deploy(...args: readonly string[]): Promise<void> {
    const result = await this.hob(['deploy', ...args]);
    if (result.exitCode !== 0) throw new Error(`hob deploy failed: ${result.stderr}`);
  }

  /** Calls a function. @param path from the function's name on: `hello/a?b=c`. */
  async fn(path: string, options: CallOptions = {}): Promise<Answer> {
    return call(`${this.url}/fn/${path}`, options);
  }

  /** Calls the control API with the token, and gives its JSON. */
  async control(path: string): Promise<unknown> {
    const answer = await call(`${this.url}/v1/${path}`, { headers: { authorization: `Bearer ${this.token}` } });
    if (answer.status !== 200) throw new Error(`GET /v1/${path}: ${answer.status} ${answer.body.toString()}`);
    return JSON.parse(answer.body.toString('utf8'));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    await this.#folder[Symbol.asyncDispose]();
  }
}
