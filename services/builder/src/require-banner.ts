import { fail } from '@hob/contracts';

/**
 * The start of the function that esbuild adds to code that calls `require` for more than it could bundle (Node's own
 * modules, names that are made at run time): it looks for a `require` around it, which an ES module does not have.
 */
const requireHelper = /^(?:var|const|let) __require ?= .{0,60}typeof require\b/m;

/** Code and its source map. */
export interface MappedCode {
  readonly code: string;
  /** JSON. */
  readonly map: string;
}

/** Gives bundled code a `require` when, and only when, it needs one. */
export function withRequire({ code, map }: MappedCode): MappedCode {
  if (!requireHelper.test(code)) return { code, map };
  const parsed = JSON.parse(map) as { mappings?: unknown };
  if (typeof parsed.mappings !== 'string') throw fail('ERR_BUILD_FAILED', ['esbuild made no source map']);
  let createRequire = '__createRequire';
  while (code.includes(createRequire)) createRequire += '_';
  // The name `require` is free: where the helper is, esbuild gives what the code itself calls so another name.
  const banner =
    `import { createRequire as ${createRequire} } from 'node:module'; ` +
    `const require = ${createRequire}(import.meta.url);`;
  // One line more before all others: a semicolon ends the mappings of a line.
  return { code: `${banner}\n${code}`, map: JSON.stringify({ ...parsed, mappings: `;${parsed.mappings}` }) };
}
