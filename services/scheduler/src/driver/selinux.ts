import { readFile, writeFile } from 'node:fs/promises';
import type { LsmState } from './confinement.ts';
import { runLoader } from './loader.ts';

/** The types in native/profiles/selinux.cil. */
const PROCESS_TYPE = 'hob_container_t';
const SCRATCH_TYPE = 'hob_scratch_t';
const ROOT_TYPE = 'hob_root_t';

const ENFORCE = '/sys/fs/selinux/enforce';
const CONTEXT = '/sys/fs/selinux/context';

/**
 * A pair of categories, another one for each number below 523,776: what has one pair cannot touch what has another.
 *
 * @param number from 0.
 */
export function categoryPair(number: number): string {
  // Row by row through the triangle of all pairs: (0,1), (0,2), (1,2), (0,3), …
  const high = Math.floor((1 + Math.sqrt(1 + 8 * number)) / 2);
  const low = number - (high * (high - 1)) / 2;
  return `c${low},c${high}`;
}

/**
 * Loads hob's SELinux policy, where SELinux is in force and does not have it, and labels files.
 *
 * @param path of the policy module.
 * @param folders what containers may read.
 */
export async function openSelinux(path: string, folders: readonly string[]): Promise<LsmState> {
  const enforce = await readFile(ENFORCE, 'utf8').catch(() => undefined);
  if (enforce === undefined) return undefined;
  // A context is user:role:type:level. User and role stay what they are: a policy lets few programs change them.
  const [user, role] = (await readFile('/proc/self/attr/current', 'utf8')).split(':');
  const context = (type: string, pair: string): string => `${user}:${role}:${type}:s0:${pair}`;
  const known = (): Promise<boolean> => isValid(context(PROCESS_TYPE, categoryPair(0)));
  const problem = (await known()) ? undefined : await runLoader('semodule', ['--install', path]);
  if (problem !== undefined || !(await known())) {
    const why = problem ?? `it does not allow ${user} in the role ${role} to run containers`;
    return { lack: `SELinux is in force, but its policy module for containers cannot be loaded: ${why}` };
  }
  for (const folder of folders) {
    const why = await label(folder);
    if (why !== undefined) return { lack: `SELinux is in force, but ${folder} cannot be labelled: ${why}` };
  }
  return {
    labels: (number) => {
      const pair = categoryPair(number);
      return {
        selinuxContext: context(PROCESS_TYPE, pair),
        selinuxFiles: `${user}:object_r:${SCRATCH_TYPE}:s0:${pair}`,
      };
    },
  };
}

/** Asks the kernel whether its policy has a context. */
async function isValid(context: string): Promise<boolean> {
  return writeFile(CONTEXT, context).then(
    () => true,
    () => false,
  );
}

/** @returns what went wrong, in words. */
function label(folder: string): Promise<string | undefined> {
  return runLoader('chcon', ['--recursive', '--no-dereference', '--type', ROOT_TYPE, folder]);
}
