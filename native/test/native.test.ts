import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { release, tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { runtimeCalls, systemCalls } from '@hob/contracts';
import {
  hostNative,
  libraryPath,
  loadFilters,
  seccompProfilePath,
  selinuxPolicyPath,
  apparmorProfilePath,
  tryLock,
} from '@hob/native';

const run = promisify(execFile);
const folder = fileURLToPath(new URL('..', import.meta.url));

test('libhob passes its fault sweep under AddressSanitizer and UndefinedBehaviorSanitizer', async () => {
  await run('make', ['--silent', 'dist/sanitized-test'], { cwd: folder });
  const { stdout } = await run(join(folder, 'dist/sanitized-test'), [seccompProfilePath, join(folder, 'dist/inside')]);
  const checks = Number(/^(\d+) checks passed$/m.exec(stdout)?.[1]);
  assert.ok(checks > 500, stdout);
});

test('libhob tells of each system call that a filter holds up, under the same sanitizers', async () => {
  await run('make', ['--silent', 'dist/sanitized-notices'], { cwd: folder });
  const { stdout } = await run(join(folder, 'dist/sanitized-notices'), [seccompProfilePath]);
  assert.ok(Number(/^(\d+) checks passed$/m.exec(stdout)?.[1]) > 200, stdout);
});

test('libhob makes, links and filters network namespaces, under the same sanitizers', async () => {
  await run('make', ['--silent', 'dist/sanitized-network'], { cwd: folder });
  const { stdout } = await run(join(folder, 'dist/sanitized-network'));
  assert.ok(Number(/^(\d+) checks passed$/m.exec(stdout)?.[1]) > 40_000, stdout);
});

test('after hob_trim no memory is given out that was free between what is in use', async () => {
  await run('make', ['--silent', 'dist/trim-test'], { cwd: folder });
  assert.equal((await run(join(folder, 'dist/trim-test'))).stdout, '0\n');
});

/** Whether this kernel gives them when it is asked to, as it does since Linux 6.1. */
async function hasHugePages(): Promise<boolean> {
  const [major = 0, minor = 0] = release().split('.').map(Number);
  const modes = await readFile('/sys/kernel/mm/transparent_hugepage/enabled', 'utf8').catch(() => '[never]');
  return !modes.includes('[never]') && (major > 6 || (major === 6 && minor >= 1));
}

test('after hob_gather the memory that is in use lies in huge pages, as it was', async (t) => {
  await run('make', ['--silent', 'dist/gather-test'], { cwd: folder });
  const { stdout } = await run(join(folder, 'dist/gather-test'));
  assert.match(stdout, /^\d+ \d+ 0\n$/);
  if (!(await hasHugePages())) return t.skip('this kernel has no huge pages to give');
  const [gathered, inUse] = stdout.split(' ').map(Number);
  assert.ok((gathered ?? 0) >= 4 && inUse === 4, stdout);
});

test('every rule of the seccomp profile has a reason', async () => {
  const lines = (await readFile(seccompProfilePath, 'utf8')).split('\n');
  const rules = lines.filter((line) => line.trim() !== '' && !line.startsWith('#'));
  assert.ok(rules.length > 80);
  for (const rule of rules) assert.match(rule, /#\s*\S{2,}/, rule);
});

test('every rule of the AppArmor profile has a reason', async () => {
  const lines = (await readFile(apparmorProfilePath, 'utf8')).split('\n');
  const rules = lines.filter((line) => /,(?:\s|$)/.test(line) && !line.startsWith('#'));
  assert.ok(rules.length > 20);
  for (const rule of rules) assert.match(rule, /,\s+#\s.{4,}/, rule);
});

test('every rule of the SELinux policy has a reason', async () => {
  const lines = (await readFile(selinuxPolicyPath, 'utf8')).split('\n');
  let open = 0;
  let rules = 0;
  for (const line of lines.filter((each) => !each.startsWith(';'))) {
    const [code = '', reason = ''] = line.split(' ; ');
    open += code.split('(').length - code.split(')').length;
    if (open > 0 || code === '') continue;
    rules += 1;
    assert.match(reason, /\S{2,}/, line);
  }
  assert.equal(open, 0);
  assert.ok(rules > 60);
});

test('tryLock lends a file to one holder at a time', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'hob-lock-'));
  try {
    const first = tryLock(join(dir, 'lock'));
    assert.ok(first);
    assert.equal(tryLock(join(dir, 'lock')), undefined);
    first.release();
    const second = tryLock(join(dir, 'lock'));
    assert.ok(second);
    second.release();
  } finally {
    await rm(dir, { recursive: true });
  }
});

test('Native.loadFilter names the line that it cannot read', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'hob-profile-'));
  try {
    await writeFile(join(dir, 'profile'), 'default errno ENOSYS # why\n\nallow nothing_like_it # why\n');
    assert.throws(() => hostNative().loadFilter(join(dir, 'profile')), {
      code: 'ERR_NATIVE_SYSCALL',
      message: 'profile line 3: EINVAL',
    });
    assert.throws(() => hostNative().loadFilter(join(dir, 'absent')), { message: 'open profile: ENOENT' });
  } finally {
    await rm(dir, { recursive: true });
  }
});

test('Native.reap refuses a process that is no child', () => {
  assert.throws(() => hostNative().reap(1), { code: 'ERR_NATIVE_SYSCALL', message: 'reap: ECHILD' });
});

test('the names of system calls are those that libseccomp knows', () => {
  const filters = loadFilters(libraryPath);
  const calls = Array.from({ length: 1024 }, (_, call) => filters.callName(call)).filter((name) => name !== undefined);
  assert.ok(calls.length > 300);
  for (const name of calls) assert.ok(systemCalls.has(name), `${name} is not listed`);
  const compile = (...names: string[]): Buffer =>
    filters.compile(seccompProfilePath, { calls: names, callsKept: false, dangerous: false });
  assert.ok(compile(...systemCalls).byteLength > 0);
  assert.throws(() => compile('no_such_call'), { code: 'ERR_NATIVE_SYSCALL', message: 'notices: EINVAL' });
});

test('the seccomp profile allows every call that the runtime needs', async () => {
  const lines = (await readFile(seccompProfilePath, 'utf8')).split('\n');
  const allowed = lines.flatMap((line) => /^allow ([^#]*?)(?: when .*)?\s*#/.exec(line)?.[1]?.split(/,\s*/) ?? []);
  for (const name of runtimeCalls) assert.ok(allowed.includes(name), name);
});
