import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { test } from 'node:test';
import { cgroupFolders, cgroupName } from '../support/host-census.ts';
import { HobServer } from '../support/hob-server.ts';
import { receiptOf } from '../support/receipt.ts';
import { until } from '../support/until.ts';

interface Progress {
  readonly ticks: number;
  readonly longestGapMs: number;
}

/** Whether the kernel has stopped any container of a server. */
function anyFrozen(hob: HobServer): boolean {
  return cgroupFolders(cgroupName(hob.pid))
    .filter((folder) => basename(folder).startsWith('c-'))
    .some((folder) => {
      try {
        return readFileSync(join(folder, 'cgroup.events'), 'utf8').includes('frozen 1');
      } catch {
        return false; // not of the v2 tree, or gone
      }
    });
}

test('work in the background of a function stops a while after its call, and goes on with the next', async () => {
  await using hob = await HobServer.create({ env: { HOB_FREEZE_AFTER_MS: '200' } });
  await hob.deploy(join(import.meta.dirname, '../functions/background'));
  const call = async (): Promise<Progress & { readonly receipt: ReturnType<typeof receiptOf> }> => {
    const answer = await hob.fn('background');
    assert.equal(answer.status, 200);
    return { ...(JSON.parse(answer.body.toString()) as Progress), receipt: receiptOf(answer) };
  };
  await call();
  const running = await until('it works in the background', async () => {
    const progress = await call();
    return progress.ticks > 3 && progress;
  });
  assert.equal(running.receipt['thaw-ms'], 0);

  await until('it is frozen', () => anyFrozen(hob));
  const frozenAtMs = performance.now();
  await delay(500);
  const frozenMs = performance.now() - frozenAtMs;
  const thawed = await call();
  assert.ok(Number(thawed.receipt['thaw-ms']) > 0, 'the receipt tells it');
  assert.equal(thawed.receipt['start'], 'warm');
  const later = await until('it goes on', async () => {
    const progress = await call();
    return progress.ticks > thawed.ticks + 3 && progress;
  });
  assert.ok(later.longestGapMs >= frozenMs, 'there was no tick while it was frozen');

  const metrics = await hob.hob(['invoke', 'background', '--receipt']);
  assert.match(metrics.stderr, /thaw \d+\.\d\d ms/);
});
