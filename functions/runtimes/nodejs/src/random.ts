import { randomBytes } from 'node:crypto';
import vm, { type Context, type CreateContextOptions, type RunningScriptInNewContextOptions } from 'node:vm';
import { setFlagsFromString } from 'node:v8';

const INT_MAX = 0x7fffffff;
// Taken once, so that calling `seedNewContexts` again wraps nothing twice.
const { createContext, runInContext } = vm;

type ContextObject = Parameters<typeof createContext>[0];

/**
 * Gives `Math.random` a fresh seed. V8's own generator cannot be seeded again: its state is copied by the fork, so that
 * all containers of a zygote would draw the same numbers.
 */
export function seedMathRandom(): void {
  // Drawn at the first call: after a fork OpenSSL seeds itself again, which takes longer than all the rest here.
  let next: (() => number) | undefined;
  const random = (): number => {
    next ??= sfc32(randomBytes(16));
    const high = next() >>> 5;
    return (high * 0x4000000 + (next() >>> 6)) / 0x20000000000000;
  };
  Object.defineProperty(random, 'name', { value: 'random', configurable: true });
  Object.defineProperty(Math, 'random', { value: random, writable: true, configurable: true, enumerable: false });
}

/** The generator sfc32 (Chris Doty-Humphrey, PractRand): 128 bits of state, 32 bits a call. */
function sfc32(seed: Buffer): () => number {
  let a = seed.readInt32LE(0);
  let b = seed.readInt32LE(4);
  let c = seed.readInt32LE(8);
  let counter = seed.readInt32LE(12);
  const next = (): number => {
    const sum = (((a + b) | 0) + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + sum) | 0;
    return sum >>> 0;
  };
  for (let round = 0; round < 12; round += 1) next();
  return next;
}

/**
 * Gives each new `vm` context a seed of its own. V8 would seed it from the generator that the fork has copied. The flag
 * `--random-seed` must not stay set, or all worker threads would draw equal numbers; so it is set for a moment, in which
 * the context draws its first number. Call once, at any time; it is not part of the hash of code caches.
 */
export function seedNewContexts(): void {
  function createSeededContext(object?: ContextObject, options?: CreateContextOptions): Context {
    const context = createContext(object, options);
    setFlagsFromString(`--random-seed=${1 + (randomBytes(4).readUInt32LE(0) % INT_MAX)}`);
    try {
      runInContext('Math.random()', context);
    } finally {
      setFlagsFromString('--random-seed=0');
    }
    return context;
  }

  vm.createContext = createSeededContext;
  vm.runInNewContext = (code, object, options): unknown => {
    const all = typeof options === 'string' ? { filename: options } : options;
    return runInContext(code, createSeededContext(object, contextOptions(all)), all);
  };
  vm.Script.prototype.runInNewContext = function runInNewContext(object, options): unknown {
    return this.runInContext(createSeededContext(object, contextOptions(options)), options);
  };
}

/** The part of `runInNewContext`'s options that `createContext` takes under other names. */
function contextOptions(options: RunningScriptInNewContextOptions | undefined): CreateContextOptions {
  const result: CreateContextOptions = {};
  if (options?.contextName !== undefined) result.name = options.contextName;
  if (options?.contextOrigin !== undefined) result.origin = options.contextOrigin;
  if (options?.contextCodeGeneration !== undefined) result.codeGeneration = options.contextCodeGeneration;
  if (options?.microtaskMode !== undefined) result.microtaskMode = options.microtaskMode;
  return result;
}
