import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { checkFunctionConfig } from '@hob/contracts';
import { build, type BuildOptions, type BuiltBundle } from '../../src/index.ts';

/** Folders of functions, and what was built of them, all in one temporary folder that goes when disposed. */
export class Workshop implements AsyncDisposable {
  readonly path: string;
  readonly #tmpdir: string | undefined;

  private constructor(path: string) {
    this.path = path;
    // Bundles are built in the system's temporary folder: here that is a folder whose leftovers can be seen.
    this.#tmpdir = process.env['TMPDIR'];
    process.env['TMPDIR'] = join(path, 'tmp');
  }

  static async open(): Promise<Workshop> {
    const workshop = new Workshop(await mkdtemp(join(tmpdir(), 'hob-builder-')));
    await mkdir(join(workshop.path, 'tmp'));
    return workshop;
  }

  /** Writes a function's folder. @returns its path. */
  async folder(name: string, files: Readonly<Record<string, string | Uint8Array>>): Promise<string> {
    const folder = join(this.path, name);
    for (const [path, content] of Object.entries(files)) {
      await mkdir(dirname(join(folder, path)), { recursive: true });
      await writeFile(join(folder, path), content);
    }
    return folder;
  }

  /** Writes a folder and builds it. */
  async build(
    files: Readonly<Record<string, string | Uint8Array>>,
    settings: object = {},
    options: BuildOptions = {},
  ): Promise<BuiltBundle> {
    const folder = await this.folder('fn', files);
    return await build(folder, checkFunctionConfig({ name: 'fn', ...settings }), options);
  }

  /** What builds have left. */
  async leftovers(): Promise<string[]> {
    return await readdir(join(this.path, 'tmp'));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#tmpdir === undefined) delete process.env['TMPDIR'];
    else process.env['TMPDIR'] = this.#tmpdir;
    await rm(this.path, { recursive: true, force: true });
  }
}

/** Runs a bundle's code and gives what it exports. */
export async function load(bundle: BuiltBundle): Promise<Record<string, unknown>> {
  const url = pathToFileURL(join(bundle.folder, 'index.mjs')).href;
  return (await import(url)) as Record<string, unknown>;
}

/** Calls the default export of a bundle. */
export async function call(bundle: BuiltBundle): Promise<unknown> {
  const { default: handler } = await load(bundle);
  return await (handler as () => unknown)();
}
