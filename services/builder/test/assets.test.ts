import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFile, symlink, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { BUNDLE_BYTES_MAX, checkFunctionConfig } from '@hob/contracts';
import { build } from '../src/index.ts';
import { Workshop } from './support/function-folder.ts';

const code = { 'index.ts': 'export default () => 1;' };

/** Names of a bundle's files besides code and map, built with these assets. */
async function assetsOf(folder: string, assets: readonly string[]): Promise<string[]> {
  await using bundle = await build(folder, checkFunctionConfig({ name: 'fn', assets }));
  return bundle.manifest.files.map(({ path }) => path).filter((path) => !path.startsWith('index.mjs'));
}

async function assertRefused(folder: string, assets: readonly string[], message: RegExp): Promise<void> {
  const failed = build(folder, checkFunctionConfig({ name: 'fn', assets }));
  await assert.rejects(failed, { code: 'ERR_BUILD_FAILED', message });
}

test('build copies assets to where they are in the folder: files, folders and globs, each once', async () => {
  await using workshop = await Workshop.open();
  const folder = await workshop.folder('fn', {
    ...code,
    'public/a.txt': 'a',
    'public/deep/er/b.bin': Buffer.from([0, 255, 10]),
    'public/.hidden': 'h',
    'data/1.csv': '1',
    'data/2.csv': '2',
    'data/3.json': '3',
    'note[1].txt': 'brackets',
    'not-asked.txt': 'x',
  });
  const assets = ['public/', './data/*.csv', 'data/1.csv', 'note[1].txt', '**/b.bin'];
  assert.deepEqual(await assetsOf(folder, assets), [
    'data/1.csv',
    'data/2.csv',
    'note[1].txt',
    'public/.hidden',
    'public/a.txt',
    'public/deep/er/b.bin',
  ]);
  await using bundle = await build(folder, checkFunctionConfig({ name: 'fn', assets }));
  assert.deepEqual(await readFile(join(bundle.folder, 'public/deep/er/b.bin')), Buffer.from([0, 255, 10]));
});

test('build follows links inside the folder, and refuses those that leave it, lead nowhere or in a circle', async () => {
  await using workshop = await Workshop.open();
  const folder = await workshop.folder('fn', { ...code, 'real/a.txt': 'a' });
  await writeFile(join(workshop.path, 'secret'), 's');
  for (const [target, name] of [
    ['real', 'linked'],
    ['../secret', 'out-file'],
    ['..', 'out-folder'],
    ['/etc', 'etc'],
    ['nowhere', 'broken'],
    ['.', 'circle'],
  ] as const) {
    await symlink(target, join(folder, name));
  }
  assert.deepEqual(await assetsOf(folder, ['linked']), ['linked/a.txt']);
  for (const name of ['out-file', 'out-folder', 'etc']) {
    await assertRefused(folder, [name], new RegExp(`assets: "${name}" is a link that leaves`));
  }
  await assertRefused(folder, ['broken'], /assets: "broken" is a link to nothing/);
  const circle = await workshop.folder('circle', { ...code, 'a/b.txt': 'b' });
  await symlink('.', join(circle, 'a', 'again'));
  await assertRefused(circle, ['a'], /assets: "a\/again" is a link to a folder that it is in/);
  assert.deepEqual(await workshop.leftovers(), []);
});

test('build refuses assets that are neither files nor folders, and those that are not there', async () => {
  await using workshop = await Workshop.open();
  const folder = await workshop.folder('fn', { ...code, 'pipes/a.txt': 'a' });
  execFileSync('mkfifo', [join(folder, 'pipes', 'fifo')]);
  await assertRefused(folder, ['pipes'], /assets: "pipes\/fifo" is neither a file nor a folder/);
  await assertRefused(folder, ['nothing'], /assets: "nothing" matches nothing/);
  await assertRefused(folder, ['pipes/a.txt', '*.nothing'], /assets: "\*\.nothing" matches nothing/);
});

test('build refuses an asset that would take the place of the code', async () => {
  await using workshop = await Workshop.open();
  const folder = await workshop.folder('fn', { ...code, 'index.mjs': 'other' });
  const failed = build(folder, checkFunctionConfig({ name: 'fn', assets: ['index.mjs'] }));
  await assert.rejects(failed, { code: 'ERR_BUNDLE_INVALID', message: /"index\.mjs" would be in the bundle twice/ });
  assert.deepEqual(await workshop.leftovers(), []);
});

test('build refuses a bundle that is too large, or whose names no store would take, and leaves nothing', async () => {
  await using workshop = await Workshop.open();
  const folder = await workshop.folder('fn', { ...code, large: '', 'names/a\nb': 'x' });
  await truncate(join(folder, 'large'), BUNDLE_BYTES_MAX + 1);
  const large = build(folder, checkFunctionConfig({ name: 'fn', assets: ['large'] }));
  await assert.rejects(large, { code: 'ERR_BUNDLE_TOO_LARGE' });
  const named = build(folder, checkFunctionConfig({ name: 'fn', assets: ['names'] }));
  await assert.rejects(named, { code: 'ERR_BUNDLE_INVALID', message: /control character/ });
  assert.deepEqual(await workshop.leftovers(), []);
});
