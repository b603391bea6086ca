/** Hash: name of a function → number of its live version. A function exists when it is in here. */
export const FUNCTIONS_KEY = 'hob:functions';
/** Hash: name → the last version number that was given, also for functions that are gone: no number is used twice. */
export const COUNTERS_KEY = 'hob:counters';

/** Hash: version number → what was deployed, as JSON. */
export function versionsKey(functionName: string): string {
  return `hob:versions:${functionName}`;
}

/** Stream of a function's output. */
export function logsKey(functionName: string): string {
  return `hob:logs:${functionName}`;
}
