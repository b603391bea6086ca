import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { takeDataFolder } from '../src/serve/data-folder.ts';
import { temporaryFolder } from './fakes/command-run.ts';

test('takeDataFolder lends a folder to one process, and names it to others', async (t) => {
  const folder = await temporaryFolder(t);
  const taken = await takeDataFolder(folder);
  assert.equal(readFileSync(join(folder, 'lock'), 'utf8'), `${process.pid}\n`);
  await assert.rejects(takeDataFolder(folder), {
    code: 'ERR_SERVE_LOCKED',
    message: new RegExp(`process ${process.pid} `),
  });
  taken[Symbol.dispose]();
  (await takeDataFolder(folder))[Symbol.dispose]();
});

test('takeDataFolder waits for a process that inherited the lock, when the one that took it is dead', async (t) => {
  const folder = await temporaryFolder(t);
  const taken = await takeDataFolder(folder);
  const heir = spawn('cat', { stdio: ['pipe', 'ignore', 'inherit', taken.lockFd] });
  await once(heir, 'spawn');
  taken[Symbol.dispose]();
  await assert.rejects(takeDataFolder(folder), { code: 'ERR_SERVE_LOCKED' });
  // A pid that was used and is not any more.
  const dead = spawnSync('true').pid;
  writeFileSync(join(folder, 'lock'), `${dead}\n`);
  let isTaken = false;
  const waiting = takeDataFolder(folder).then((again) => {
    isTaken = true;
    return again;
  });
  await new Promise((resolve) => setTimeout(resolve, 100));
  assert.equal(isTaken, false);
  heir.stdin?.end();
  (await waiting)[Symbol.dispose]();
});
