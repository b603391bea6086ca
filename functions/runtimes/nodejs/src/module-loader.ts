import { createRequire, isBuiltin, type ImportAttributes as Attributes } from 'node:module';
import { pathToFileURL } from 'node:url';
import { dirname } from 'node:path';
import vm, { type Module } from 'node:vm';

/** What a module exports: its namespace object. */
export type Namespace = Readonly<Record<string, unknown>>;

/** The code of a function's version. */
export interface Code {
  /** Absolute path inside the container; the file need not exist. */
  readonly filename: string;
  readonly source: string;
}

const builtins = new Map<string, Module>();

/**
 * Runs a function's code as an ES module.
 *
 * @param cache what `makeCodeCache` gave for the same source and the same Node.
 * @returns the module's namespace, after its initialisation, and whether V8 refused the cache.
 * @throws what the code throws: syntax errors, unresolved imports, whatever its top level throws.
 */
export async function loadModule(
  code: Code,
  cache: Uint8Array | undefined,
): Promise<{ readonly namespace: Namespace; readonly cacheRejected: boolean }> {
  const { module, cacheRejected } = compileWithCache(code, cache);
  await module.link((specifier, _referrer, { attributes }) => linked(specifier, code.filename, attributes));
  await module.evaluate();
  return { namespace: module.namespace as Namespace, cacheRejected };
}

/**
 * Makes V8's code cache of a module without running it.
 *
 * @throws SyntaxError
 */
export function makeCodeCache(code: Code): Buffer {
  // Node has it since version 12; the types do not.
  const module = compile(code, undefined) as vm.SourceTextModule & { createCachedData(): Buffer };
  return module.createCachedData();
}

/** Loads builtin modules and makes them importable, so that containers forked later share that work. */
export async function warmBuiltins(names: readonly string[]): Promise<void> {
  for (const name of names) {
    const module = builtin(name);
    await module.link(() => module);
    await module.evaluate();
  }
}

function compileWithCache(
  code: Code,
  cache: Uint8Array | undefined,
): { readonly module: vm.SourceTextModule; readonly cacheRejected: boolean } {
  if (cache === undefined) return { module: compile(code, undefined), cacheRejected: false };
  try {
    return { module: compile(code, cache), cacheRejected: false };
  } catch (error) {
    if (!hasCode(error, 'ERR_VM_MODULE_CACHED_DATA_REJECTED')) throw error;
    return { module: compile(code, undefined), cacheRejected: true };
  }
}

function compile({ filename, source }: Code, cache: Uint8Array | undefined): vm.SourceTextModule {
  const url = pathToFileURL(filename).href;
  const options: vm.SourceTextModuleOptions = {
    identifier: url,
    ...(cache && { cachedData: Buffer.from(cache.buffer, cache.byteOffset, cache.byteLength) }),
    initializeImportMeta: (meta) => {
      meta.url = url;
      meta.filename = filename;
      meta.dirname = dirname(filename);
      meta.resolve = (specifier) => resolve(specifier, filename);
    },
    importModuleDynamically: async (specifier, _referrer, attributes) =>
      importNative(resolve(specifier, filename), attributes),
  };
  return withoutWarnings(() => new vm.SourceTextModule(source, options));
}

/** Node says once in a process that `vm` modules are experimental; that is no news to the author of a function. */
function withoutWarnings<Result>(make: () => Result): Result {
  const { emitWarning } = process;
  process.emitWarning = () => undefined;
  try {
    return make();
  } finally {
    process.emitWarning = emitWarning;
  }
}

async function linked(specifier: string, from: string, attributes: Attributes): Promise<Module> {
  if (isBuiltin(specifier)) return builtin(specifier);
  return wrap(specifier, await importNative(resolve(specifier, from), attributes));
}

/** Imports something else than the bundle itself: a builtin module, or a file that is in the root filesystem. */
async function importNative(url: string, attributes: Attributes) {
  const options = { with: { ...attributes } as ImportAttributes };
  return import(url, options);
}

/** @returns the URL that `specifier` means in the file `from`. @throws when there is no such package. */
function resolve(specifier: string, from: string): string {
  if (isBuiltin(specifier)) return specifier.startsWith('node:') ? specifier : `node:${specifier}`;
  if (/^\.{0,2}\//.test(specifier)) return new URL(specifier, pathToFileURL(from)).href;
  if (URL.canParse(specifier)) return specifier;
  return pathToFileURL(createRequire(from).resolve(specifier)).href;
}

function builtin(specifier: string): Module {
  const name = specifier.replace(/^node:/, '');
  const known = builtins.get(name);
  if (known) return known;
  const exports: unknown = process.getBuiltinModule(specifier);
  const module = wrap(specifier, { ...(exports as object), default: exports });
  builtins.set(name, module);
  return module;
}

function wrap(identifier: string, namespace: Namespace): Module {
  const names = Object.keys(namespace);
  const setExports = (): void => {
    for (const name of names) module.setExport(name, namespace[name]);
  };
  const module = withoutWarnings(() => new vm.SyntheticModule(names, setExports, { identifier }));
  return module;
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
