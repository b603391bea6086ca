import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { SourceMap, type SourceMapPayload } from 'node:module';
import { join } from 'node:path';
import { test } from 'node:test';
import { checkFunctionConfig } from '@hob/contracts';
import { build, type BuiltBundle } from '../src/index.ts';
import { call, load, Workshop } from './support/function-folder.ts';

const packages = {
  'node_modules/esm-only/package.json': '{"name":"esm-only","type":"module","exports":"./main.js"}',
  'node_modules/esm-only/main.js': 'export const shout = (text) => `${text}!`; export const unused = "NOT USED";',
  'node_modules/old/package.json': '{"name":"old","main":"lib"}',
  'node_modules/old/lib/index.js':
    "const { sep } = require('path');\nmodule.exports = { sep, part: require('./part') };",
  'node_modules/old/lib/part.js':
    'exports.twice = (n) => 2 * n; exports.file = __filename; exports.folder = __dirname;',
};

/** Where in the sources the first `marker` of the bundled code comes from; lines count from 1. */
async function originOf(
  bundle: BuiltBundle,
  marker: string,
): Promise<{ readonly source: string; readonly line: number }> {
  const lines = (await readFile(join(bundle.folder, 'index.mjs'), 'utf8')).split('\n');
  const line = lines.findIndex((text) => text.includes(marker));
  const column = lines[line]?.indexOf(marker) ?? -1;
  assert.ok(line >= 0, `no ${marker}`);
  const map = JSON.parse(await readFile(join(bundle.folder, 'index.mjs.map'), 'utf8')) as SourceMapPayload;
  const entry = new SourceMap(map).findEntry(line, column);
  assert.ok('originalLine' in entry);
  return { source: entry.originalSource, line: entry.originalLine + 1 };
}

test('build bundles TypeScript with its packages into one file that runs by itself', async () => {
  await using workshop = await Workshop.open();
  await using bundle = await workshop.build({
    ...packages,
    'index.ts': `import { readFileSync } from 'node:fs';
      import { EOL } from 'os';
      import { shout } from 'esm-only';
      import old from 'old';
      import { name, type Name } from './src/name.ts';
      export default (): unknown => [shout(name as Name), old.part.twice(21), old.sep, typeof readFileSync, EOL];`,
    'src/name.ts': "export type Name = string; export const name: Name = 'hob';",
  });
  assert.deepEqual(await call(bundle), ['hob!', 42, '/', 'function', '\n']);
  assert.deepEqual(await readdir(bundle.folder), ['index.mjs', 'index.mjs.map']);
  assert.deepEqual(bundle.exports, ['default']);
  assert.deepEqual(bundle.warnings, []);
  assert.doesNotMatch(await readFile(join(bundle.folder, 'index.mjs'), 'utf8'), /NOT USED/);
});

test('build lists every file with its size and hash, and gives the same files', async () => {
  await using workshop = await Workshop.open();
  await using bundle = await workshop.build(
    { 'index.ts': 'export const handler = () => 1;', 'data/ä.txt': 'ä'.repeat(100_000) },
    { assets: ['data'] },
  );
  const seen = [];
  for await (const { path, content } of bundle.files()) {
    const hash = createHash('sha256');
    let bytes = 0;
    for await (const chunk of content) {
      hash.update(chunk);
      bytes += chunk.byteLength;
    }
    seen.push({ path, bytes, sha256: hash.digest('hex') });
  }
  assert.deepEqual(seen, bundle.manifest.files);
  assert.deepEqual(
    seen.map(({ path }) => path),
    ['data/ä.txt', 'index.mjs', 'index.mjs.map'],
  );
  assert.deepEqual(bundle.exports, ['handler']);
});

test('build gives an equal digest for equal input in another folder, and another one for other input', async () => {
  await using workshop = await Workshop.open();
  const files = {
    ...packages,
    'index.ts': `import old from 'old'; import './logo.png'; import logo from './logo.png';
      export default () => [old, logo, __dirname, import.meta.url];`,
    'logo.png': 'png',
    'data/a': 'a',
    'data/b/c': 'c',
  };
  const config = checkFunctionConfig({ name: 'fn', assets: ['data'] });
  const first = await workshop.folder('first', files);
  const second = await workshop.folder('deeper/and deeper/second', files);
  const third = await workshop.folder('third', { ...files, 'data/b/c': 'd' });
  await using one = await build(first, config);
  await using two = await build(second, config);
  await using three = await build(third, config);
  assert.deepEqual(two.manifest, one.manifest);
  assert.equal(two.digest, one.digest);
  assert.notEqual(three.digest, one.digest);
  for (const name of ['index.mjs', 'index.mjs.map']) {
    const text = await readFile(join(one.folder, name), 'utf8');
    assert.ok(!text.includes(workshop.path), `${name} tells where it was built`);
  }
});

test('build gives an equal digest when the same folder is built again and when other names lead to it', async () => {
  await using workshop = await Workshop.open();
  const files = { ...packages, 'index.ts': "import old from 'old'; export default () => old;" };
  await using first = await workshop.build(files);
  await using second = await workshop.build(files, { entry: './index.ts' });
  assert.equal(second.digest, first.digest);
});

test('build gives CommonJS code its require, __filename and __dirname', async () => {
  await using workshop = await Workshop.open();
  await using bundle = await workshop.build({
    ...packages,
    'index.ts': "import old from 'old'; import dynamic from './dynamic.cjs'; export default () => [old.part, dynamic];",
    'dynamic.cjs': `const name = ['cry', 'pto'].join('');
      let missing; try { require('is-not-there'); } catch (error) { missing = error.code; }
      module.exports = [typeof require(name).createHash, typeof require.resolve, missing];`,
  });
  const [part, dynamic] = (await call(bundle)) as [{ file: string; folder: string }, unknown];
  assert.equal(part.file, join(bundle.folder, 'index.mjs'));
  assert.equal(part.folder, bundle.folder);
  assert.deepEqual(dynamic, ['function', 'function', 'MODULE_NOT_FOUND']);
});

test('build lets code declare require, __filename and __dirname itself, beside CommonJS code that gets them', async () => {
  await using workshop = await Workshop.open();
  const own = `import { createRequire } from 'node:module';
    import { dirname } from 'node:path';
    import { fileURLToPath } from 'node:url';
    const require = createRequire(import.meta.url);
    const __filename = fileURLToPath(import.meta.url);
    const __dirname = dirname(__filename);
    const __createRequire = 'mine';`;
  const answer = "[typeof require('node:fs').readFileSync, __filename, __dirname, __createRequire]";
  for (const [name, source] of [
    ['alone', `${own}\nexport default () => ${answer};`],
    ['beside', `${own}\nimport old from 'old';\nexport default () => { void old; return ${answer}; };`],
  ] as const) {
    const folder = await workshop.folder(name, {
      ...packages,
      'index.js': source,
      'package.json': '{"type":"module"}',
    });
    await using bundle = await build(folder, checkFunctionConfig({ name: 'fn', entry: 'index.js' }));
    assert.deepEqual(await call(bundle), ['function', join(bundle.folder, 'index.mjs'), bundle.folder, 'mine'], name);
  }
});

test('build makes the type of package.json count', async () => {
  await using workshop = await Workshop.open();
  await using common = await workshop.build({ 'index.js': 'exports.handler = () => 1;' }, { entry: 'index.js' });
  assert.equal(typeof ((await load(common))['default'] as { handler: unknown }).handler, 'function');
  const interop = {
    'index.js': "import old from './old.cjs'; export default () => old.default ?? old;",
    'old.cjs': 'exports.__esModule = true; exports.default = 1;',
  };
  for (const [type, seen] of [
    ['module', 1],
    ['commonjs', 1],
  ] as const) {
    const folder = await workshop.folder(type, { ...interop, 'package.json': JSON.stringify({ type }) });
    await using bundle = await build(folder, checkFunctionConfig({ name: 'fn', entry: 'index.js' }));
    assert.equal(await call(bundle), seen);
  }
});

test('build keeps what runs at run time at run time: import.meta, top-level await, dynamic imports of its own files', async () => {
  await using workshop = await Workshop.open();
  await using bundle = await workshop.build({
    'index.ts': `const later = await import('./later.ts');
      export default async () => [later.value, (await import('node:os')).EOL, import.meta.filename];`,
    'later.ts': 'export const value = 1;',
  });
  assert.deepEqual(await call(bundle), [1, '\n', join(bundle.folder, 'index.mjs')]);
});

test('build gives imported files that are no code as text, bytes, values or addresses', async () => {
  await using workshop = await Workshop.open();
  const wasm = Buffer.from('0061736d01000000', 'hex');
  await using bundle = await workshop.build({
    'index.ts': `import json from './a.json'; import text from './a.txt'; import page from './a.html';
      import style from './a.module.css'; import query from './a.sql'; import wasm from './a.wasm';
      import picture from './a.png';
      import { readFileSync } from 'node:fs';
      export default () => [json, text, page, style, query, new WebAssembly.Module(wasm) instanceof WebAssembly.Module,
        readFileSync(new URL(picture, import.meta.url), 'utf8')];`,
    'a.json': '{"a":1}',
    'a.txt': 'text ä',
    'a.html': '<p>',
    'a.module.css': '.a{}',
    'a.sql': 'select 1',
    'a.wasm': wasm,
    'a.png': 'picture',
  });
  assert.deepEqual(await call(bundle), [{ a: 1 }, 'text ä', '<p>', '.a{}', 'select 1', true, 'picture']);
  assert.ok(bundle.manifest.files.some(({ path }) => /^assets\/a-[A-Z0-9]+\.png$/.test(path)));
});

test('build maps every line to its source, with the source in the map, also where a require was added', async () => {
  await using workshop = await Workshop.open();
  const index = "// first line\nexport default () => {\n  throw new Error('MARK-A');\n};\n";
  for (const [name, more] of [
    ['plain', ''],
    ['require', "\nimport './dynamic.cjs';\n"],
  ] as const) {
    const folder = await workshop.folder(name, {
      'index.ts': index + more,
      'dynamic.cjs': "// one\n// two\nrequire(['f', 's'].join(''));\nglobalThis.x = 'MARK-B';",
    });
    await using bundle = await build(folder, checkFunctionConfig({ name: 'fn' }));
    assert.deepEqual(await originOf(bundle, 'MARK-A'), { source: 'index.ts', line: 3 });
    if (name === 'require') assert.deepEqual(await originOf(bundle, 'MARK-B'), { source: 'dynamic.cjs', line: 4 });
    const map = JSON.parse(await readFile(join(bundle.folder, 'index.mjs.map'), 'utf8')) as SourceMapPayload;
    assert.equal(map.sourcesContent[map.sources.indexOf('index.ts')], index + more);
    const code = await readFile(join(bundle.folder, 'index.mjs'), 'utf8');
    assert.match(code, /\n\/\/# sourceMappingURL=index\.mjs\.map\n$/);
    assert.equal(code.startsWith('import { createRequire as __createRequire }'), name === 'require');
  }
});

test('build sets NODE_ENV as hob.json does, else to production', async () => {
  await using workshop = await Workshop.open();
  const files = { 'index.ts': 'export default () => process.env.NODE_ENV;' };
  await using plain = await workshop.build(files);
  assert.equal(await call(plain), 'production');
  await using set = await workshop.build(files, { env: { NODE_ENV: 'test' } });
  assert.equal(await call(set), 'test');
});

test('build bundles the examples', async () => {
  await using workshop = await Workshop.open();
  const examples = join(import.meta.dirname, '../../../functions/examples');
  for (const name of ['hello', 'hono', 'markdown', 'stream', 'thumbnail']) {
    await using bundle = await build(join(examples, name), checkFunctionConfig({ name }));
    const { default: handler, handler: event } = await load(bundle);
    assert.ok(handler !== undefined || event !== undefined, name);
    assert.deepEqual(bundle.warnings, [], name);
  }
  assert.deepEqual(await workshop.leftovers(), []);
});

test('build leaves its folder until the bundle is disposed, and nothing afterwards', async () => {
  await using workshop = await Workshop.open();
  const bundle = await workshop.build({ 'index.ts': 'export default () => 1;' });
  assert.equal((await workshop.leftovers()).length, 1);
  await bundle[Symbol.asyncDispose]();
  assert.deepEqual(await workshop.leftovers(), []);
  await bundle[Symbol.asyncDispose]();
});

test("build writes nothing into the function's folder, not even over an entry that is called like the bundle", async () => {
  await using workshop = await Workshop.open();
  const files = { 'index.mjs': 'export default () => 1;' };
  await using bundle = await workshop.build(files, { entry: 'index.mjs' });
  assert.equal(await call(bundle), 1);
  const folder = join(workshop.path, 'fn');
  assert.deepEqual(await readdir(folder), ['index.mjs']);
  assert.equal(await readFile(join(folder, 'index.mjs'), 'utf8'), files['index.mjs']);
});
