import assert from 'node:assert/strict';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { checkFunctionConfig, isHobError } from '@hob/contracts';
import { build } from '../src/index.ts';
import { Workshop } from './support/function-folder.ts';

/** Builds what cannot be built. @returns the report; nothing must be left. */
async function reportOf(
  workshop: Workshop,
  files: Readonly<Record<string, string>>,
  settings: object = {},
): Promise<string> {
  const error: unknown = await workshop.build(files, settings).catch((error: unknown) => error);
  assert.ok(isHobError(error), 'it was built');
  assert.equal(error.code, 'ERR_BUILD_FAILED', error.message);
  assert.deepEqual(await workshop.leftovers(), []);
  return error.message;
}

test('build names file, line and column of code that is wrong, and the line itself, without colours', async () => {
  await using workshop = await Workshop.open();
  const report = await reportOf(workshop, { 'index.ts': "import './src/bad.ts'", 'src/bad.ts': '\nconst = 5;\n' });
  assert.match(report, /Expected identifier but found "="/);
  assert.match(report, /src\/bad\.ts:2:6:/);
  assert.match(report, /const = 5;/);
  assert.doesNotMatch(report, /\u001b/);
});

test('build colours its report when asked', async () => {
  await using workshop = await Workshop.open();
  const failed = workshop.build({ 'index.ts': 'const = 5;' }, {}, { colour: true });
  await assert.rejects(failed, { code: 'ERR_BUILD_FAILED', message: /\u001b\[/ });
});

test('build reports every import that cannot be found, and says what to do about packages', async () => {
  await using workshop = await Workshop.open();
  const report = await reportOf(workshop, { 'index.ts': "import 'left-pad';\nimport './gone.ts';\nimport 'node:fs';" });
  assert.match(report, /Could not resolve "left-pad"[^]*index\.ts:1:7/);
  assert.match(report, /Could not resolve "\.\/gone\.ts"[^]*index\.ts:2:7/);
  assert.equal(report.match(/npm install/g)?.length, 1);
  assert.doesNotMatch(report, /external/);
});

test('build cuts a report of very many problems', async () => {
  await using workshop = await Workshop.open();
  const imports = Array.from({ length: 50 }, (_, index) => `import 'missing-${index}';`);
  const report = await reportOf(workshop, { 'index.ts': imports.join('\n') });
  assert.match(report, /\nand 30 more$/);
});

test('build refuses what is neither a package nor a file', async () => {
  await using workshop = await Workshop.open();
  const report = await reportOf(workshop, {
    'index.ts': "import x from 'https://example.com/x.js'; export default () => x;",
  });
  assert.match(report, /"https:\/\/example\.com\/x\.js" cannot be bundled/);
});

test('build refuses native addons by name', async () => {
  await using workshop = await Workshop.open();
  const report = await reportOf(workshop, {
    'index.ts': "import addon from 'native'; export default () => addon;",
    'node_modules/native/package.json': '{"name":"native","main":"index.js"}',
    'node_modules/native/index.js': "module.exports = require('./build/addon.node');",
    'node_modules/native/build/addon.node': 'ELF',
  });
  assert.match(report, /node_modules\/native\/build\/addon\.node is a native addon/);
  assert.match(report, /node_modules\/native\/index\.js:1:/);
});

test('build refuses an entry without a handler, and says what it exports instead', async () => {
  await using workshop = await Workshop.open();
  assert.match(await reportOf(workshop, { 'index.ts': 'console.log(1);' }), /^index\.ts exports nothing; .*handler/);
  const report = await reportOf(workshop, { 'src/a.ts': 'export const hello = 1;' }, { entry: 'src/a.ts' });
  assert.match(report, /^src\/a\.ts exports only hello; /);
});

test('build finds a handler that is exported from elsewhere', async () => {
  await using workshop = await Workshop.open();
  await using bundle = await workshop.build({
    'index.ts': "export * from './a.ts';",
    'a.ts': 'export const handler = 1;',
  });
  assert.deepEqual(bundle.exports, ['handler']);
});

test('build returns warnings with file and line', async () => {
  await using workshop = await Workshop.open();
  await using bundle = await workshop.build({
    'index.ts':
      'export default (a: object) => {\n  const x = { b: 1, b: 2 };\n  return x === -0 || typeof a === "nul";\n};',
  });
  assert.ok(bundle.warnings.length >= 2);
  assert.ok(bundle.warnings.some((warning) => /Duplicate key "b"[^]*index\.ts:2:/.test(warning)));
});

test('build refuses an entry that is missing, no file, or outside of the folder', async () => {
  await using workshop = await Workshop.open();
  const folder = await workshop.folder('fn', { 'src/index.ts': 'export default () => 1;' });
  await writeFile(join(workshop.path, 'outside.ts'), 'export default () => 1;');
  await symlink('../outside.ts', join(folder, 'link.ts'));
  await symlink('nowhere.ts', join(folder, 'broken.ts'));
  await symlink('src/index.ts', join(folder, 'inside.ts'));
  for (const entry of ['index.ts', 'src', 'link.ts', 'broken.ts', 'src/index.ts/x']) {
    const failed = build(folder, checkFunctionConfig({ name: 'fn', entry }));
    await assert.rejects(failed, { code: 'ERR_BUILD_ENTRY_NOT_FOUND', message: new RegExp(`"${entry}"`) });
  }
  const unchecked = { ...checkFunctionConfig({ name: 'fn' }), entry: '../outside.ts' };
  await assert.rejects(build(folder, unchecked), { code: 'ERR_BUILD_ENTRY_NOT_FOUND' });
  assert.deepEqual(await workshop.leftovers(), []);
  await using bundle = await build(folder, checkFunctionConfig({ name: 'fn', entry: 'inside.ts' }));
  assert.deepEqual(bundle.exports, ['default']);
});

test('build refuses a folder that does not exist as an entry that is missing', async () => {
  await using workshop = await Workshop.open();
  await mkdir(join(workshop.path, 'empty'));
  for (const name of ['empty', 'nowhere']) {
    const failed = build(join(workshop.path, name), checkFunctionConfig({ name: 'fn' }));
    await assert.rejects(failed, { code: 'ERR_BUILD_ENTRY_NOT_FOUND' });
  }
});
