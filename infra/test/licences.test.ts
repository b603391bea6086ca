import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { allowedLicences, isAllowed, licenceProblems } from '../licences.ts';

let root = '';
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'hob-licences-'));
  mkdirSync(join(root, 'node_modules'));
});
afterEach(() => {
  rmSync(root, { recursive: true });
});

function install(packages: Record<string, object>): void {
  const paths = Object.keys(packages).map((name) => [`node_modules/${name}`, {}]);
  writeFileSync(join(root, 'node_modules/.package-lock.json'), JSON.stringify({ packages: Object.fromEntries(paths) }));
  for (const [name, manifest] of Object.entries(packages)) {
    mkdirSync(join(root, 'node_modules', name));
    const text = JSON.stringify({ name, version: '1.0.0', ...manifest });
    writeFileSync(join(root, 'node_modules', name, 'package.json'), text);
  }
}

test('isAllowed reads SPDX expressions: OR is a choice, AND is both, the rest is refused', () => {
  for (const expression of ['MIT', '(MIT OR GPL-3.0-only)', 'GPL-2.0-only OR (ISC AND MIT)', 'MIT AND Apache-2.0']) {
    assert.equal(isAllowed(expression, allowedLicences), true, expression);
  }
  const refused = [
    'GPL-3.0-only',
    'MIT AND GPL-3.0-only',
    'none',
    '',
    'MIT OR',
    '(MIT',
    'MIT)',
    'SEE LICENSE IN x',
    'MIT ISC',
  ];
  for (const expression of refused) assert.equal(isAllowed(expression, allowedLicences), false, expression);
});

test('licenceProblems names packages with another licence or none, in old forms of the field too', () => {
  install({
    good: { license: 'MIT' },
    old: { license: { type: 'ISC' } },
    older: { licenses: [{ type: 'GPL-2.0' }, { type: 'MIT' }] },
    copyleft: { license: 'AGPL-3.0-only' },
    silent: {},
  });
  const problems = licenceProblems(root).map((line) => line.split(':')[0]);
  assert.deepEqual(problems, ['copyleft@1.0.0', 'silent@1.0.0']);
});

test('licenceProblems is not content with an empty installation', () => {
  install({});
  assert.equal(licenceProblems(root).length, 1);
});
