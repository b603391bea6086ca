import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { accessSync, constants, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { run, SetupError } from '../setup/command.mjs';
import { absentPackages, installCommand } from '../setup/debian-packages.mjs';
import { dependenciesMismatch, pinnedNode } from '../setup/dependencies.mjs';
import { checkPlatform } from '../setup/platform.mjs';

let root = '';
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'hob-setup-'));
});
afterEach(() => {
  rmSync(root, { recursive: true });
});

const host = { platform: 'linux', arch: 'x64', uid: 0, nodeVersion: '20.20.2' };

test('checkPlatform accepts root on linux x64 and arm64 with Node 20', () => {
  assert.match(checkPlatform(host), /linux x64/);
  assert.match(checkPlatform({ ...host, arch: 'arm64', nodeVersion: '26.1.0' }), /linux arm64/);
});

test('checkPlatform refuses other hosts and says what would help', () => {
  const refused = [{ platform: 'darwin' }, { arch: 'riscv64' }, { uid: 1000 }, { nodeVersion: '18.20.1' }];
  for (const difference of refused) {
    assert.throws(
      () => checkPlatform({ ...host, ...difference }),
      (error) => error instanceof SetupError && error.remedy !== '',
    );
  }
});

interface Entry {
  version: string;
  integrity?: string;
  optional?: boolean;
}

function writeLock(file: string, packages: Record<string, Entry>): void {
  mkdirSync(dirname(join(root, file)), { recursive: true });
  writeFileSync(join(root, file), JSON.stringify({ packages }));
}

test('dependenciesMismatch sees every way in which node_modules can differ from the lockfile', () => {
  const wanted = {
    'node_modules/a': { version: '1.0.0', integrity: 'sha512-a' },
    'node_modules/only-elsewhere': { version: '1.0.0', integrity: 'sha512-e', optional: true },
  };
  writeLock('package-lock.json', wanted);
  assert.match(dependenciesMismatch(root) ?? '', /missing or incomplete/);

  const present = { 'node_modules/a': wanted['node_modules/a'] };
  writeLock('node_modules/.package-lock.json', present);
  assert.match(dependenciesMismatch(root) ?? '', /node_modules\/a is missing/);

  mkdirSync(join(root, 'node_modules/a'), { recursive: true });
  assert.match(dependenciesMismatch(root) ?? '', /pinned Node is missing/);

  mkdirSync(dirname(pinnedNode(root)), { recursive: true });
  writeFileSync(pinnedNode(root), '');
  assert.equal(dependenciesMismatch(root), undefined);

  writeLock('node_modules/.package-lock.json', { 'node_modules/a': { version: '1.0.1', integrity: 'sha512-a' } });
  assert.match(dependenciesMismatch(root) ?? '', /node_modules\/a is not current/);
  writeLock('node_modules/.package-lock.json', { 'node_modules/a': { version: '1.0.0', integrity: 'sha512-b' } });
  assert.match(dependenciesMismatch(root) ?? '', /node_modules\/a is not current/);
});

test('dependenciesMismatch refuses a broken lockfile with a remedy', () => {
  writeFileSync(join(root, 'package-lock.json'), '{');
  assert.throws(
    () => dependenciesMismatch(root),
    (error) => error instanceof SetupError && error.remedy !== '',
  );
});

test('absentPackages names what is neither a file nor on the PATH', () => {
  const packages = [
    { name: 'shell', program: 'sh' },
    { name: 'no-program', program: 'hob-no-such-program' },
    { name: 'passwords', file: '/etc/passwd' },
    { name: 'no-file', file: join(root, 'absent') },
  ];
  assert.deepEqual(absentPackages(packages), ['no-program', 'no-file']);
});

test('installCommand gives dpkg a PATH on which nothing can start a service', () => {
  const path = installCommand(['redis-server']).find((argument) => argument.startsWith('DPkg::Path='));
  const [first = '', ...others] = (path ?? '').slice('DPkg::Path='.length).split(':');
  assert.ok(others.includes('/usr/sbin') && others.includes('/sbin'), 'dpkg still finds its own programs');
  for (const program of ['invoke-rc.d', 'deb-systemd-invoke']) {
    accessSync(join(first, program), constants.X_OK);
    assert.equal(execFileSync(join(first, program), ['start', 'redis-server']).toString(), '');
  }
});

test('run gives the output of a program, line by line too, and none of it on success', async () => {
  const lines: string[] = [];
  const output = await run(['sh', '-c', 'echo out; echo err >&2'], { remedy: '', onLine: (line) => lines.push(line) });
  assert.deepEqual(output.split('\n').toSorted(), ['', 'err', 'out']);
  assert.deepEqual(lines.toSorted(), ['err', 'out']);
});

test('run fails with what the program said and the remedy', async () => {
  const failing = run(['sh', '-c', 'echo the cause >&2; exit 3'], { remedy: 'do this' });
  await assert.rejects(failing, (error) => {
    assert.ok(error instanceof SetupError);
    assert.match(error.message, /exit code 3/);
    assert.deepEqual([error.output, error.remedy], ['the cause\n', 'do this']);
    return true;
  });
  await assert.rejects(run(['/nonexistent/program'], { remedy: 'do that' }), SetupError);
});
