import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { FunctionSummary, FunctionVersion } from '@hob/contracts';
import { HobServer } from '../support/hob-server.ts';
import { serverPid, signal } from '../support/processes.ts';
import { type PlainBundle, plainBundle, upload } from '../support/upload.ts';
import { until } from '../support/until.ts';
import { randomOf } from './fault-plan.ts';

const KILLS = 8;
const KEPT = 3;
const ASSET_BYTES = 2 * 1024 * 1024;

interface Described {
  readonly summary: FunctionSummary;
  readonly versions: readonly FunctionVersion[];
}

/** What a call of a version answers, by the digest of its bundle. */
const texts = new Map<string, string>();

function bundleOf(number: number): PlainBundle {
  const text = `deploy ${number}`;
  const bundle = plainBundle(`export default () => new Response('${text}');`, randomBytes(ASSET_BYTES));
  texts.set(bundle.digest, text);
  return bundle;
}

async function answerOf(hob: HobServer, target: string): Promise<string> {
  const { status, body } = await hob.fn(target);
  return `${status} ${body.toString()}`;
}

/** Every version that there is can be called, and nothing is on the disk but their bundles. */
async function checkWhole(hob: HobServer): Promise<Described> {
  const described = (await hob.control('functions/steady')) as Described;
  const { summary, versions } = described;
  for (const { version, digest } of versions) {
    assert.equal(await answerOf(hob, `steady@${version}`), `200 ${texts.get(digest)}`);
  }
  assert.equal(await answerOf(hob, 'steady'), `200 ${texts.get(summary.live?.digest ?? '')}`);
  const wanted = [...new Set(versions.map(({ digest }) => digest))].toSorted();
  await until('there are the bundles of these versions and nothing else', async () => {
    const found = await readdir(join(hob.dataDir, 'bundles'));
    return found.toSorted().join() === wanted.join();
  });
  return described;
}

test('A deploy in which hob is killed is done wholly or not at all, live calls work after it, and the same deploy succeeds', async (t) => {
  const seed = Math.floor(Math.random() * 2 ** 31);
  t.diagnostic(`seed ${seed}`);
  const random = randomOf(seed);
  await using hob = await HobServer.create({ env: { HOB_VERSIONS_KEPT: `${KEPT}` } });
  assert.equal(await upload(hob, 'steady', bundleOf(0)), 201);
  const startedMs = performance.now();
  assert.equal(await upload(hob, 'steady', bundleOf(0)), 201);
  const deployMs = performance.now() - startedMs;
  let live = 'deploy 0';
  for (let number = 1; number <= KILLS; number += 1) {
    const bundle = bundleOf(number);
    // One kill in each of equal parts of the time that a deploy takes, which is longer soon after a start.
    const dueMs = ((number - random()) / KILLS) * 1.5 * deployMs;
    const victim = random() < 0.5 ? hob.pid : serverPid(hob.pid);
    const deploying = upload(hob, 'steady', bundle).catch(() => undefined);
    await delay(dueMs);
    signal(victim, 'SIGKILL');
    await hob.ended();
    const status = await deploying;
    await hob.start();

    const { summary, versions } = await checkWhole(hob);
    const liveNow = texts.get(summary.live?.digest ?? '');
    const isThere = versions.some(({ digest }) => digest === bundle.digest);
    t.diagnostic(`${Math.round(dueMs)} ms: answered ${status}, ${isThere ? 'there' : 'not there'}, live is ${liveNow}`);
    if (status === 201) assert.equal(liveNow, `deploy ${number}`, 'what was answered is live');
    else assert.ok(liveNow === live || (isThere && liveNow === `deploy ${number}`), `live is ${liveNow}`);

    assert.equal(await upload(hob, 'steady', bundle), 201);
    live = `deploy ${number}`;
    assert.equal(await answerOf(hob, 'steady'), `200 ${live}`);
  }
  // What the last deploy has put out of use is removed at a start, or within a minute.
  assert.equal(await hob.stop(), 0, hob.output);
  await hob.start();
  const { versions } = await checkWhole(hob);
  assert.ok(versions.length <= KEPT + 1, `${versions.length} versions are left`);
  assert.equal(await hob.stop(), 0, hob.output);
});
