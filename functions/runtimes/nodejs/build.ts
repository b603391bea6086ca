import { build } from 'esbuild';

/**
 * Globals that the bundle takes hold of when it is loaded, before any function runs: a function that replaces or deletes
 * one of them does not break the shim with it.
 */
const capturedGlobals = [
  ...['AbortController', 'Array', 'Atomics', 'Buffer', 'DOMException', 'Date', 'Error', 'Headers', 'Int32Array'],
  ...['JSON', 'Map', 'Math', 'Number', 'Object', 'Promise', 'Proxy', 'ReadableStream', 'Reflect', 'Set'],
  ...['SharedArrayBuffer', 'String', 'TextDecoder', 'TypeError', 'URL', 'Uint8Array', 'clearTimeout', 'process'],
  ...['setInterval', 'setTimeout'],
];

/**
 * Bundles a program that contains the shim into one CommonJS file, as a zygote loads it.
 *
 * @param entry absolute path of its TypeScript file.
 * @param outfile absolute path of the file to write.
 */
export async function bundle(entry: string, outfile: string): Promise<void> {
  await build({
    entryPoints: [entry],
    outfile,
    bundle: true,
    format: 'cjs',
    platform: 'node',
    target: 'node24',
    charset: 'utf8',
    conditions: ['@hob/source'],
    // It finds its native part relative to its own file.
    external: ['koffi'],
    define: { 'import.meta.dirname': '__dirname', 'import.meta.url': 'importMetaUrl' },
    banner: {
      js: [
        "'use strict';",
        // `Headers` brings undici, of which little runs: only that is compiled. See runtimeFlags in the scheduler.
        "const { setFlagsFromString: setV8Flag } = require('node:v8');",
        "setV8Flag('--lazy'); void globalThis.Headers; setV8Flag('--no-lazy');",
        `const { ${capturedGlobals.join(', ')} } = globalThis;`,
        "const importMetaUrl = require('node:url').pathToFileURL(__filename).href;",
      ].join('\n'),
    },
    logLevel: 'warning',
    // The import of a name that is known only when a function runs is meant to stay as it is.
    logOverride: { 'unsupported-dynamic-import': 'silent' },
  });
}

if (import.meta.main) {
  await bundle(`${import.meta.dirname}/src/zygote.ts`, `${import.meta.dirname}/dist/zygote.cjs`);
}
