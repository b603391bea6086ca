/** The files that the rules look at: those that git knows or would add. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** A rule gives one line for each place where it is broken. */
export type Rule = (repository: Repository) => string[];

/** A working tree. Files are read once. */
export class Repository {
  readonly root: string;
  /** Paths relative to the root, sorted. */
  readonly files: readonly string[];
  readonly #texts = new Map<string, string>();

  /** @throws Error when the folder is no working tree of git */
  constructor(root: string) {
    this.root = root;
    const args = ['-C', root, 'ls-files', '--cached', '--others', '--exclude-standard', '-z'];
    const listed = execFileSync('git', args, { encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 });
    // A file that was deleted but not yet committed is still listed.
    this.files = [...new Set(listed.split('\0'))]
      .filter((file) => file !== '' && existsSync(join(root, file)))
      .toSorted();
  }

  has(file: string): boolean {
    return existsSync(join(this.root, file));
  }

  /** The text of a file; empty when it is a folder. */
  text(file: string): string {
    let text = this.#texts.get(file);
    if (text === undefined) {
      const path = join(this.root, file);
      text = statSync(path).isFile() ? readFileSync(path, 'utf8') : '';
      this.#texts.set(file, text);
    }
    return text;
  }

  /** Files whose path matches. */
  matching(pattern: RegExp): string[] {
    return this.files.filter((file) => pattern.test(file));
  }
}

/** The line number of a place in a text, counted from 1. */
export function lineAt(text: string, index: number): number {
  return text.slice(0, index).split('\n').length;
}

/** TypeScript and JavaScript. */
export const scripts = /\.(?:ts|mts|mjs|js)$/;

/** Whether a file is only used by tests. */
export function isTest(file: string): boolean {
  return /(?:^|\/)test\//.test(file);
}
