import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { InvocationRecord, ScheduleDetail, ScheduleRecord } from '@hob/contracts';
import { writeFunction } from '../support/function-folder.ts';
import { call } from '../support/http-call.ts';
import { HobServer } from '../support/hob-server.ts';
import { TemporaryFolder } from '../support/temporary-folder.ts';
import { until } from '../support/until.ts';

const source = `export default (request) => Response.json({ by: request.headers.get('hob-schedule'), hidden: 'the-secret' });\n`;

let hob: HobServer;
let folder: TemporaryFolder;

before(async () => {
  hob = await HobServer.create({ env: { HOB_WORKERS: '2' } });
  folder = await TemporaryFolder.create('schedules');
  const schedule = [
    { name: 'tick', everyMs: 1000 },
    { name: 'leap', cron: '0 0 29 2 *', timezone: 'Europe/Berlin', path: '/?the-secret' },
  ];
  await hob.deploy(await writeFunction(join(folder.path, 'clock'), { name: 'clock', schedule }, source));
});

after(async () => {
  await hob[Symbol.asyncDispose]();
  await folder[Symbol.asyncDispose]();
});

async function schedule(...args: string[]): Promise<string> {
  const { exitCode, stdout, stderr } = await hob.hob(['schedule', ...args]);
  assert.equal(exitCode, 0, stderr);
  return stdout.trim();
}

const detail = async (name: string) => JSON.parse(await schedule('show', 'clock', name, '--json')) as ScheduleDetail;

test('hob schedule shows, runs, pauses and resumes schedules, and a pause outlives kill -9 and a deploy', async () => {
  await until('a call by its time', async () => {
    const { runs } = await detail('tick');
    return runs.some(({ cause, status }) => cause === 'time' && status === 'succeeded');
  });
  const id = await schedule('run', 'clock', 'leap');
  const { exitCode, stdout } = await hob.hob(['invocation', id, '--wait', '--json']);
  assert.equal(exitCode, 0);
  assert.equal((JSON.parse(stdout) as InvocationRecord).result?.body, '{"by":"leap","hidden":"the-secret"}');
  assert.match(await schedule('show', 'clock', 'leap'), new RegExp(`^${id} +\\S+ +operator +succeeded +1 `, 'm'));
  assert.match(await schedule('pause', 'clock', 'tick'), /^clock\/tick is paused since /);
  const { pausedAt } = await detail('tick');
  await hob.kill();
  await hob.start();
  await hob.deploy(join(folder.path, 'clock'));
  const list = JSON.parse(await schedule('ls', '--json')) as ScheduleRecord[];
  assert.deepEqual(
    list.map(({ name, pausedAt: at, nextAt }) => [name, at, nextAt === undefined]),
    [
      ['leap', undefined, false],
      ['tick', pausedAt, true],
    ],
  );
  for (const { at, cause } of (await detail('tick')).runs) assert.ok(cause === 'time' && at <= (pausedAt ?? ''), at);
  assert.match(await schedule('resume', 'clock', 'tick'), /^clock\/tick comes next at /);
  await until('it calls again', async () => (await detail('tick')).runs.some(({ at }) => at > (pausedAt ?? '')));
  const metrics = (await call(`${hob.url}/metrics`)).body.toString();
  assert.match(metrics, /^hob_schedules\{state="active"\} 2$/m);
});

test('/v1/board/ shows the queues to a browser with the token, through a gateway worker, and nothing to others', async () => {
  const id = await schedule('run', 'clock', 'leap');
  await hob.hob(['invocation', id, '--wait']);
  const authorization = `Basic ${Buffer.from(`operator:${hob.token}`).toString('base64')}`;
  const page = await call(`${hob.url}/v1/board/`, { headers: { authorization } });
  assert.equal(page.status, 200);
  assert.match(page.body.toString(), /<base href="\/v1\/board\/"/);
  const jobs = await call(`${hob.url}/v1/board/api/queues?activeQueue=events&status=latest&page=1`, {
    headers: { authorization },
  });
  assert.ok(jobs.body.toString().includes(id));
  assert.ok(!jobs.body.toString().includes('the-secret'));
  const retry = { method: 'PUT', headers: { authorization } };
  assert.equal((await call(`${hob.url}/v1/board/api/queues/events/${id}/retry`, retry)).status, 404);
  const stranger = await call(`${hob.url}/v1/board/`);
  assert.equal(stranger.status, 401);
  assert.match(String(stranger.headers['www-authenticate']), /^Basic /);
});
