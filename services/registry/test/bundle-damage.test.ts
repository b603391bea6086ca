import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { DiskBundleStore } from '../src/index.ts';
import { addBundle, type Contents, digestOf, filesOf, manifestOf } from './support/bundle.ts';
import { temporaryFolder } from './support/temporary-folder.ts';

const contents: Contents = {
  'index.mjs': 'export default () => new Response("hello");\n',
  'public/a/b.txt': 'text '.repeat(100),
  'public/c.txt': 'c',
};

/** What may happen to a bundle on disk, by its folder, and whether a load notices. */
const damages: readonly (readonly [
  what: string,
  damage: (folder: string) => Promise<unknown>,
  atLoad: RegExp | undefined,
])[] = [
  [
    'code that is truncated',
    (at) => truncate(join(at, 'files/index.mjs'), 10),
    /^"index\.mjs" is not what was deployed$/,
  ],
  ['code of the same size', (at) => change(join(at, 'files/index.mjs')), /^"index\.mjs" is not/],
  ['code that is gone', (at) => rm(join(at, 'files/index.mjs')), /^"index\.mjs" is not/],
  ['code that is a folder', (at) => becomeFolder(join(at, 'files/index.mjs')), undefined],
  ['an asset that is truncated', (at) => truncate(join(at, 'files/public/a/b.txt'), 0), /^"public\/a\/b\.txt" is not/],
  ['an asset of the same size', (at) => change(join(at, 'files/public/a/b.txt')), undefined],
  ['assets that are gone', (at) => rm(join(at, 'files/public'), { recursive: true }), /^"public\/a\/b\.txt" is not/],
  ['a manifest that is no JSON', (at) => truncate(join(at, 'manifest.json'), 5), /^its manifest is not/],
  ['a manifest of other files', (at) => writeFile(join(at, 'manifest.json'), otherManifest()), /^its manifest is not/],
  ['a manifest that is gone', (at) => rm(join(at, 'manifest.json')), /^its manifest is not/],
  ['all files gone', (at) => rm(join(at, 'files'), { recursive: true }), /^"index\.mjs" is not/],
];

async function change(path: string): Promise<void> {
  await writeFile(path, (await readFile(path, 'utf8')).replace('e', 'E'));
}

async function becomeFolder(path: string): Promise<void> {
  await rm(path);
  await mkdir(join(path, 'inner'), { recursive: true });
}

function otherManifest(): string {
  return JSON.stringify(manifestOf({ ...contents, 'index.mjs': 'evil' }));
}

async function findDamage(store: DiskBundleStore, digest: string): Promise<string | undefined> {
  return await store.findDamage(digest, await readFile(join(store.folder(digest), 'index.mjs')).catch(() => undefined));
}

for (const [what, damage, atLoad] of damages) {
  test(`DiskBundleStore finds ${what}, and a deploy of the same content repairs it`, async () => {
    await using folder = await temporaryFolder();
    const store = await DiskBundleStore.open(folder.path);
    const digest = await addBundle(store, contents);
    assert.equal(await findDamage(store, digest), undefined);
    const place = dirname(store.folder(digest));
    const before = await stat(place);
    await damage(place);
    if (atLoad !== undefined) assert.match((await findDamage(store, digest)) ?? '', atLoad);
    const another = addBundle(store, contents);
    assert.deepEqual(await Promise.all([addBundle(store, contents), another]), [digest, digest]);
    assert.equal(await findDamage(store, digest), undefined);
    assert.deepEqual(await store.manifest(digest), manifestOf(contents));
    for (const [path, content] of Object.entries(contents)) {
      assert.equal(await readFile(join(store.folder(digest), path), 'utf8'), content);
      assert.equal((await stat(join(store.folder(digest), path))).mode & 0o777, 0o644);
    }
    assert.equal((await stat(place)).ino, before.ino, 'containers that have it mounted keep it');
    assert.deepEqual(await readdir(folder.path), [digest]);
  });
}

test('DiskBundleStore.manifest says that it is damaged, and how to repair it', async () => {
  await using folder = await temporaryFolder();
  const store = await DiskBundleStore.open(folder.path);
  const digest = await addBundle(store, contents);
  await truncate(join(folder.path, digest, 'manifest.json'), 0);
  await assert.rejects(store.manifest(digest), {
    code: 'ERR_BUNDLE_DAMAGED',
    message: `bundle ${digest}: its manifest is not what was deployed; deploy the same content again, which repairs it`,
  });
});

test('DiskBundleStore repairs nothing with files that are not those of the manifest', async () => {
  await using folder = await temporaryFolder();
  const store = await DiskBundleStore.open(folder.path);
  const digest = digestOf(contents);
  await addBundle(store, contents);
  await truncate(join(store.folder(digest), 'index.mjs'), 10);
  const wrong = filesOf({ ...contents, 'index.mjs': 'evil' });
  await assert.rejects(store.add(manifestOf(contents), wrong), { code: 'ERR_BUNDLE_INVALID' });
  assert.equal((await stat(join(store.folder(digest), 'index.mjs'))).size, 10);
  assert.deepEqual(await readdir(folder.path), [digest]);
});
