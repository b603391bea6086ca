/**
 * Packages of very many modules, each made one file for guests: where a processor is emulated, finding and opening a module
 * takes milliseconds, and every process of every test file would do it hundreds of times.
 */
import { join } from 'node:path';
import { build } from 'esbuild';

/** Package → its entries that the repository imports, below the package's folder. */
const packages: Readonly<Record<string, readonly string[]>> = {
  typebox: ['build/index.mjs', 'build/schema/index.mjs', 'build/value/index.mjs'],
};

/** What a guest finds in /share, and the shell lines that put it in the packages' place there. */
export interface OneFilePackages {
  readonly files: ReadonlyMap<string, string>;
  readonly lines: readonly string[];
}

/** @param root the repository's top folder */
export async function oneFilePackages(root: string): Promise<OneFilePackages> {
  const files = new Map<string, string>();
  const lines: string[] = [];
  for (const [name, entries] of Object.entries(packages)) {
    const folder = join(root, 'node_modules', name);
    const { outputFiles } = await build({
      entryPoints: entries.map((entry) => ({ in: join(folder, entry), out: fileName(name, entry) })),
      ...{ bundle: true, splitting: true, format: 'esm', platform: 'node', target: 'node24', write: false },
      ...{ outdir: '/share', outExtension: { '.js': '.mjs' } },
    });
    for (const { path, text } of outputFiles) files.set(path.slice('/share/'.length), text);
    for (const entry of entries) {
      lines.push(`echo "export * from '/share/${fileName(name, entry)}.mjs'" >'${join(folder, entry)}'`);
    }
  }
  return { files, lines };
}

function fileName(name: string, entry: string): string {
  return `${name}-${entry.replace(/\.mjs$/, '').replaceAll('/', '-')}`;
}
