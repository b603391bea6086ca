import { inspect } from 'node:util';
import type { FailurePayload } from '@hob/contracts/protocol';

const TEXT_LENGTH_MAX = 16 * 1024;
const CAUSES_MAX = 5;

/** What is told of a value that was thrown. */
export interface ErrorReport {
  readonly name: string;
  readonly message: string;
  readonly stack: string;
}

/** The shim's own files: frames in them say nothing to the author of a function. */
const ownFolder = import.meta.dirname;

/**
 * Describes anything that can be thrown. Never throws, not even for a hostile error object; each text is at most 16 Ki
 * characters. The stack has no frames of the shim, and goes on with the error's causes.
 */
export function reportError(error: unknown): ErrorReport {
  try {
    if (!(error instanceof Error) && !looksLikeError(error)) {
      const message = typeof error === 'string' ? error : inspect(error);
      return { name: 'Error', message: cut(message), stack: cut(`Uncaught ${message}`) };
    }
    return { name: cut(String(error.name)), message: cut(String(error.message)), stack: cut(stackWithCauses(error)) };
  } catch {
    return { name: 'Error', message: 'an error that cannot be described', stack: '' };
  }
}

/** The payload of LOAD_FAILED and ERROR for something that was thrown. */
export function failureOf(error: unknown): FailurePayload {
  return { kind: 'threw', ...reportError(error) };
}

/** The payload of LOAD_FAILED and ERROR for something that the shim itself has to say. */
export function refusal(kind: FailurePayload['kind'], name: string, message: string): FailurePayload {
  return { kind, name, message: cut(message), stack: '' };
}

function looksLikeError(value: unknown): value is Error {
  return typeof value === 'object' && value !== null && 'message' in value && 'stack' in value && 'name' in value;
}

function stackWithCauses(error: Error): string {
  let text = ownStack(error);
  let cause = error.cause;
  for (let depth = 0; depth < CAUSES_MAX && cause !== undefined; depth += 1) {
    if (!(cause instanceof Error)) return `${text}\n[cause]: ${inspect(cause)}`;
    text += `\n[cause]: ${ownStack(cause)}`;
    cause = cause.cause;
  }
  return text;
}

function ownStack(error: Error): string {
  // `Error.prepareStackTrace` of the function may have made anything of it.
  const stack = String(error.stack ?? `${error.name}: ${error.message}`);
  const lines = stack.split('\n');
  return lines.filter((line) => !(line.startsWith('    at ') && line.includes(ownFolder))).join('\n');
}

function cut(text: string): string {
  return text.length > TEXT_LENGTH_MAX ? `${text.slice(0, TEXT_LENGTH_MAX - 1)}…` : text;
}
