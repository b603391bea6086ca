import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { type Abuse, Abusers, abuses, deployAbusers } from '../support/abusers.ts';
import { HobServer } from '../support/hob-server.ts';
import { cgroupFolders, cgroupName } from '../support/host-census.ts';
import { descendants, isRunning } from '../support/processes.ts';
import { TemporaryFolder } from '../support/temporary-folder.ts';
import { until } from '../support/until.ts';

const CALLS = 500;

/** How hob ends each abuse when its call does not end by itself. */
const ends: Readonly<Record<Abuse, string>> = {
  cpu: '504 ERR_FN_TIMEOUT',
  memory: '502 ERR_FN_OUT_OF_MEMORY',
  processes: '502 ERR_FN_TOO_MANY_PROCESSES',
  descriptors: '504 ERR_FN_TIMEOUT',
  disk: '504 ERR_FN_TIMEOUT',
  log: '504 ERR_FN_TIMEOUT',
  connections: '504 ERR_FN_TIMEOUT',
};

test(`a function answers each of ${CALLS} calls while ${abuses.length} others abuse one resource each, and nothing of them is left`, async () => {
  await using hob = await HobServer.create({ env: { HOB_LOG_LEVEL: 'warn' } });
  await using folder = await TemporaryFolder.create('neighbours');
  await hob.deploy(join(import.meta.dirname, '../bench/functions/answer'));
  await deployAbusers(hob, folder.path);
  await hob.fn('answer/100');
  const seen = new Map<string, number>();
  const bystanders = descendants(hob.pid);
  {
    await using abusers = new Abusers(hob);
    await until('each abuse was ended once', () => abusers.haveEnded(1));
    for (let number = 0; number < CALLS; number += 1) {
      const answer = await hob.fn('answer/100');
      const kind = `${answer.status} ${answer.body.toString('utf8')}`;
      seen.set(kind, (seen.get(kind) ?? 0) + 1);
    }
    await until('each abuse was ended again', () => abusers.haveEnded(2));
    for (const [abuse, outcomes] of abusers.outcomes) {
      assert.deepEqual([...outcomes.keys()], [ends[abuse]], `how "${abuse}" ended`);
    }
  }
  assert.deepEqual(Object.fromEntries(seen), { [`200 ${'x'.repeat(100)}`]: CALLS });
  const name = cgroupName(hob.pid);
  for (const abuse of abuses) assert.equal((await hob.hob(['rm', `abuse-${abuse}`, '--yes'])).exitCode, 0);
  await until('no process of the abusers is left', () => {
    const known = new Set(bystanders.map(({ pid }) => pid));
    return descendants(hob.pid).every((each) => known.has(each.pid) || each.name === 'node');
  });
  assert.ok(bystanders.some(isRunning), 'the others go on');
  assert.equal((await hob.fn('answer/100')).headers['hob-start'], 'warm');
  await hob.stop();
  assert.deepEqual(cgroupFolders(name), []);
});
