import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { AccountReader } from '../../src/driver/cgroup-account.ts';

/** A folder with the files of an account, as cgroup v2 has them. */
function folder(t: TestContext) {
  const path = mkdtempSync(join(tmpdir(), 'hob-account-'));
  t.after(() => rmSync(path, { recursive: true }));
  const write = (name: string, text: string): void => writeFileSync(join(path, name), text);
  write('cpu.stat', 'usage_usec 1500\nuser_usec 1000\nsystem_usec 500\n');
  write('memory.peak', '4096\n');
  write('pids.events', 'max 0\n');
  write('memory.events', 'low 0\nhigh 0\nmax 7\noom 3\noom_kill 0\noom_group_kill 1\n');
  const reader = (): AccountReader =>
    new AccountReader({
      cpu: { path: join(path, 'cpu.stat'), key: 'usage_usec ' },
      cpuUnitsPerMs: 1000,
      memory: { path: join(path, 'memory.current'), key: '' },
      memoryPeak: { path: join(path, 'memory.peak'), key: '' },
      pidsDenied: { path: join(path, 'pids.events'), key: 'max ' },
      oomKills: { path: join(path, 'memory.events'), key: 'oom_kill ' },
    });
  return { path, write, reader };
}

const numbers = (account: AccountReader): number[] => [account.cpuMs(), account.memoryPeakBytes()];
const openFiles = (): number => readdirSync('/proc/self/fd').length;

test('AccountReader reads what is in the files now', (t) => {
  const { write, reader } = folder(t);
  const account = reader();
  assert.deepEqual(numbers(account), [1.5, 4096]);
  assert.equal(account.breach(), undefined);
  write('cpu.stat', 'usage_usec 123456789\n');
  write('memory.peak', '8589934592\n');
  assert.deepEqual(numbers(account), [123_456.789, 8_589_934_592]);
  write('pids.events', 'max 2\n');
  assert.equal(account.breach(), 'pids');
  write('memory.events', 'oom_kill 12\n');
  assert.equal(account.breach(), 'oom');
  account.close();
});

test('AccountReader keeps the last numbers when it is closed or a file says nothing', (t) => {
  const before = openFiles();
  const { write, reader } = folder(t);
  const account = reader();
  numbers(account);
  write('cpu.stat', '');
  write('memory.peak', '8192\n');
  assert.deepEqual(numbers(account), [1.5, 8192]);
  write('cpu.stat', 'usage_usec 2500\n');
  account.close();
  account.close();
  assert.equal(openFiles(), before);
  assert.deepEqual(numbers(account), [2.5, 8192]);
  account.restartPeak();
  assert.equal(account.breach(), undefined);
});

test('AccountReader opens nothing when one of its files is missing', (t) => {
  const { path, reader } = folder(t);
  const before = openFiles();
  for (const name of ['memory.events', 'pids.events', 'memory.peak', 'cpu.stat']) {
    rmSync(join(path, name));
    assert.throws(reader, { code: 'ENOENT' });
    assert.equal(openFiles(), before);
  }
});

test('AccountReader starts the peak anew by writing to its file', (t) => {
  const { path, reader } = folder(t);
  chmodSync(join(path, 'memory.peak'), 0o600);
  const account = reader();
  account.restartPeak();
  assert.equal(account.memoryPeakBytes(), 96, 'of 4096, the first digit was overwritten');
  account.close();
});
