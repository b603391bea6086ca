import { readlinkSync } from 'node:fs';
import { createRequire } from 'node:module';
import { restartClocks } from './clocks.ts';
import { seedMathRandom, seedNewContexts } from './random.ts';

const NODE_PATH = '/usr/local/bin/node';
const TASK_FOLDER = '/var/task';
const FALLBACK_FOLDER = '/tmp';

/** What every function finds in its environment, unless its own configuration says otherwise. */
const runtimeEnv: Readonly<Record<string, string>> = {
  PATH: '/usr/local/bin:/usr/bin:/bin',
  HOME: '/tmp',
  TMPDIR: '/tmp',
  LANG: 'C.UTF-8',
  TZ: 'UTC',
};

/**
 * Makes fresh what a forked process has inherited from its zygote: random numbers, process ids, clocks, environment,
 * working directory, arguments. Call it in the child, once it is in its container and before any code of
 * a function. `crypto.randomUUID` and `crypto.randomInt` keep caches that nothing can empty: no zygote may call them.
 */
export function refreshAfterFork(): void {
  seedMathRandom();
  seedNewContexts();
  restartClocks();
  Object.defineProperty(process, 'pid', { value: ownPid(), configurable: true, enumerable: true, writable: false });
  process.title = 'node';
  process.argv = [NODE_PATH, `${TASK_FOLDER}/index.mjs`];
  process.execPath = NODE_PATH;
  process.execArgv = [];
  process.exitCode = undefined;
  Reflect.deleteProperty(process, 'mainModule');
  Reflect.deleteProperty(globalThis, 'gc');
  setEnvironment({});
  enterTaskFolder();
}

/** Forgets what was loaded by `require`: a function would find the zygote's own modules there. */
export function emptyModuleCache(): void {
  const { cache } = createRequire(TASK_FOLDER);
  for (const file of Object.keys(cache)) Reflect.deleteProperty(cache, file);
}

/** Sets what every function finds in its environment, so that a fork inherits it: a time zone takes long to set. */
export function addRuntimeEnvironment(): void {
  Object.assign(process.env, runtimeEnv);
}

/** Replaces the environment by what every function finds there, and `env` over that. A new TZ counts from now on. */
export function setEnvironment(env: Readonly<Record<string, string>>): void {
  // The object itself stays: it is the process's real environment, which child processes and the time zone read.
  const wanted: Readonly<Record<string, string>> = { ...runtimeEnv, ...env };
  for (const name of Object.keys(process.env)) {
    if (!Object.hasOwn(wanted, name)) Reflect.deleteProperty(process.env, name);
  }
  for (const [name, value] of Object.entries(wanted)) {
    // Setting TZ, even to what it is, makes V8 and ICU look up the time zone again.
    if (process.env[name] !== value) process.env[name] = value;
  }
}

/** Makes the function's folder the working directory. Again after a claim, as the folder may be mounted only then. */
export function enterTaskFolder(): void {
  for (const folder of [TASK_FOLDER, FALLBACK_FOLDER]) {
    try {
      process.chdir(folder);
      return;
    } catch {
      // Not there: a function without assets has no folder of its own.
    }
  }
}

function ownPid(): number {
  try {
    // The process ids of the proc file system are those of the container, and `self` is never cached.
    return Number(readlinkSync('/proc/self'));
  } catch {
    return process.pid;
  }
}
