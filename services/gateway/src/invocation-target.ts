/** Where a request to a function goes. */
export interface InvocationTarget {
  readonly name: string;
  /** The number of a version or the name of an alias; undefined for the live version. */
  readonly qualifier: number | string | undefined;
  /** What was cut off in front: `/fn/<name>` or `/fn/<name>@<version or alias>`. */
  readonly prefix: string;
  /** Path and query as the function sees them; begins with `/`. */
  readonly path: string;
}

/** Every request to a function begins with this. */
export const FUNCTION_PREFIX = '/fn/';

const NAME_CHARS_MAX = 63;
/** More digits than any version can have, fewer than a number can hold. */
const VERSION_DIGITS_MAX = 12;

const SLASH = 47;
const QUESTION = 63;
const AT = 64;
const HYPHEN = 45;

const isLetter = (code: number): boolean => code >= 97 && code <= 122;
const isDigit = (code: number): boolean => code >= 48 && code <= 57;

/** Index of the first `/` or `?` from `start`, or the length. */
function segmentEnd(url: string, start: number): number {
  for (let at = start; at < url.length; at++) {
    const code = url.charCodeAt(at);
    if (code === SLASH || code === QUESTION) return at;
  }
  return url.length;
}

/** Index behind the name that begins at `start`, or -1 when there is none: the rule of `name` in hob.json. */
function nameEnd(url: string, start: number, end: number): number {
  if (start >= end || !isLetter(url.charCodeAt(start))) return -1;
  let at = start + 1;
  for (; at < end; at++) {
    const code = url.charCodeAt(at);
    if (code === AT) break;
    if (!isLetter(code) && !isDigit(code) && code !== HYPHEN) return -1;
  }
  if (at - start > NAME_CHARS_MAX || url.charCodeAt(at - 1) === HYPHEN) return -1;
  return at;
}

/** The number between `start` and `end`, or -1 when it is not a decimal number from 1 without leading zeros. */
function versionOf(url: string, start: number, end: number): number {
  if (start >= end || end - start > VERSION_DIGITS_MAX || url.charCodeAt(start) === 48) return -1;
  let version = 0;
  for (let at = start; at < end; at++) {
    const code = url.charCodeAt(at);
    if (!isDigit(code)) return -1;
    version = version * 10 + (code - 48);
  }
  return version;
}

/** The version or alias between `start` and `end`, or undefined when it is neither. */
function qualifierOf(url: string, start: number, end: number): number | string | undefined {
  const version = versionOf(url, start, end);
  if (version !== -1) return version;
  // The names of aliases have the form of those of functions.
  return nameEnd(url, start, end) === end ? url.slice(start, end) : undefined;
}

/** The rest of the URL as a path, without a fragment: that is nothing a server should ever get. */
function pathFrom(url: string, start: number): string {
  const fragment = url.indexOf('#', start);
  const rest = fragment === -1 ? url.slice(start) : url.slice(start, fragment);
  return rest.charCodeAt(0) === SLASH ? rest : `/${rest}`;
}

/**
 * Takes a raw request URL apart: `/fn/<name>[@<version or alias>][/rest][?query]`. Nothing is decoded: what is
 * written with percent signs is no name.
 *
 * @param url begins with FUNCTION_PREFIX.
 * @returns undefined when the name, the version or the alias cannot exist.
 */
export function parseInvocationTarget(url: string): InvocationTarget | undefined {
  const start = FUNCTION_PREFIX.length;
  const end = segmentEnd(url, start);
  const behindName = nameEnd(url, start, end);
  if (behindName === -1) return undefined;
  const qualifier = behindName === end ? undefined : qualifierOf(url, behindName + 1, end);
  if (qualifier === undefined && behindName !== end) return undefined;
  return { name: url.slice(start, behindName), qualifier, prefix: url.slice(0, end), path: pathFrom(url, end) };
}
