import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  checkFunctionConfig,
  isHobError,
  parseFunctionConfig,
  runtimeCalls,
  setInFunctionConfig,
  smallestRules,
  systemCalls,
} from '../src/index.ts';

function problemsOf(seccomp: string): string[] {
  try {
    parseFunctionConfig(`{ "name": "a",\n  "seccomp": ${seccomp} }`, 'hob.json');
  } catch (error) {
    assert.ok(isHobError(error) && error.code === 'ERR_CONFIG_INVALID', String(error));
    return error.message.split('\n');
  }
  return assert.fail('it was accepted');
}

test('seccomp takes names of system calls, of every architecture', () => {
  for (const seccomp of [
    {},
    { deny: [] },
    { deny: ['mkdir', 'mkdirat', 'ptrace', 'seccomp'] },
    { allow: ['openat'], onViolation: 'kill' as const },
    { allow: [...runtimeCalls] },
  ]) {
    assert.deepEqual(checkFunctionConfig({ name: 'a', seccomp }).seccomp, seccomp);
  }
  assert.equal(Object.hasOwn(checkFunctionConfig({ name: 'a' }), 'seccomp'), false);
});

test('seccomp refuses unknown names at their place, and says what was meant', () => {
  assert.deepEqual(problemsOf('{ "deny": ["mkdir", "mkdr",\n "system"] }'), [
    'hob.json:2:34 seccomp.deny[1]: is no system call; did you mean "mkdir"?',
    'hob.json:3:2 seccomp.deny[2]: is no system call',
  ]);
  assert.deepEqual(problemsOf('{ "allow": ["zzzzzzzzzzzz", "Open", "__proto__"] }'), [
    'hob.json:2:26 seccomp.allow[0]: is no system call',
    'hob.json:2:42 seccomp.allow[1]: is no system call; did you mean "open"?',
    'hob.json:2:50 seccomp.allow[2]: is no system call',
  ]);
});

test('seccomp refuses to deny what the runtime itself needs', () => {
  for (const name of ['write', 'epoll_wait', 'exit_group', 'futex', 'mmap', ...runtimeCalls]) {
    assert.ok(systemCalls.has(name), name);
    assert.deepEqual(problemsOf(`{ "deny": ["${name}"] }`), [
      'hob.json:2:25 seccomp.deny[0]: is a system call that the runtime itself needs; it cannot be denied',
    ]);
  }
});

test('seccomp refuses both lists together, unknown keys and other types', () => {
  assert.deepEqual(problemsOf('{ "allow": [], "deny": [] }'), [
    'hob.json:2:29 seccomp.deny: cannot be set together with allow, which denies all others',
  ]);
  assert.deepEqual(problemsOf('{ "denny": [] }'), ['hob.json:2:16 seccomp.denny: is no setting; did you mean "deny"?']);
  assert.deepEqual(problemsOf('{ "kill": true }'), [
    'hob.json:2:16 seccomp.kill: is no setting; there are deny, allow, onViolation',
  ]);
  assert.deepEqual(problemsOf('{ "onViolation": "trap" }'), [
    'hob.json:2:16 seccomp.onViolation: must be "errno" or "kill"',
  ]);
  assert.deepEqual(problemsOf('{ "deny": "mkdir" }'), [
    'hob.json:2:16 seccomp.deny: must be a list of at most 512 strings, not a string',
  ]);
  assert.deepEqual(problemsOf('{ "deny": [5] }'), [
    'hob.json:2:25 seccomp.deny[0]: must be a string of 1 to 32 characters, not 5',
  ]);
  assert.deepEqual(problemsOf('["mkdir"]'), ['hob.json:2:3 seccomp: must be an object, not a list']);
});

test('smallestRules leaves out what the runtime has anyway, and what has no name', () => {
  assert.deepEqual(smallestRules(['write', 'socket', 'mkdir', 'number 999', 'mkdir']), { allow: ['mkdir', 'socket'] });
});

test('setInFunctionConfig keeps comments, order and line ends', () => {
  const text = '\uFEFF{\r\n  // mine\r\n  "name": "a", // its name\r\n  "memoryMb": 128,\r\n}\r\n';
  const added = setInFunctionConfig(text, 'seccomp', { allow: ['socket'] });
  assert.ok(added.startsWith('\uFEFF{\r\n  // mine\r\n  "name": "a", // its name\r\n  "memoryMb": 128,'), added);
  assert.deepEqual(parseFunctionConfig(added, 'hob.json').seccomp, { allow: ['socket'] });
  assert.doesNotMatch(added, /[^\r]\n/);
  const replaced = setInFunctionConfig(added, 'seccomp', { allow: [] });
  assert.deepEqual(parseFunctionConfig(replaced, 'hob.json').seccomp, { allow: [] });
  assert.ok(replaced.includes('// its name'));
  assert.deepEqual(parseFunctionConfig(setInFunctionConfig('{"name":"a"}', 'seccomp', {}), 'x').seccomp, {});
});
