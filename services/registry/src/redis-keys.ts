import type { RedisTarget } from '@hob/redis';

/** The keys of the functions in one Redis. */
export interface RegistryKeys {
  /** The version of all data below, a whole number; without it, the data is of version 0. */
  readonly dataVersion: string;
  /** Hash: name of a function → 0. A function exists when it is in here. In data of version 0: → the number of its live version. */
  readonly functions: string;
  /** Hash: name → the last version number that was given, also for functions that are gone: no number is used twice. */
  readonly counters: string;
  /** Hash: `<function>/<secret>` → the encrypted secret, as JSON. */
  readonly secrets: string;
  /** A known text, encrypted with the key of the secrets. */
  readonly secretCheck: string;
  /** Names the key that the secrets are encrypted with. */
  readonly secretKeyId: string;
  /** Hash: version number → what was deployed, as JSON. */
  versions(functionName: string): string;
  /** Hash: name of an alias → what it names, as JSON. */
  aliases(functionName: string): string;
  /** Stream of a function's output. */
  logs(functionName: string): string;
}

export function registryKeys(redis: RedisTarget): RegistryKeys {
  return {
    dataVersion: redis.key('data-version'),
    functions: redis.key('functions'),
    counters: redis.key('counters'),
    secrets: redis.key('secrets'),
    secretCheck: redis.key('secret-check'),
    secretKeyId: redis.key('secret-key-id'),
    versions: (functionName) => redis.key(`versions:${functionName}`),
    aliases: (functionName) => redis.key(`aliases:${functionName}`),
    logs: (functionName) => redis.key(`logs:${functionName}`),
  };
}
