import { fail } from '@hob/contracts';

const name = '[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?';
const nameForm = new RegExp(`^${name}$`);
const targetForm = new RegExp(`^${name}(?:@(?:[1-9][0-9]{0,9}|${name}))?$`);

/** Whether a text can be the name of a function. */
export function isFunctionName(text: string): boolean {
  return nameForm.test(text);
}

/** Checks a function's name that was given on the command line. @throws ERR_CLI_USAGE */
export function functionName(text: string): string {
  if (isFunctionName(text)) return text;
  throw fail('ERR_CLI_USAGE', [`"${text}" is no function name: lower-case letters, digits and hyphens`]);
}

/** Checks a schedule's name that was given on the command line. @throws ERR_CLI_USAGE */
export function scheduleName(text: string): string {
  if (nameForm.test(text)) return text;
  throw fail('ERR_CLI_USAGE', [`"${text}" is no name of a schedule: lower-case letters, digits and hyphens`]);
}

/** Checks a `name`, `name@version` or `name@alias` that was given on the command line. @throws ERR_CLI_USAGE */
export function functionTarget(text: string): string {
  if (targetForm.test(text)) return text;
  throw fail('ERR_CLI_USAGE', [`"${text}" is neither a function name nor name@version nor name@alias`]);
}
