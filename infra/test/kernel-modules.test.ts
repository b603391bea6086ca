import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { SetupError } from '../setup/command.mjs';
import { readModules, sortModules } from '../setup/kernel-modules.mjs';

let tree = '';
beforeEach(() => {
  tree = mkdtempSync(join(tmpdir(), 'hob-modules-'));
  mkdirSync(join(tree, 'kernel/net'), { recursive: true });
  writeFileSync(join(tree, 'modules.builtin'), 'kernel/lib/built-in.ko\n');
  for (const [name, needs] of Object.entries({ 'top-most': 'middle,low_est', middle: 'low_est', 'low-est': '' })) {
    writeFileSync(join(tree, 'kernel/net', `${name}.ko`), `\0license=GPL\0depends=${needs}\0name=${name}\0`);
  }
});
afterEach(() => {
  rmSync(tree, { recursive: true });
});

test('sortModules puts each module once, after those that it depends on, and knows - and _ as the same', () => {
  const files = sortModules(readModules(tree), ['middle', 'top_most', 'built_in']);
  assert.deepEqual(
    files.map((file) => basename(file)),
    ['low-est.ko', 'middle.ko', 'top-most.ko'],
  );
});

test('sortModules refuses a module that this kernel does not have', () => {
  assert.throws(() => sortModules(readModules(tree), ['absent']), SetupError);
});
