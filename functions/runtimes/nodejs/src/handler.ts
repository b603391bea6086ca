import type { Namespace } from './module-loader.ts';

/** What a function is called with, in one of its two forms. */
export type Handler =
  /** `handler(event, context)`: JSON in, JSON out. */
  | { readonly takes: 'event'; readonly call: (event: unknown, context: object) => unknown }
  /** Web standard: a Request in, a Response out. */
  | { readonly takes: 'request'; readonly call: (request: Request, context: object) => unknown };

type AnyFunction = (...args: unknown[]) => unknown;

const HELP =
  'it must export one of: "export default { fetch(request, env, ctx) }", "export default (request, ctx) => Response", ' +
  '"export const handler = async (event, context) => result"';

/**
 * Finds the handler among a module's exports: `handler`, then `default.fetch`, then `default` itself. For a module that
 * was CommonJS these may also be properties of its `module.exports`.
 *
 * @param env what a `fetch` handler gets as its environment.
 * @returns the handler, or the reason why there is none.
 */
export function findHandler(exports: Namespace, env: Readonly<Record<string, string>>): Handler | string {
  const candidates = [exports, exports['default']];
  for (const candidate of candidates) {
    const handler = member(candidate, 'handler');
    if (handler) return { takes: 'event', call: (event, context) => handler.call(candidate, event, context) };
  }
  for (const candidate of [exports['default'], property(exports['default'], 'default')]) {
    if (member(candidate, 'fetch')) {
      const app = candidate as { fetch: AnyFunction };
      return { takes: 'request', call: (request, context) => app.fetch(request, env, context) };
    }
    if (typeof candidate !== 'function') continue;
    if (isClass(candidate)) return `the default export is a class, not an instance of it; ${HELP}`;
    const call = candidate as AnyFunction;
    return { takes: 'request', call: (request, context) => call(request, context) };
  }
  const names = Object.keys(exports);
  return `${names.length === 0 ? 'the module exports nothing' : `the module exports ${names.join(', ')}`}; ${HELP}`;
}

function property(value: unknown, name: string): unknown {
  return (typeof value === 'object' && value !== null) || typeof value === 'function'
    ? Reflect.get(value, name)
    : undefined;
}

function member(value: unknown, name: string): AnyFunction | undefined {
  const found = property(value, name);
  return typeof found === 'function' ? (found as AnyFunction) : undefined;
}

function isClass(value: object): boolean {
  return Function.prototype.toString.call(value).startsWith('class');
}
