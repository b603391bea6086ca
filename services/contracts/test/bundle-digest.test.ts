import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import * as fc from 'fast-check';
import {
  BUNDLE_BYTES_MAX,
  BUNDLE_FILES_MAX,
  bundleDigest,
  type BundleFile,
  checkManifest,
  isBundleDigest,
  isHobError,
} from '../src/index.ts';

const hex = 'a'.repeat(64);
const code: BundleFile = { path: 'index.mjs', bytes: 3, sha256: hex };

function manifestOf(...paths: string[]): { files: BundleFile[] } {
  return { files: [code, ...paths.map((path) => ({ path, bytes: 1, sha256: hex }))] };
}

function refused(value: unknown): { readonly code: string; readonly message: string } {
  try {
    checkManifest(value);
  } catch (error) {
    assert.ok(isHobError(error));
    return { code: error.code, message: error.message };
  }
  return assert.fail('the manifest was accepted');
}

const name = fc.stringMatching(/^[A-Za-z0-9_-][A-Za-z0-9_. é-]{0,20}$/);
const path = fc.array(name, { minLength: 1, maxLength: 4 }).map((names) => `d/${names.join('/')}/f`);
const file = fc.record({ path, bytes: fc.nat({ max: 1000 }), sha256: fc.stringMatching(/^[0-9a-f]{64}$/) });
const files = fc.uniqueArray(file, { selector: (one) => one.path, maxLength: 20 }).filter((list) => {
  return list.every((one) => list.every((other) => !other.path.startsWith(`${one.path}/`)));
});

test('bundleDigest is the SHA-256 of the sorted list, as documented', () => {
  const list = `a/b\0${hex}\u00007\nindex.mjs\0${hex}\u00003\n`;
  const digest = bundleDigest({ files: [code, { path: 'a/b', bytes: 7, sha256: hex }] });
  assert.equal(digest, createHash('sha256').update(list).digest('hex'));
  assert.ok(isBundleDigest(digest));
});

test('bundleDigest does not depend on the order of files, and depends on everything else', () => {
  fc.assert(
    fc.property(files, fc.integer(), (list, seed) => {
      const manifest = checkManifest({ files: [code, ...list] });
      const digest = bundleDigest(manifest);
      const turned = manifest.files.map((_, index, all) => all.at((index + seed) % all.length) ?? code);
      assert.equal(bundleDigest({ files: turned.toReversed() }), digest);
      for (const [index, one] of manifest.files.entries()) {
        for (const changed of [
          { ...one, path: `${one.path}x` },
          { ...one, bytes: one.bytes + 1 },
          { ...one, sha256: one.sha256.replace(/^./, (first) => (first === '0' ? '1' : '0')) },
        ]) {
          assert.notEqual(bundleDigest({ files: manifest.files.with(index, changed) }), digest);
        }
        assert.notEqual(bundleDigest({ files: manifest.files.toSpliced(index, 1) }), digest);
      }
    }),
    { numRuns: 50 },
  );
});

test('checkManifest returns the files sorted, without anything that is no part of a manifest', () => {
  const sent = {
    files: [
      { ...code, mode: 0o4755 },
      { path: 'Ä', bytes: 0, sha256: hex },
    ],
    digest: 'x',
  };
  const sorted = checkManifest({ ...sent, files: sent.files.toReversed() });
  assert.deepEqual(sorted, { files: [code, { path: 'Ä', bytes: 0, sha256: hex }] });
});

test('checkManifest accepts names that differ only in case, and names with dots and spaces', () => {
  assert.equal(checkManifest(manifestOf('LICENSE', 'License', '..a', '.env', 'a b', 'a..', '...')).files.length, 8);
});

test('checkManifest refuses every path that could lead elsewhere or be misread', () => {
  for (const path of [
    '',
    '/',
    '/etc/passwd',
    '..',
    '../x',
    'a/../b',
    'a/..',
    '.',
    './a',
    'a/.',
    'a//b',
    'a/',
    'a\\b',
    '..\\b',
    'a\0b',
    'a\nb',
    'a\u007fb',
    'a\u0085b',
    'a\u2028b',
    'a\ud800b',
    'x'.repeat(256),
    `${'x/'.repeat(600)}x`,
  ]) {
    const { code: errorCode, message } = refused(manifestOf(path));
    assert.equal(errorCode, 'ERR_BUNDLE_INVALID', JSON.stringify(path));
    assert.match(message, /^files\[1\]\.path /);
  }
});

test('checkManifest refuses the same path twice, a file that is also a folder, and a bundle without code', () => {
  assert.match(refused(manifestOf('a', 'b', 'a')).message, /"a" is listed twice/);
  assert.match(refused(manifestOf('a/b/c', 'a/b')).message, /"a\/b" is a file and a folder/);
  assert.match(refused(manifestOf('index.mjs/x')).message, /"index\.mjs" is a file and a folder/);
  assert.match(refused({ files: [{ ...code, path: 'index.js' }] }).message, /no index\.mjs/);
});

test('checkManifest refuses what is not of the right type', () => {
  for (const value of [undefined, null, 1, 'x', [], {}, { files: {} }, { files: [null] }, { files: [[]] }]) {
    assert.equal(refused(value).code, 'ERR_BUNDLE_INVALID');
  }
  for (const change of [
    { path: 1 },
    { bytes: -1 },
    { bytes: 1.5 },
    { bytes: '1' },
    { bytes: Number.NaN },
    { bytes: Number.MAX_SAFE_INTEGER + 1 },
    { sha256: 'A'.repeat(64) },
    { sha256: 'a'.repeat(63) },
    { sha256: `${hex}\n` },
    { sha256: undefined },
  ]) {
    assert.equal(refused({ files: [{ ...code, ...change }] }).code, 'ERR_BUNDLE_INVALID', JSON.stringify(change));
  }
});

test('checkManifest holds to the limits of files and bytes', () => {
  const many = (count: number): unknown => ({
    files: [code, ...Array.from({ length: count - 1 }, (_, index) => ({ path: `f${index}`, bytes: 0, sha256: hex }))],
  });
  assert.match(refused(many(BUNDLE_FILES_MAX + 1)).message, /at most 10000/);
  const sized = (bytes: number): unknown => ({
    files: [
      { ...code, bytes },
      { path: 'b', bytes: 1, sha256: hex },
    ],
  });
  assert.equal(checkManifest(many(BUNDLE_FILES_MAX)).files.length, BUNDLE_FILES_MAX);
  assert.equal(checkManifest(sized(BUNDLE_BYTES_MAX - 1)).files.length, 2);
  assert.equal(refused(sized(BUNDLE_BYTES_MAX)).code, 'ERR_BUNDLE_TOO_LARGE');
});

test('checkManifest lets nothing but its two codes come out of arbitrary values', () => {
  const near = fc.record({ path: fc.string({ unit: 'binary' }), bytes: fc.anything(), sha256: fc.string() });
  const values = fc.oneof(fc.anything(), fc.record({ files: fc.array(fc.oneof(fc.anything(), near)) }));
  fc.assert(
    fc.property(values, (value) => {
      try {
        checkManifest(value);
      } catch (error) {
        assert.ok(isHobError(error) && error.code.startsWith('ERR_BUNDLE_'), String(error));
      }
    }),
  );
});
