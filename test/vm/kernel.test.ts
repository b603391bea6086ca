import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

test('this guest has cgroup v2 with every controller that hob uses, and no v1', () => {
  const controllers = readFileSync('/sys/fs/cgroup/cgroup.controllers', 'utf8').trim().split(' ');
  for (const name of ['cpu', 'io', 'memory', 'pids']) assert.ok(controllers.includes(name), name);
  assert.doesNotMatch(readFileSync('/proc/self/mountinfo', 'utf8'), / - cgroup /);
});
