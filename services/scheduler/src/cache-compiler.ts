import { fail } from '@hob/contracts';
import { compileFrames, type SharedBytes } from './bundle-code.ts';
import { Container } from './container.ts';
import { violation } from './container-frames.ts';
import type { CompileOwner } from './container-roles.ts';
import { type Death, deathBy } from './death.ts';
import type { Environment } from './environment.ts';
import type { Fleet } from './fleet.ts';

/** A code cache is about as large as the code; a larger answer than this many times the code is refused. */
const CACHE_FACTOR_MAX = 8;
const CACHE_BYTES_MIN = 1024 * 1024;

/** Makes V8 code caches in containers of their own, which run none of the code and are thrown away. */
export class CacheCompiler {
  readonly #env: Environment;
  readonly #fleet: Fleet;

  constructor(env: Environment, fleet: Fleet) {
    this.#env = env;
    this.#fleet = fleet;
  }

  /** Whether there is a container to spare for it. */
  get isPossible(): boolean {
    return this.#fleet.hasRoom && !this.#fleet.isCrowded;
  }

  /**
   * Has V8 compile code in a new container.
   *
   * @returns the cache's bytes.
   * @throws ERR_SCHED_START_FAILED and whatever the container ended with, such as ERR_FN_LOAD_FAILED for broken syntax.
   */
  async compile(runtime: string, memoryMb: number, code: SharedBytes): Promise<Buffer> {
    const container = new Container(this.#env, { runtime, memoryMb, network: 'none' });
    this.#fleet.add(container);
    await container.create();
    const answer = new CompileAnswer(CACHE_FACTOR_MAX * code.bytes + CACHE_BYTES_MIN);
    const timer = this.#env.clock.after(this.#env.config.codeCacheTimeoutMs, () => {
      container.end(deathBy('timeout', fail('ERR_FN_TIMEOUT', [this.#env.config.codeCacheTimeoutMs])));
    });
    try {
      container.compile(compileFrames(code), answer);
      return await answer.whole;
    } finally {
      timer.cancel();
      container.end(deathBy('reclaimed'));
    }
  }
}

class CompileAnswer implements CompileOwner {
  readonly #bytesMax: number;
  readonly #pieces: Uint8Array[] = [];
  readonly #whole = Promise.withResolvers<Buffer>();
  #bytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  get whole(): Promise<Buffer> {
    return this.#whole.promise;
  }

  cache(bytes: Uint8Array, isLast: boolean): void {
    this.#bytes += bytes.byteLength;
    if (this.#bytes > this.#bytesMax) throw violation(`a code cache of more than ${this.#bytesMax} bytes`);
    this.#pieces.push(Buffer.from(bytes)); // they are overwritten
    if (isLast) this.#whole.resolve(Buffer.concat(this.#pieces));
  }

  died(_container: Container, death: Death | undefined): void {
    if (death) this.#whole.reject(death.error);
  }

  gone(_container: Container, death: Death): void {
    this.#whole.reject(death.error);
  }
}
