/** The version of all data below, a whole number; without it, the data is of version 0. */
export const DATA_VERSION_KEY = 'hob:data-version';
/** Hash: name of a function → 0. A function exists when it is in here. In data of version 0: → the number of its live version. */
export const FUNCTIONS_KEY = 'hob:functions';
/** Hash: name → the last version number that was given, also for functions that are gone: no number is used twice. */
export const COUNTERS_KEY = 'hob:counters';

/** Hash: version number → what was deployed, as JSON. */
export function versionsKey(functionName: string): string {
  return `hob:versions:${functionName}`;
}

/** Hash: name of an alias → what it names, as JSON. */
export function aliasesKey(functionName: string): string {
  return `hob:aliases:${functionName}`;
}

/** Stream of a function's output. */
export function logsKey(functionName: string): string {
  return `hob:logs:${functionName}`;
}

/** Hash: `<function>/<secret>` → the encrypted secret, as JSON. */
export const SECRETS_KEY = 'hob:secrets';
/** A known text, encrypted with the key of the secrets. */
export const SECRET_CHECK_KEY = 'hob:secret-check';
