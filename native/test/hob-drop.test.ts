import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import { chownSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const folder = fileURLToPath(new URL('..', import.meta.url));
const program = join(folder, 'dist/sanitized-drop');
const uid = 1_999_998;
const gid = 1_999_997;
const skip = process.getuid?.() === 0 ? false : 'only root can drop anything';

/** Runs a shell script by hob-drop, built with the sanitizers. */
async function drop(options: readonly string[], script: string) {
  await promisify(execFile)('make', ['--silent', 'dist/sanitized-drop'], { cwd: folder });
  // A descriptor that nobody closes on the way, as a careless parent leaves them.
  const stdio = [...Array.from<'pipe'>({ length: 3 }).fill('pipe'), 'pipe', 'pipe', 'pipe', 'pipe'] as const;
  const command = [String(uid), String(gid), ...options, '--', '/bin/sh', '-c', script];
  const { status, stdout, stderr } = spawnSync(program, command, { encoding: 'utf8', stdio: [...stdio] });
  return { status, stdout, stderr };
}

/** A folder that is closed to everybody but root, with one inside that is the user's. */
function closedFolder(t: TestContext): { readonly closed: string; readonly own: string } {
  const closed = mkdtempSync(join(tmpdir(), 'hob-drop-'));
  t.after(() => rmSync(closed, { recursive: true }));
  const own = join(closed, 'between', 'own');
  mkdirSync(own, { recursive: true });
  writeFileSync(join(closed, 'secret'), 'of root');
  chownSync(own, uid, gid);
  return { closed, own };
}

test(
  'hob-drop leaves nothing of root: ids, groups, capabilities, privileges to gain, descriptors',
  { skip },
  async () => {
    const { status, stdout, stderr } = await drop(['no-ports'], 'cat /proc/self/status; ls /proc/self/fd');
    assert.equal(status, 0, stderr);
    const field = (name: string): string => new RegExp(`^${name}:[ \\t]*(.*)$`, 'm').exec(stdout)?.[1] ?? '';
    assert.equal(field('Uid'), Array.from({ length: 4 }).fill(uid).join('\t'));
    assert.equal(field('Gid'), Array.from({ length: 4 }).fill(gid).join('\t'));
    assert.equal(field('Groups').trim(), '');
    for (const set of ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb']) assert.equal(field(set), '0000000000000000');
    assert.equal(field('NoNewPrivs'), '1');
    // 6 is the listed folder's own.
    assert.deepEqual(stdout.trim().split('\n').slice(-7), ['0', '1', '2', '3', '4', '5', '6']);
  },
);

test('hob-drop lets the program have ports below 1024 and nothing else, when told to', { skip }, async () => {
  const { stdout } = await drop(['ports'], 'grep Cap /proc/self/status');
  const sets = [...stdout.matchAll(/^Cap...:\t([0-9a-f]+)$/gm)].map(([, set]) => set);
  assert.deepEqual(sets, Array.from({ length: 5 }).fill('0000000000000400'));
});

test('hob-drop shows the way to what is needed below a closed folder, and nothing else of it', { skip }, async (t) => {
  const { closed, own } = closedFolder(t);
  const script = `echo data > ${own}/file; ls -A ${closed}; ls -A ${closed}/between; cat ${closed}/secret`;
  const { stdout, stderr } = await drop(['no-ports', own, folder], script);
  assert.equal(stdout, 'between\nown\n');
  assert.match(stderr, /secret: No such file/);
  assert.equal(readFileSync(join(own, 'file'), 'utf8'), 'data\n');
  assert.equal(statSync(join(own, 'file')).uid, uid);
  assert.equal(statSync(closed).mode & 0o777, 0o700, 'nothing is changed for others');
  assert.ok(!readFileSync('/proc/self/mountinfo', 'utf8').includes(closed));
});

test('hob-drop shows two folders below one that is closed', { skip }, async (t) => {
  const { closed, own } = closedFolder(t);
  const other = join(closed, 'other');
  mkdirSync(other, { mode: 0o755 });
  writeFileSync(join(other, 'file'), 'readable');
  const { stdout } = await drop(['no-ports', own, other], `cat ${other}/file; test -w ${own} && ls -A ${closed}`);
  assert.equal(stdout, 'readablebetween\nother\n');
});

test('hob-drop runs nothing when a step fails', { skip }, async (t) => {
  const { closed } = closedFolder(t);
  const { status, stdout, stderr } = await drop(['no-ports', closed], 'echo ran');
  assert.deepEqual([status, stdout], [126, '']);
  assert.match(stderr, new RegExp(`enter ${closed}: Permission denied`));
  for (const options of [[], ['maybe'], ['no-ports', 'relative']]) {
    assert.deepEqual((({ status, stdout }) => [status, stdout])(await drop(options, 'echo ran')), [126, '']);
  }
  for (const ids of [
    ['0', '5'],
    ['5', '0'],
    ['-1', '5'],
    ['5x', '5'],
    ['4294967295', '5'],
  ]) {
    const { status } = spawnSync(program, [...ids, 'no-ports', '--', '/bin/true']);
    assert.equal(status, 126, ids.join(' '));
  }
  const unprivileged = spawnSync(program, ['5', '5', 'no-ports', '--', '/bin/true'], { uid: 1_999_996 });
  assert.notEqual(unprivileged.status, 0);
});
