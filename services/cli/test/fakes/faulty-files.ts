import fsPromises, { type FileHandle } from 'node:fs/promises';
import type { SecretKeyFs } from '../../src/serve/secret-key-files.ts';

/** When a step fails: it was not done, or it was and nobody was told. */
export type FaultKind = 'before' | 'after';

/** A file system of which one step fails. */
export class FaultyFiles implements SecretKeyFs {
  /** Each step that was asked for. */
  readonly steps: string[] = [];
  readonly #failAt: number;
  readonly #kind: FaultKind;

  /** @param failAt the number of the step, from 1. */
  constructor(failAt: number, kind: FaultKind) {
    this.#failAt = failAt;
    this.#kind = kind;
  }

  readonly open: SecretKeyFs['open'] = (...args) =>
    this.#step('open', async () => {
      const handle: FileHandle = await fsPromises.open(...args);
      for (const name of ['writeFile', 'sync'] as const) {
        const real = handle[name].bind(handle) as (...rest: unknown[]) => Promise<void>;
        Object.assign(handle, { [name]: (...rest: unknown[]) => this.#step(name, () => real(...rest)) });
      }
      return handle;
    });

  readonly rename: SecretKeyFs['rename'] = (...args) => this.#step('rename', () => fsPromises.rename(...args));

  readonly rm: SecretKeyFs['rm'] = (...args) => this.#step('rm', () => fsPromises.rm(...args));

  async #step<T>(name: string, act: () => Promise<T>): Promise<T> {
    this.steps.push(name);
    const fails = this.steps.length === this.#failAt;
    if (fails && this.#kind === 'before') throw new Error(`EIO before ${name}`);
    const done = await act();
    if (!fails) return done;
    // What was opened is nobody's.
    if (name === 'open') await (done as FileHandle).close();
    throw new Error(`EIO after ${name}`);
  }
}
