import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { guestKinds } from '../../vm/guests.ts';
import { type GuestEnd, type GuestOptions, runGuest } from '../../vm/guest.ts';

const root = resolve(import.meta.dirname, '../../..');
const { kernelArguments } = guestKinds.apparmor;

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'hob-guest-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

interface Run extends GuestEnd {
  readonly lines: string[];
}

async function run(job: string, changes: Partial<GuestOptions> = {}, signal?: AbortSignal): Promise<Run> {
  const lines: string[] = [];
  const fixed = { root, kernelArguments, job, files: new Map(), results: join(folder, 'results'), memoryMb: 512 };
  const options = { ...fixed, timeoutMs: 300_000, onLine: (line: string) => void lines.push(line), ...changes };
  return { ...(await runGuest(options, signal)), lines };
}

const leftovers = (): string[] => readdirSync(join(root, '.hob/vm')).filter((name) => name.startsWith('run-'));

test("runGuest gives the job's output, exit code and results, and keeps its writes from the host", async () => {
  const job = 'cat /share/given; cp /share/given /share/results/copy; echo x >/root/hob-was-here; exit 7';
  const end = await run(job, { files: new Map([['given', 'a line\n']]) });
  assert.deepEqual([end.exitCode, end.problem, end.lines], [7, '', ['a line']]);
  assert.equal(readFileSync(join(folder, 'results/copy'), 'utf8'), 'a line\n');
  assert.equal(existsSync('/root/hob-was-here'), false);
  assert.deepEqual(leftovers(), []);
});

test('runGuest removes what a killed run left, and nothing of one that goes on', async () => {
  const gone = spawnSync(process.execPath, ['--version']).pid;
  const [dead, alive] = [gone, process.ppid].map((pid) => join(root, '.hob/vm', `run-${pid}-test`));
  for (const path of [dead, alive]) mkdirSync(path ?? '');
  try {
    await run('sleep 1000', {}, AbortSignal.abort());
    assert.deepEqual(leftovers(), [`run-${process.ppid}-test`]);
  } finally {
    rmSync(alive ?? '', { recursive: true });
  }
});

test('runGuest tells of a kernel that panics, with the end of its console', async () => {
  const end = await run('echo c >/proc/sysrq-trigger');
  assert.equal(end.exitCode, undefined);
  assert.match(end.problem, /without a result.*Kernel panic/s);
  assert.deepEqual(leftovers(), []);
});

test('runGuest ends a guest that hangs, and one whose caller gives up', async () => {
  const hung = await run('sleep 1000', { timeoutMs: 1000 });
  assert.match(hung.problem, /did not end within 1 s/);
  const cancelled = await run('sleep 1000', {}, AbortSignal.abort());
  assert.match(cancelled.problem, /cancelled/);
  assert.deepEqual(leftovers(), []);
});

test('runGuest tells of a guest that cannot start', async () => {
  const end = await run('true', { kernelArguments: 'rdinit=/absent' });
  assert.equal(end.exitCode, undefined);
  assert.match(end.problem, /console:\n.*(?:panic|init)/s);
});
