import { setServers } from 'node:dns';
import { createRequire } from 'node:module';
import { NAME_SERVERS } from '@hob/contracts/protocol';
import { installClocks } from './clocks.ts';
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
 * Prepares in the zygote what is the same in all its containers: generators that seed themselves when they are first
 * used, clocks, ids, arguments, paths, environment. `crypto.randomUUID` and `crypto.randomInt` keep caches that nothing
 * can empty, and `Math.random` its seed: after this call no zygote may draw from any of them.
 *
 * @param pid what the forked processes will be, as they see it.
 */
export function prepareProcess(pid: number): void {
  seedMathRandom();
  seedNewContexts();
  installClocks();
  Object.defineProperty(process, 'pid', { value: pid, configurable: true, enumerable: true, writable: false });
  process.argv = [NODE_PATH, `${TASK_FOLDER}/index.mjs`];
  process.execPath = NODE_PATH;
  process.execArgv = [];
  process.exitCode = undefined;
  Reflect.deleteProperty(process, 'mainModule');
  Reflect.deleteProperty(globalThis, 'gc');
  Object.assign(process.env, runtimeEnv); // a time zone takes long to set
}

/** Forgets what was loaded by `require`: a function would find the zygote's own modules there. */
export function emptyModuleCache(): void {
  const { cache } = createRequire(TASK_FOLDER);
  for (const file of Object.keys(cache)) Reflect.deleteProperty(cache, file);
}

/** `dns.resolve` has read the host's resolv.conf when the zygote started. Functions are to see and ask hob's name server. */
export function useOwnNameServers(): void {
  setServers(NAME_SERVERS);
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

/** Makes the function's folder the working directory. After a claim, as the folder may be mounted only then. */
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
