import type { Readable } from 'node:stream';
import { ApiClient } from './api-client.ts';
import { LISTEN_DEFAULT, localUrl, parseListen, parseServerUrl } from './address.ts';
import { type Environment, variable } from './environment.ts';
import { OperatorTokens } from './operator-tokens.ts';
import { type Output, Terminal } from './terminal.ts';

/** What a command gets of its process. */
export interface ProcessParts {
  readonly env: Environment;
  readonly stdin: Readable & { readonly isTTY?: boolean };
  readonly stdout: Output;
  readonly stderr: Output;
}

/** What every command works with. One is made for each run of `hob`. */
export class Tools implements AsyncDisposable {
  readonly env: Environment;
  readonly stdin: ProcessParts['stdin'];
  readonly terminal: Terminal;
  /** What the command ends with when nothing is thrown. */
  exitCode = 0;
  readonly #interruption = new AbortController();
  #listening = false;
  #client: ApiClient | undefined;

  constructor(parts: ProcessParts) {
    this.env = parts.env;
    this.stdin = parts.stdin;
    this.terminal = new Terminal(parts, parts.env);
  }

  /**
   * A signal that is aborted by Ctrl-C and SIGTERM, so that a command can end in order. From the first use on these
   * no longer end the process by themselves.
   */
  get interruption(): AbortSignal {
    if (!this.#listening) {
      this.#listening = true;
      process.on('SIGINT', this.#interrupt);
      process.on('SIGTERM', this.#interrupt);
    }
    return this.#interruption.signal;
  }

  readonly #interrupt = (): void => this.#interruption.abort();

  /** Whether a signal has asked the command to end. */
  get interrupted(): boolean {
    return this.#interruption.signal.aborted;
  }

  /** The server that HOB_URL names, else the one on this machine. @throws ERR_CONFIG_INVALID */
  get serverUrl(): string {
    const url = variable(this.env, 'HOB_URL');
    if (url !== undefined) return parseServerUrl(url, 'HOB_URL');
    return localUrl(parseListen(variable(this.env, 'HOB_LISTEN') ?? LISTEN_DEFAULT, 'HOB_LISTEN'));
  }

  /** The client of the server, with the token of HOB_TOKEN or of the operator's file. @throws ERR_CONFIG_INVALID */
  async client(): Promise<ApiClient> {
    const url = this.serverUrl;
    const token = variable(this.env, 'HOB_TOKEN') ?? (await new OperatorTokens(this.env).get(url));
    return (this.#client ??= new ApiClient({ url, token, signal: this.interruption }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    process.off('SIGINT', this.#interrupt);
    process.off('SIGTERM', this.#interrupt);
    await this.#client?.close();
  }
}
