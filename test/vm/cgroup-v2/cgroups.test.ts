import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, test } from 'node:test';
import { until } from '../../support/until.ts';

const TREE = '/sys/fs/cgroup';
/** A group as a service's is, one level below the top. */
const slice = join(TREE, 'test.slice');
const group = join(slice, 'test.service');
const program = join(import.meta.dirname, 'driver-process.ts');

beforeEach(() => mkdirSync(group, { recursive: true }));
afterEach(() => {
  for (const folder of [join(group, 'hob-serve'), group, slice]) if (existsSync(folder)) rmdirSync(folder);
});

const folders = (parent: string): string[] =>
  readdirSync(parent, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name);

/** Gives the group controllers, as systemd does. */
function handDown(): void {
  for (const parent of [TREE, slice]) writeFileSync(join(parent, 'cgroup.subtree_control'), '+cpu +memory +pids');
}

/** Puts a driver into the group. @param way shell words that start the rest of the line. @returns what it says. */
async function openIn(way: string): Promise<{ own: string; container: string }> {
  const script = `echo $$ >${group}/cgroup.procs && exec ${way} "$@"`;
  const command = [process.execPath, '--conditions=@hob/source', program];
  const child = spawn('sh', ['-c', script, 'sh', ...command], { stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = once(child, 'exit');
  const [line] = await Promise.race([once(createInterface(child.stdout), 'line'), ended.then(() => ['null'])]);
  child.stdin.end();
  assert.deepEqual(await ended, [0, null]);
  await until('the group is empty', () => {
    const left = [group, join(group, 'hob-serve')].filter((folder) => existsSync(folder));
    return left.every((folder) => readFileSync(join(folder, 'cgroup.procs'), 'utf8') === '');
  });
  return JSON.parse(line);
}

test('hob makes its cgroups in the group that systemd delegated to it, moves out of their way, and leaves none', async () => {
  handDown();
  // As systemd marks a group for Delegate=yes. 188 is setxattr(2).
  execFileSync('perl', [
    '-e',
    `my ($path, $name, $value) = ("${group}", "user.delegate", "1");
     syscall(188, $path, $name, $value, 1, 0) == 0 or die $!`,
  ]);
  const { own, container } = await openIn('env');
  assert.equal(own, '0::/test.slice/test.service/hob-serve');
  assert.match(container, /^0::\/test\.slice\/test\.service\/hob\/placed\/c-/);
  assert.deepEqual(folders(group), ['hob-serve']);
  assert.equal(existsSync(join(TREE, 'hob', 'placed')), false);
});

test('hob makes its cgroups at the top of a cgroup namespace, as in a container of another runtime', async () => {
  handDown();
  const { own, container } = await openIn(
    `unshare --cgroup --mount sh -c 'umount ${TREE} && mount -t cgroup2 cgroup2 ${TREE} && exec "$@"' sh`,
  );
  assert.equal(own, '0::/hob-serve');
  assert.match(container, /^0::\/hob\/placed\/c-/);
  assert.deepEqual(folders(group), ['hob-serve']);
});

test('hob makes its cgroups at the top of the tree when nothing was delegated, and leaves none', async () => {
  const { own, container } = await openIn('env');
  assert.equal(own, '0::/test.slice/test.service');
  assert.match(container, /^0::\/hob\/placed\/c-/);
  assert.equal(existsSync(join(TREE, 'hob', 'placed')), false);
});
