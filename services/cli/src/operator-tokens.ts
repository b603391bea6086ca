import { chmod, mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fail } from '@hob/contracts';
import { type Environment, operatorFolder } from './environment.ts';

/**
 * The operator's own copy of tokens: `~/.config/hob/token`, readable by its owner only. The server's data folder holds
 * nothing but hashes; this file lets `hob` commands of the same user work without HOB_TOKEN.
 *
 * A token has two keys: the server's URL, which clients look for, and the `file:` URL of its data folder, from which
 * `hob serve` sets the former again when servers with other data folders have used the same URL in between.
 */
export class OperatorTokens {
  readonly path: string;

  constructor(env: Environment) {
    this.path = join(operatorFolder(env), 'token');
  }

  /** The token for a URL, or undefined when none is known. @throws ERR_CONFIG_INVALID when the file is damaged. */
  async get(url: string): Promise<string | undefined> {
    return (await this.#read()).get(url);
  }

  /** Keeps a token for some URLs. @throws ERR_CONFIG_INVALID when the file is damaged, and what the file system gives. */
  async set(urls: readonly string[], token: string): Promise<void> {
    const tokens = await this.#read();
    for (const url of urls) tokens.set(url, token);
    await mkdir(dirname(this.path), { recursive: true, mode: 0o700 });
    const temporary = `${this.path}.${process.pid}`;
    await writeFile(temporary, `${JSON.stringify(Object.fromEntries(tokens), undefined, 2)}\n`, { mode: 0o600 });
    // The mode above is only for a new file: one that an earlier process left may be looser.
    await chmod(temporary, 0o600);
    await rename(temporary, this.path);
  }

  async #read(): Promise<Map<string, string>> {
    let text: string;
    try {
      text = await readFile(this.path, 'utf8');
    } catch {
      return new Map();
    }
    const damaged = 'is not a JSON object of tokens by URL; remove it or set HOB_TOKEN';
    try {
      const entries = Object.entries(JSON.parse(text) as object);
      if (!entries.every(([, token]) => typeof token === 'string')) throw new TypeError('not a string');
      return new Map(entries as [string, string][]);
    } catch (cause) {
      throw fail('ERR_CONFIG_INVALID', [this.path, damaged], { cause });
    }
  }
}
