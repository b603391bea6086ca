import { homedir } from 'node:os';
import { join } from 'node:path';

/** The environment as the process got it. Only `main.ts` reads `process.env`. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** A variable's value; one that is set to nothing counts as not set. */
export function variable(env: Environment, name: string): string | undefined {
  const value = env[name];
  return value === '' ? undefined : value;
}

/** Whether errors are shown with their stacks. */
export function debugging(env: Environment): boolean {
  return variable(env, 'HOB_DEBUG') === '1';
}

/** The operator's own folder for hob: `$XDG_CONFIG_HOME/hob`, else `~/.config/hob`. */
export function operatorFolder(env: Environment): string {
  const config = variable(env, 'XDG_CONFIG_HOME') ?? join(variable(env, 'HOME') ?? homedir(), '.config');
  return join(config, 'hob');
}
