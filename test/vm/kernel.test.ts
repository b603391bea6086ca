import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

const read = (path: string): string => readFileSync(path, 'utf8').trim();

test('this guest has cgroup v2 with every controller that hob uses, and no v1', () => {
  const controllers = read('/sys/fs/cgroup/cgroup.controllers').split(' ');
  for (const name of ['cpu', 'io', 'memory', 'pids']) assert.ok(controllers.includes(name), name);
  assert.doesNotMatch(read('/proc/self/mountinfo'), / - cgroup /);
});

test('this guest has its own kernel, and what is written here does not reach the host', () => {
  assert.match(read('/proc/version'), /Debian/);
  const root = read('/proc/self/mounts')
    .split('\n')
    .find((line) => line.split(' ')[1] === '/');
  assert.match(root ?? '', /^overlay \/ overlay .*upperdir=\/memory\//);
});
