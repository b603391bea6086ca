/**
 * What consists of very many modules, made of few for guests: where a processor is emulated, finding and opening a module takes
 * milliseconds, and every process would do it a thousand times.
 */
import { basename, join } from 'node:path';
import { build, type BuildOptions } from 'esbuild';

/** Package → its entries that the repository imports, below the package's folder. */
const packages: Readonly<Record<string, readonly string[]>> = {
  typebox: ['build/index.mjs', 'build/schema/index.mjs', 'build/value/index.mjs'],
};

/** The built `hob`, and what must stay where it is because it has files beside it, or is not JavaScript alone. */
const program = 'services/cli/dist/main.js';
const apart = ['@hob/native', '@hob/runtime-nodejs', 'koffi', 'esbuild', 'jsonc-parser'];
const PROGRAM_PREFIX = 'hob--';
/** For packages that are no ES modules. */
const banner =
  "import { createRequire as requireFrom } from 'node:module'; const require = requireFrom(import.meta.url);";

const options = {
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node24',
  write: false,
  outdir: '/share',
} as const satisfies BuildOptions;

/** What a guest finds in /share, and the shell lines that put it in its place there. */
export interface FewModules {
  readonly files: ReadonlyMap<string, string>;
  readonly lines: readonly string[];
}

/** @param root the repository's top folder, which must be built */
export async function fewModules(root: string): Promise<FewModules> {
  const files = new Map<string, string>();
  const lines: string[] = [];
  for (const [name, entries] of Object.entries(packages)) {
    const folder = join(root, 'node_modules', name);
    const { outputFiles } = await build({
      ...{ ...options, outExtension: { '.js': '.mjs' } },
      entryPoints: entries.map((entry) => ({ in: join(folder, entry), out: fileName(name, entry) })),
    });
    for (const { path, text } of outputFiles) files.set(basename(path), text);
    for (const entry of entries) {
      lines.push(`echo "export * from '/share/${fileName(name, entry)}.mjs'" >'${join(folder, entry)}'`);
    }
  }
  const { outputFiles } = await build({
    ...{ ...options, banner: { js: banner }, external: apart, logLevel: 'error' },
    entryPoints: [join(root, program)],
  });
  for (const { path, text } of outputFiles) files.set(`${PROGRAM_PREFIX}${basename(path)}`, text);
  const to = join(root, program, '..');
  lines.push(`for file in /share/${PROGRAM_PREFIX}*; do cp "$file" "${to}/\${file#/share/${PROGRAM_PREFIX}}"; done`);
  return { files, lines };
}

function fileName(name: string, entry: string): string {
  return `${name}-${entry.replace(/\.mjs$/, '').replaceAll('/', '-')}`;
}
