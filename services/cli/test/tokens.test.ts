import assert from 'node:assert/strict';
import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { OperatorTokens } from '../src/operator-tokens.ts';
import { TokenStore } from '../src/serve/token-store.ts';
import { temporaryFolder } from './fakes/command-run.ts';

test('TokenStore.open() makes a token once, and stores only its hash, mode 0600', async (t) => {
  const folder = await temporaryFolder(t);
  const first = await TokenStore.open(folder, undefined);
  const { created } = first;
  assert.match(created ?? '', /^hob_[A-Za-z0-9_-]{43}$/);
  assert.ok(first.verify(created ?? ''));
  assert.deepEqual(await readdir(folder), [], 'nothing lasts before the token can have been shown');
  await first.save();
  assert.deepEqual(await readdir(folder), ['tokens.json']);
  assert.equal((await stat(join(folder, 'tokens.json'))).mode & 0o777, 0o600);
  assert.ok(!(await readFile(join(folder, 'tokens.json'), 'utf8')).includes((created ?? '').slice(4)));
  const second = await TokenStore.open(folder, undefined);
  assert.equal(second.created, undefined);
  await second.save();
  assert.ok(second.verify(created ?? ''));
  assert.ok(!second.verify(`${created}x`));
  assert.ok(!second.verify(''));
});

test('TokenStore.open() takes the given token at the first start, and keeps to it', async (t) => {
  const folder = await temporaryFolder(t);
  const first = await TokenStore.open(folder, 'a-token-of-my-own');
  assert.ok(first.verify('a-token-of-my-own'));
  await first.save();
  const second = await TokenStore.open(folder, 'another-token-here');
  assert.ok(!second.verify('another-token-here'));
  assert.ok(second.verify('a-token-of-my-own'));
});

test('TokenStore.open() refuses a short token and a damaged file', async (t) => {
  const folder = await temporaryFolder(t);
  await assert.rejects(TokenStore.open(folder, 'short'), { code: 'ERR_CONFIG_INVALID' });
  assert.deepEqual(await readdir(folder), []);
  for (const damaged of ['', '{}', '{"tokens":[]}', '{"tokens":[{"sha256":"x","createdAt":""}]}']) {
    await writeFile(join(folder, 'tokens.json'), damaged);
    await assert.rejects(TokenStore.open(folder, undefined), { code: 'ERR_CONFIG_INVALID' });
  }
});

test('OperatorTokens keeps the tokens of several servers in a file that only its owner reads', async (t) => {
  const home = await temporaryFolder(t);
  const tokens = new OperatorTokens({ HOME: home });
  assert.equal(tokens.path, join(home, '.config', 'hob', 'token'));
  assert.equal(await tokens.get('http://a'), undefined);
  await tokens.set(['http://a'], 'first');
  await tokens.set(['http://b', 'file:///b'], 'second');
  assert.equal(await tokens.get('http://a'), 'first');
  assert.equal(await tokens.get('file:///b'), 'second');
  assert.equal((await stat(tokens.path)).mode & 0o777, 0o600);
  assert.equal((await stat(join(home, '.config', 'hob'))).mode & 0o777, 0o700);
  assert.deepEqual(await readdir(join(home, '.config', 'hob')), ['token']);
});

test('OperatorTokens refuses a damaged file and does not overwrite it', async (t) => {
  const home = await temporaryFolder(t);
  const tokens = new OperatorTokens({ HOME: home });
  await tokens.set(['http://a'], 'first');
  await writeFile(tokens.path, '{"http://a":');
  await assert.rejects(tokens.get('http://a'), { code: 'ERR_CONFIG_INVALID' });
  await assert.rejects(tokens.set(['http://a'], 'x'), { code: 'ERR_CONFIG_INVALID' });
  assert.equal(await readFile(tokens.path, 'utf8'), '{"http://a":');
});
