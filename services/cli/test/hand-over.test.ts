import assert from 'node:assert/strict';
import {
  chmodSync,
  chownSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { refuseClosedCode } from '../src/serve/code-access.ts';
import { handOver } from '../src/serve/hand-over.ts';
import { serviceUser } from '../src/serve/service-user.ts';
import { TokenStore } from '../src/serve/token-store.ts';
import { temporaryFolder } from './fakes/command-run.ts';

const user = { uid: 1_999_998, gid: 1_999_997 };
const skip = process.getuid?.() === 0 ? false : 'only root can give files away';
const ownerOf = (path: string): readonly number[] => [lstatSync(path).uid, lstatSync(path).gid];
const theirs = [user.uid, user.gid];
const roots = [0, 0];

test(
  'handOver gives a folder with all files and folders in it, and nothing that links lead to',
  { skip },
  async (t) => {
    const folder = await temporaryFolder(t);
    const data = join(folder, 'data');
    mkdirSync(join(data, 'a', 'b'), { recursive: true });
    writeFileSync(join(data, 'a', 'b', 'file'), '');
    writeFileSync(join(folder, 'secret'), '');
    mkdirSync(join(folder, 'outside'));
    symlinkSync('../secret', join(data, 'to-file'));
    symlinkSync('../outside', join(data, 'to-folder'));
    handOver(data, user);
    for (const path of ['', 'a', 'a/b', 'a/b/file']) assert.deepEqual(ownerOf(join(data, path)), theirs, path);
    for (const path of ['secret', 'outside', 'data/to-file'])
      assert.deepEqual(ownerOf(join(folder, path)), roots, path);
  },
);

test('handOver gives no file that has another name, and does it all again once it can', { skip }, async (t) => {
  const folder = await temporaryFolder(t);
  const data = join(folder, 'data');
  mkdirSync(data);
  writeFileSync(join(folder, 'secret'), '');
  linkSync(join(folder, 'secret'), join(data, 'innocent'));
  assert.throws(() => handOver(data, user), { code: 'ERR_SERVE_HAND_OVER', message: /innocent/ });
  assert.deepEqual([ownerOf(join(folder, 'secret')), ownerOf(data)], [roots, roots]);
  unlinkSync(join(data, 'innocent'));
  handOver(data, user);
  assert.deepEqual(ownerOf(data), theirs);
});

test(
  "handOver looks at nothing in a folder that is the user's, and follows no link in its place",
  { skip },
  async (t) => {
    const folder = await temporaryFolder(t);
    const data = join(folder, 'data');
    mkdirSync(data);
    writeFileSync(join(data, 'of-root'), '');
    chownSync(data, user.uid, user.gid);
    handOver(data, user);
    assert.deepEqual(ownerOf(join(data, 'of-root')), roots);
    symlinkSync('data', join(folder, 'link'));
    assert.throws(() => handOver(join(folder, 'link'), user), { code: 'ENOTDIR' });
  },
);

test('serviceUser is the named one, else hob, else a number beside the containers, and never root', () => {
  const passwd =
    'root:x:0:0::/root:/bin/sh\nhob:x:998:997::/:/bin/false\nweb:x:33:34::/:/bin/sh\ntoor:x:0:0::/:/bin/sh\n';
  assert.deepEqual(serviceUser(undefined, passwd), { uid: 998, gid: 997 });
  assert.deepEqual(serviceUser(undefined, 'root:x:0:0::/root:/bin/sh\n'), { uid: 1_999_999, gid: 1_999_999 });
  assert.deepEqual(serviceUser('web', passwd), { uid: 33, gid: 34 });
  assert.deepEqual(serviceUser('1234', passwd), { uid: 1234, gid: 1234 });
  for (const bad of ['root', 'toor', 'nobody-there', '2000000', '2059999']) {
    assert.throws(() => serviceUser(bad, passwd), { code: 'ERR_CONFIG_INVALID' }, bad);
  }
});

test('refuseClosedCode tells what of the code is closed to the user, and what to do', { skip }, async (t) => {
  const top = await temporaryFolder(t);
  const program = join(top, 'dist', 'main.js');
  mkdirSync(join(top, 'dist'));
  writeFileSync(program, '');
  for (const path of [top, join(top, 'dist')]) chmodSync(path, 0o755);
  chmodSync(program, 0o644);
  refuseClosedCode(top, program, user);
  for (const [path, open, closed] of [
    [program, 0o644, 0o640],
    [join(top, 'dist'), 0o755, 0o750],
    [top, 0o755, 0o700],
  ] as const) {
    chmodSync(path, closed);
    assert.throws(() => refuseClosedCode(top, program, user), {
      code: 'ERR_NATIVE_UNSUPPORTED',
      message: new RegExp(`${path} is closed to user .* chmod -R go\\+rX ${top}`),
    });
    chmodSync(path, open);
  }
});

test('TokenStore.open() reads a plain file only: root does so in a folder that is not its own', async (t) => {
  const folder = await temporaryFolder(t);
  const path = join(folder, 'tokens.json');
  writeFileSync(join(folder, 'other'), readFileSync('/etc/hostname'));
  symlinkSync('other', path);
  await assert.rejects(TokenStore.open(folder, undefined), { code: 'ELOOP' });
  unlinkSync(path);
  writeFileSync(path, 'x'.repeat(65 * 1024));
  await assert.rejects(TokenStore.open(folder, undefined), { code: 'ERR_CONFIG_INVALID' });
});
