/** The hostile program under rules of its function's own: machine code is stopped by the name of its system call. */
import assert from 'node:assert/strict';
import { cp, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { SystemCallRules } from '@hob/contracts';
import { HobServer } from '../support/hob-server.ts';
import { problem } from '../support/http-call.ts';
import { TemporaryFolder } from '../support/temporary-folder.ts';
import { buildCarried } from './build.ts';
import { HostileRoot } from './hostile-root.ts';

const owned = new AsyncDisposableStack();
let hob: HobServer;
let folder: TemporaryFolder;

before(async () => {
  folder = owned.use(await TemporaryFolder.create('rules'));
  const scratch = owned.use(await TemporaryFolder.create('rules-objects'));
  await cp(join(import.meta.dirname, 'functions/attacks'), folder.path, { recursive: true });
  await buildCarried(folder.path, scratch.path);
  const root = owned.use(await HostileRoot.create());
  hob = owned.use(await HobServer.create({ env: { HOB_ROOTFS: root.path } }));
});

after(() => owned.disposeAsync());

/** Runs all that the program attempts, under rules. @returns the call that it was ended for. */
async function endedFor(seccomp: SystemCallRules): Promise<string> {
  const config = { name: 'attacks', timeoutMs: 600_000, assets: ['hook.bin', 'program', 'addon.node'], seccomp };
  await writeFile(join(folder.path, 'hob.json'), JSON.stringify(config));
  await hob.deploy(folder.path);
  const answer = await hob.fn('attacks/native');
  assert.equal(problem(answer), '502 ERR_FN_FORBIDDEN_SYSCALL');
  const { detail } = JSON.parse(answer.body.toString('utf8')) as { detail: string };
  const next = await hob.fn('attacks/');
  assert.equal(JSON.parse(next.body.toString('utf8')).calls, 1, 'the next call gets a clean container');
  return detail.slice(detail.lastIndexOf(' ') + 1);
}

for (const call of ['mount', 'unshare', 'ptrace', 'bpf', 'keyctl', 'seccomp']) {
  test(`machine code that calls ${call} ends its container by that name when it is denied`, async () => {
    assert.equal(await endedFor({ deny: [call] }), call);
  });
}

test('with onViolation "kill" the first call that no function may make ends the container by its name', async () => {
  assert.match(await endedFor({ onViolation: 'kill' }), /^[a-z][a-z0-9_]+$/);
});
