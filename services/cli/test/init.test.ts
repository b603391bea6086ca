import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { isFunctionName } from '../src/commands/target.ts';
import { nameFromFolder } from '../src/commands/init.ts';
import { parseFunctionConfig } from '@hob/contracts';
import * as fc from 'fast-check';
import { hob, temporaryFolder } from './fakes/command-run.ts';

for (const [template, entry] of [
  ['ts', 'index.ts'],
  ['js', 'index.js'],
  ['event', 'index.ts'],
] as const) {
  test(`hob init --template ${template} writes a hob.json that is accepted, and its entry`, async (t) => {
    const folder = join(await temporaryFolder(t), 'My Été_function');
    const { code, stdout, stderr } = await hob(['init', folder, '--template', template, '--json']);
    assert.equal(code, 0, stderr);
    const { name, files } = JSON.parse(stdout) as { name: string; files: string[] };
    assert.equal(name, 'my-ete-function');
    assert.deepEqual(files, [join(folder, 'hob.json'), join(folder, entry)]);
    const config = parseFunctionConfig(await readFile(join(folder, 'hob.json'), 'utf8'), 'hob.json');
    assert.equal(config.name, name);
    assert.equal(config.entry, entry);
    assert.match(await readFile(join(folder, entry), 'utf8'), /^export /m);
  });
}

test('hob init overwrites nothing, and then writes nothing', async (t) => {
  const folder = await temporaryFolder(t);
  await writeFile(join(folder, 'index.ts'), 'mine');
  const { code, stderr } = await hob(['init', folder, '--name', 'mine']);
  assert.equal(code, 2);
  assert.match(stderr, /index\.ts exists already.*\(ERR_CLI_USAGE\)/);
  assert.deepEqual(await readdir(folder), ['index.ts']);
  assert.equal(await readFile(join(folder, 'index.ts'), 'utf8'), 'mine');
});

test('hob init refuses a bad --name, and a folder that gives none', async (t) => {
  const folder = join(await temporaryFolder(t), '123');
  await mkdir(folder);
  for (const argv of [
    ['init', folder],
    ['init', folder, '--name', 'Not_Good'],
  ]) {
    const { code } = await hob(argv);
    assert.equal(code, 2);
  }
  assert.deepEqual(await readdir(folder), []);
});

test('nameFromFolder() gives a valid name for every folder, or none', () => {
  const folder = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 80 }).filter((name) => !name.includes('/'));
  fc.assert(
    fc.property(folder, (name) => {
      let made: string;
      try {
        made = nameFromFolder(`/x/${name}`);
      } catch (error) {
        assert.equal((error as { code?: string }).code, 'ERR_CLI_USAGE');
        return;
      }
      assert.ok(isFunctionName(made), made);
    }),
  );
});
