import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { libraryTarget, parseLdd } from '../rootfs/libraries.ts';
import type { RootfsManifest } from '../rootfs/manifest.ts';
import { bringUpToDate } from '../rootfs/store.ts';
import { checkTree } from '../rootfs/tree.ts';

let scratch = '';
beforeEach(() => {
  scratch = mkdtempSync(join(tmpdir(), 'hob-rootfs-'));
});
afterEach(() => {
  rmSync(scratch, { recursive: true });
});

/** A manifest of one program, one file of the test's own and one text. */
function smallManifest(file: string): RootfsManifest {
  return {
    folders: ['/proc', '/var/task'],
    links: { '/bin': 'usr/bin', '/lib': 'usr/lib', '/lib64': 'usr/lib64', '/usr/bin/sh': 'dash' },
    programs: ['/usr/bin/dash'],
    renamedPrograms: {},
    libraries: ['libresolv.so.2', 'libnosuch.so.9'],
    files: [file],
    trees: [],
    texts: { '/etc/hostname': 'inside\n' },
  };
}

/** A file with a given content, of an age that differs from the last one's. */
function hostFile(text: string, ageSeconds: number): string {
  const file = join(scratch, 'host-file');
  writeFileSync(file, text);
  utimesSync(file, 1_000_000_000 - ageSeconds, 1_000_000_000 - ageSeconds);
  return file;
}

test('parseLdd gives each path once and refuses a missing library', () => {
  const output = `/usr/bin/a:
\tlinux-vdso.so.1 (0x00007ffb8d4fd000)
\tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007ffb8cf3e000)
\t/lib64/ld-linux-x86-64.so.2 (0x00007ffb8d4ff000)
/usr/bin/b:
\tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007ffb8cf3e000)
`;
  assert.deepEqual(parseLdd(output), ['/lib/x86_64-linux-gnu/libc.so.6', '/lib64/ld-linux-x86-64.so.2']);
  assert.throws(() => parseLdd('\tlibx.so => not found\n'), /libx\.so is not there/);
});

test('libraryTarget puts libraries where the merged-/usr layout has them', () => {
  assert.equal(libraryTarget('/lib/x86_64-linux-gnu/libc.so.6'), '/usr/lib/x86_64-linux-gnu/libc.so.6');
  assert.equal(libraryTarget('/lib64/ld-linux-x86-64.so.2'), '/usr/lib64/ld-linux-x86-64.so.2');
  assert.equal(libraryTarget('/usr/lib/libz.so.1'), '/usr/lib/libz.so.1');
});

test('bringUpToDate builds a tree that runs, and leaves it alone while nothing changes', async () => {
  const store = join(scratch, 'store');
  const manifest = smallManifest(hostFile('one', 0));
  const first = await bringUpToDate(store, manifest, 'definition');
  assert.ok(first.built);
  const answer = execFileSync('chroot', [first.path, '/bin/sh', '-c', 'read line </etc/hostname; echo "$line"']);
  assert.equal(answer.toString(), 'inside\n');
  const second = await bringUpToDate(store, manifest, 'definition');
  assert.equal(second.built, undefined);
  assert.equal(second.path, first.path);
  assert.equal(realpathSync(join(store, 'current')), first.path);
});

test('bringUpToDate copies again when a file of the host changes, and keeps only the predecessor', async () => {
  const store = join(scratch, 'store');
  const paths: string[] = [];
  for (const [age, text] of ['one', 'two', 'three'].entries()) {
    const file = hostFile(text, age);
    const state = await bringUpToDate(store, smallManifest(file), 'definition');
    assert.ok(state.built);
    assert.equal(readFileSync(join(store, 'current', file), 'utf8'), text);
    paths.push(state.path);
  }
  assert.deepEqual(
    paths.map((path) => existsSync(path)),
    [false, true, true],
  );
});

test('bringUpToDate gives an unchanged tree its old name although times have changed', async () => {
  const store = join(scratch, 'store');
  const first = await bringUpToDate(store, smallManifest(hostFile('same', 0)), 'definition');
  const second = await bringUpToDate(store, smallManifest(hostFile('same', 1)), 'definition');
  assert.equal(second.path, first.path);
});

test('bringUpToDate leaves nothing of a tree that cannot be built', async () => {
  const store = join(scratch, 'store');
  const manifest = smallManifest(join(scratch, 'absent'));
  await assert.rejects(bringUpToDate(store, manifest, 'definition'), /absent/);
  const noProgram = { ...smallManifest(hostFile('x', 0)), programs: ['/usr/bin/no-such-program'] };
  await assert.rejects(bringUpToDate(store, noProgram, 'definition'), /no-such-program is not there/);
  assert.deepEqual(readdirSync(store), []);
});

test('bringUpToDate never removes a tree that something has mounted', async () => {
  const store = join(scratch, 'store');
  const first = await bringUpToDate(store, smallManifest(hostFile('one', 0)), 'definition');
  await bringUpToDate(store, smallManifest(hostFile('two', 1)), 'definition');
  const mountPoint = join(scratch, 'mount-point');
  mkdirSync(mountPoint);
  execFileSync('mount', ['--bind', '-o', 'ro', first.path, mountPoint]);
  try {
    const third = await bringUpToDate(store, smallManifest(hostFile('three', 2)), 'definition');
    assert.deepEqual(third.inUse, [first.path]);
    assert.ok(existsSync(join(first.path, 'usr/bin/dash')));
  } finally {
    execFileSync('umount', [mountPoint]);
  }
  await bringUpToDate(store, smallManifest(hostFile('four', 3)), 'definition');
  assert.ok(!existsSync(first.path));
});

test('bringUpToDate never removes a tree that a program runs from', async () => {
  const store = join(scratch, 'store');
  const first = await bringUpToDate(store, smallManifest(hostFile('one', 0)), 'definition');
  await bringUpToDate(store, smallManifest(hostFile('two', 1)), 'definition');
  const child = spawn(join(first.path, 'usr/bin/dash'), ['-c', 'read line'], { stdio: ['pipe', 'ignore', 'inherit'] });
  await once(child, 'spawn');
  try {
    const third = await bringUpToDate(store, smallManifest(hostFile('three', 2)), 'definition');
    assert.deepEqual(third.inUse, [first.path]);
    assert.ok(existsSync(first.path));
  } finally {
    child.stdin.end();
    await once(child, 'exit');
  }
});

test('checkTree refuses what must not be in the root of a container', async () => {
  const top = join(scratch, 'tree');
  const file = join(top, 'file');
  const spoil: Record<string, { readonly make: () => void; readonly complaint: RegExp }> = {
    setuid: { make: () => chmodSync(file, 0o4755), complaint: /\/file has mode 4755/ },
    'writable by all': { make: () => chmodSync(file, 0o666), complaint: /\/file has mode 666/ },
    'second name': { make: () => linkSync(file, join(scratch, 'outside')), complaint: /second name/ },
    'link that leads out': { make: () => symlinkSync('../../etc', join(top, 'up')), complaint: /leads out/ },
    owner: { make: () => execFileSync('chown', ['1234', file]), complaint: /not owned by root/ },
    pipe: { make: () => execFileSync('mkfifo', ['-m', '600', join(top, 'pipe')]), complaint: /neither file nor/ },
  };
  for (const [what, { make, complaint }] of Object.entries(spoil)) {
    rmSync(top, { recursive: true, force: true });
    mkdirSync(top, { mode: 0o755 });
    writeFileSync(file, 'x', { mode: 0o644 });
    assert.equal((await checkTree(top)).files, 1);
    make();
    await assert.rejects(checkTree(top), complaint, what);
  }
});

const current = resolve(import.meta.dirname, '../../.hob/rootfs/current');

test('the built root filesystem runs Node and the basic tools, and holds nothing of the host but named files', () => {
  const inside = (...command: string[]): string => execFileSync('chroot', [current, ...command], { encoding: 'utf8' });
  assert.equal(inside('/usr/local/bin/node', '-p', 'process.version'), `${process.version}\n`);
  assert.equal(
    inside('/bin/sh', '-c', 'id -un 1000; TZ=Asia/Tokyo date -d @0 +%H; printf ab | sed s/a/c/ | grep c'),
    'fn\n09\ncb\n',
  );
  const zone = "new Date(0).toLocaleTimeString('en', { timeZone: 'Asia/Tokyo' })";
  assert.equal(inside('/usr/local/bin/node', '-p', zone), '9:00:00 AM\n');
  assert.match(readFileSync(join(current, 'etc/ssl/certs/ca-certificates.crt'), 'utf8'), /BEGIN CERTIFICATE/);
  assert.deepEqual(readdirSync(current).toSorted(), [
    'bin',
    'dev',
    'etc',
    'lib',
    'lib64',
    'proc',
    'sbin',
    'tmp',
    'usr',
    'var',
  ]);
  for (const empty of ['dev', 'proc', 'tmp', 'var/task']) assert.deepEqual(readdirSync(join(current, empty)), []);
  assert.equal(statSync(join(current, 'usr/local/bin/node')).nlink, 1);
});

test('the built root filesystem is owned by root throughout and has no setuid bit', async () => {
  const { digest } = await checkTree(realpathSync(current));
  assert.ok(realpathSync(current).endsWith(digest.slice(0, 32)), 'it is what was built');
});
