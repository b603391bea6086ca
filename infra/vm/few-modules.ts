/**
 * What consists of very many modules, made of few for guests: where a processor is emulated, finding and opening a module takes
 * tens of milliseconds, and every process would do it hundreds of times.
 */
import { readFileSync } from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build as bundle, type BuildOptions, type Plugin } from 'esbuild';

/** The built `hob`, and what must stay where it is because it has files beside it, or is not JavaScript alone. */
const program = 'services/cli/dist/main.js';
const apart = ['koffi', 'esbuild', 'jsonc-parser'];
/** Where a guest finds it, in one folder to be copied at once: a process takes a tenth of a second to start there. */
const PROGRAM = 'program';
/** Where a guest has the test files, below the repository's top folder: from there they find the packages that stay apart. */
const TESTS = '.hob/vm/tests';
/** What test files start as processes. */
const processes = ['test/vm/cgroup-v2/driver-process.ts'];
/** For packages that are no ES modules. */
const banner =
  "import { createRequire as requireFrom } from 'node:module'; const require = requireFrom(import.meta.url);";

const options = {
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node24',
  banner: { js: banner },
  logLevel: 'error',
  write: false,
} as const satisfies BuildOptions;

/** What a guest finds in /share, and the shell lines that put it in its place there. */
export interface FewModules {
  readonly files: ReadonlyMap<string, string>;
  readonly lines: readonly string[];
}

/** `hob` itself. @param root the repository's top folder, which must be built */
export async function programOfFewModules(root: string): Promise<FewModules> {
  const { outputFiles } = await bundle({
    ...{ ...options, outdir: '/share', external: [...apart, '@hob/native', '@hob/runtime-nodejs'] },
    entryPoints: [join(root, program)],
  });
  const files = new Map(outputFiles.map(({ path, text }) => [join(PROGRAM, basename(path)), text]));
  return { files, lines: [`cp -r /share/${PROGRAM}/. '${join(root, program, '..')}'`] };
}

/**
 * Test files. In them each module still has the place of its source.
 *
 * @param root the repository's top folder
 * @param files relative to it
 * @returns also the files to be run in their place, relative to `root` as well
 */
export async function testsOfFewModules(
  root: string,
  files: readonly string[],
): Promise<FewModules & { readonly tests: readonly string[] }> {
  const outdir = join(root, TESTS);
  const { outputFiles } = await bundle({
    ...{ ...options, outdir, outbase: root, external: apart, outExtension: { '.js': '.mjs' } },
    ...{ conditions: ['@hob/source'], plugins: [placesOfSources] },
    entryPoints: [...files, ...processes].map((file) => join(root, file)),
  });
  return {
    files: new Map(outputFiles.map(({ path, text }) => [join('tests', relative(outdir, path)), text])),
    lines: [
      `mkdir -p '${outdir}' && cp -r /share/tests/. '${outdir}'`,
      ...processes.map((file) => `echo "import '${join(root, madeOf(file))}'" >'${join(root, file)}'`),
    ],
    tests: files.map(madeOf),
  };
}

function madeOf(file: string): string {
  return join(TESTS, file.replace(/\.ts$/, '.mjs'));
}

const placesOfSources: Plugin = {
  name: 'places-of-sources',
  setup(build) {
    build.onLoad({ filter: /\.ts$/ }, ({ path }) => {
      const text = readFileSync(path, 'utf8')
        .replaceAll('import.meta.dirname', JSON.stringify(dirname(path)))
        .replaceAll('import.meta.filename', JSON.stringify(path))
        .replaceAll('import.meta.url', JSON.stringify(pathToFileURL(path).href));
      return { contents: text, loader: 'ts' };
    });
  },
};
