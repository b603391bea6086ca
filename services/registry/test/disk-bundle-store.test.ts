import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import * as fsPromises from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import type { BundleFs } from '../src/index.ts';
import { DiskBundleStore } from '../src/index.ts';
import { addBundle, type Contents, digestOf, filesOf, manifestOf } from './support/bundle.ts';
import { temporaryFolder } from './support/temporary-folder.ts';

const contents: Contents = {
  'index.mjs': 'export default () => new Response("hello");\n',
  'index.mjs.map': '{}',
  'public/a/ä.txt': 'text '.repeat(100),
  'public/empty': '',
};

/** Steps of the file system, of which one fails. */
class FaultyFs {
  readonly steps: string[] = [];
  readonly #failAt: number;

  constructor(failAt: number) {
    this.#failAt = failAt;
  }

  #step(name: string): void {
    this.steps.push(name);
    if (this.steps.length === this.#failAt) throw new Error(`EIO: ${name}`);
  }

  readonly fs: BundleFs = {
    ...fsPromises,
    mkdir: ((...args: Parameters<typeof fsPromises.mkdir>) => {
      this.#step('mkdir');
      return fsPromises.mkdir(...args);
    }) as typeof fsPromises.mkdir,
    chmod: (...args) => this.#async('chmod', () => fsPromises.chmod(...args)),
    rename: (...args) => this.#async('rename', () => fsPromises.rename(...args)),
    open: async (...args) => {
      this.#step('open');
      const handle = await fsPromises.open(...args);
      for (const name of ['writeFile', 'chmod', 'sync'] as const) {
        const real = handle[name].bind(handle) as (...rest: unknown[]) => Promise<void>;
        Object.defineProperty(handle, name, {
          value: (...rest: unknown[]) => this.#async(name, () => real(...rest)),
        });
      }
      return handle;
    },
  };

  async #async<T>(name: string, action: () => Promise<T>): Promise<T> {
    this.#step(name);
    return await action();
  }
}

test('DiskBundleStore.add stores exactly the files and gives the digest', async () => {
  await using folder = await temporaryFolder();
  const store = await DiskBundleStore.open(join(folder.path, 'bundles'));
  assert.equal(await store.has(digestOf(contents)), false);
  const digest = await addBundle(store, contents);
  assert.equal(digest, digestOf(contents));
  assert.equal(await store.has(digest), true);
  assert.deepEqual(await store.manifest(digest), manifestOf(contents));
  const names = await readdir(store.folder(digest), { recursive: true });
  assert.deepEqual(names.toSorted(), [...Object.keys(contents), 'public', 'public/a'].toSorted());
  for (const [path, content] of Object.entries(contents)) {
    assert.equal(await readFile(join(store.folder(digest), path), 'utf8'), content);
  }
});

test('DiskBundleStore.add makes everything readable for everyone, and nothing writable, whatever the umask', async () => {
  await using folder = await temporaryFolder();
  const umask = process.umask(0o077);
  try {
    const store = await DiskBundleStore.open(folder.path);
    const files = store.folder(await addBundle(store, contents));
    for (const path of ['', 'public', 'public/a']) assert.equal((await stat(join(files, path))).mode & 0o777, 0o755);
    for (const path of Object.keys(contents)) assert.equal((await stat(join(files, path))).mode & 0o777, 0o644);
  } finally {
    process.umask(umask);
  }
});

test('DiskBundleStore.add leaves nothing when a step fails, whichever it is, and works the next time', async () => {
  await using folder = await temporaryFolder();
  let failed = 0;
  for (let failAt = 2; ; failAt += 1) {
    const faulty = new FaultyFs(failAt);
    const store = await DiskBundleStore.open(folder.path, faulty.fs);
    const result = await addBundle(store, contents).catch((error: unknown) => error);
    if (!(result instanceof Error)) break;
    failed += 1;
    assert.match(result.message, /^EIO/);
    assert.deepEqual(await readdir(folder.path), [], `after step ${failAt}, ${faulty.steps.at(-1)}`);
    assert.equal(await store.has(digestOf(contents)), false);
  }
  assert.ok(failed >= 25, `${failed} steps`);
  assert.deepEqual(await readdir(folder.path), [digestOf(contents)]);
});

test('DiskBundleStore.add refuses files that are not those of the manifest, and leaves nothing', async () => {
  await using folder = await temporaryFolder();
  const store = await DiskBundleStore.open(folder.path);
  const manifest = manifestOf(contents);
  const code = { 'index.mjs': contents['index.mjs'] ?? '' };
  for (const [sent, why] of [
    [code, /the content of "index\.mjs\.map" is missing/],
    [{ ...contents, extra: 'x' }, /"extra" is not in the manifest/],
    [{ ...contents, '../../evil': 'x' }, /"\.\.\/\.\.\/evil" is not in the manifest/],
    [{ ...contents, 'index.mjs': `${code['index.mjs']} ` }, /"index\.mjs" is not what the manifest says/],
    [{ ...contents, 'index.mjs': code['index.mjs'].slice(1) }, /"index\.mjs" is not what the manifest says/],
    [{ ...contents, 'index.mjs': code['index.mjs'].replace('h', 'H') }, /"index\.mjs" is not what the manifest says/],
    [{ ...contents, 'public/empty': 'x'.repeat(10_000_000) }, /"public\/empty" is not what the manifest says/],
  ] as [Contents, RegExp][]) {
    await assert.rejects(store.add(manifest, filesOf(sent)), { code: 'ERR_BUNDLE_INVALID', message: why });
    assert.deepEqual(await readdir(folder.path), []);
  }
  async function* twice(): ReturnType<typeof filesOf> {
    yield* filesOf(code);
    yield* filesOf(code);
  }
  await assert.rejects(store.add(manifest, twice()), {
    code: 'ERR_BUNDLE_INVALID',
    message: /"index\.mjs" came twice/,
  });
  await assert.rejects(store.add({ files: [] }, filesOf({})), { code: 'ERR_BUNDLE_INVALID' });
  assert.deepEqual(await readdir(folder.path), []);
});

test('DiskBundleStore.add passes on what breaks the incoming files, and leaves nothing', async () => {
  await using folder = await temporaryFolder();
  const store = await DiskBundleStore.open(folder.path);
  const gone = new Error('the client went away');
  async function* cut(): ReturnType<typeof filesOf> {
    yield* filesOf({ 'index.mjs': contents['index.mjs'] ?? '' });
    throw gone;
  }
  await assert.rejects(store.add(manifestOf(contents), cut()), (error) => error === gone);
  assert.deepEqual(await readdir(folder.path), []);
});

test('DiskBundleStore.add takes the same bundle again, checks its names, and keeps what is there', async () => {
  await using folder = await temporaryFolder();
  const store = await DiskBundleStore.open(folder.path);
  const digest = await addBundle(store, contents);
  const before = await stat(store.folder(digest));
  assert.equal(await addBundle(store, contents), digest);
  assert.equal((await stat(store.folder(digest))).ino, before.ino);
  const wrong = filesOf({ 'index.mjs': contents['index.mjs'] ?? '' });
  await assert.rejects(store.add(manifestOf(contents), wrong), { code: 'ERR_BUNDLE_INVALID' });
  assert.equal(await store.has(digest), true);
});

test('DiskBundleStore.add makes one bundle of many equal ones that come at the same time', async () => {
  await using folder = await temporaryFolder();
  const store = await DiskBundleStore.open(folder.path);
  const digests = await Promise.all(Array.from({ length: 20 }, () => addBundle(store, contents)));
  assert.deepEqual(new Set(digests), new Set([digestOf(contents)]));
  assert.deepEqual(await readdir(folder.path), [digestOf(contents)]);
});

test('DiskBundleStore.open removes what a killed process left half done, and keeps the bundles', async () => {
  await using folder = await temporaryFolder();
  const digest = await addBundle(await DiskBundleStore.open(folder.path), contents);
  await mkdir(join(folder.path, '.tmp-1', 'files'), { recursive: true });
  await writeFile(join(folder.path, '.tmp-1', 'files', 'index.mjs'), 'half');
  const store = await DiskBundleStore.open(folder.path);
  assert.deepEqual(await readdir(folder.path), [digest]);
  assert.equal(await store.has(digest), true);
});

test('DiskBundleStore.remove removes a bundle only when nobody keeps it', async () => {
  await using folder = await temporaryFolder();
  const store = await DiskBundleStore.open(folder.path);
  const digest = await addBundle(store, contents);
  assert.equal(await store.remove(digest), false, 'add keeps it');
  store.keep(digest);
  store.release(digest);
  assert.equal(await store.remove(digest), false);
  store.release(digest);
  const removal = store.remove(digest);
  assert.equal(await store.has(digest), false, 'gone before the removal has ended');
  assert.equal(await removal, true);
  assert.deepEqual(await readdir(folder.path), []);
  assert.equal(await store.remove(digest), false);
  store.release(digest);
  await assert.rejects(store.manifest(digest), { code: 'ERR_BUNDLE_INVALID' });
});

test('DiskBundleStore takes nothing for a digest that is none', async () => {
  await using folder = await temporaryFolder();
  const store = await DiskBundleStore.open(join(folder.path, 'bundles'));
  for (const digest of ['', '..', '../x', 'A'.repeat(64), `${'a'.repeat(64)}/..`]) {
    assert.equal(await store.has(digest), false);
    assert.equal(await store.remove(digest), false);
    assert.throws(() => store.folder(digest), { code: 'ERR_BUNDLE_INVALID' });
    await assert.rejects(store.manifest(digest), { code: 'ERR_BUNDLE_INVALID' });
  }
});
