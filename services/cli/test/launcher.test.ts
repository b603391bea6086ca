import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { temporaryFolder } from './fakes/command-run.ts';

const launcher = fileURLToPath(new URL('../bin/hob.mjs', import.meta.url));
const modules = fileURLToPath(new URL('../../../node_modules', import.meta.url));

/** A package folder with the real launcher, and a main program of the test. */
async function packageWith(t: TestContext, main: string | undefined): Promise<string> {
  const folder = await temporaryFolder(t);
  await mkdir(join(folder, 'bin'));
  await copyFile(launcher, join(folder, 'bin', 'hob.mjs'));
  await symlink(modules, join(folder, 'node_modules'));
  await writeFile(join(folder, 'package.json'), '{"type":"module"}');
  if (main !== undefined) {
    await mkdir(join(folder, 'dist'));
    await writeFile(join(folder, 'dist', 'main.js'), main);
  }
  return join(folder, 'bin', 'hob.mjs');
}

function start(path: string, args: readonly string[] = []) {
  return spawn(process.execPath, [path, ...args], { stdio: ['pipe', 'pipe', 'pipe'] });
}

test('the launcher goes on in the pinned Node with the arguments, the streams and the exit code', async (t) => {
  const path = await packageWith(
    t,
    `process.stdout.write(JSON.stringify([process.execPath, process.argv.slice(2)]));
     process.stderr.write('to stderr');
     process.stdin.once('data', (data) => { process.exitCode = Number(data); process.stdin.destroy(); });`,
  );
  const child = start(path, ['a b', '--flag']);
  child.stdin.end('7');
  const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')]);
  const [node, args] = JSON.parse(stdout) as [string, string[]];
  assert.match(node, /node-linux-(?:x64|arm64)\/bin\/node$/);
  assert.deepEqual(args, ['a b', '--flag']);
  assert.equal(stderr, 'to stderr');
  assert.equal(code, 7);
});

test('the launcher passes signals on and ends as the command ends', async (t) => {
  const path = await packageWith(
    t,
    `process.on('SIGTERM', () => { process.stdout.write('got SIGTERM'); clearInterval(timer); process.exitCode = 42; });
     const timer = setInterval(() => {}, 1000);
     process.stdout.write('ready');`,
  );
  const child = start(path);
  const ready = once(child.stdout, 'data');
  const stdout = text(child.stdout);
  await ready;
  child.kill('SIGTERM');
  const [code] = (await once(child, 'exit')) as [number];
  assert.equal(code, 42);
  assert.match(await stdout, /got SIGTERM$/);
});

test('the launcher turns a deadly signal of the command into 128 and its number', async (t) => {
  const path = await packageWith(t, `process.kill(process.pid, 'SIGKILL');`);
  const [code] = (await once(start(path), 'exit')) as [number];
  assert.equal(code, 137);
});

test('the launcher says what to do when hob is not built', async (t) => {
  const child = start(await packageWith(t, undefined));
  const [stderr, [code]] = await Promise.all([text(child.stderr), once(child, 'exit')]);
  assert.equal(code, 1);
  assert.match(stderr, /^error: hob is not built\nhint: run npm start once/);
});
