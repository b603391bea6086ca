import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { FunctionConfig } from '@hob/contracts';
import { writeFunction } from '../support/function-folder.ts';
import { type Answer, call, problem } from '../support/http-call.ts';
import { HobServer } from '../support/hob-server.ts';
import { descendants, isRunning, type ProcessSight } from '../support/processes.ts';
import { receiptOf } from '../support/receipt.ts';
import { TemporaryFolder } from '../support/temporary-folder.ts';
import { until } from '../support/until.ts';

const source = readFileSync(join(import.meta.dirname, '../functions/limited/index.ts'), 'utf8');
const common = { memoryMb: 128, timeoutMs: 60_000, maxContainers: 2 };

/** The same function with one limit each. */
const functions: Readonly<Record<string, Partial<FunctionConfig>>> = {
  budget: { cpuMs: 300 },
  small: { responseBytesMax: 100_000 },
  narrow: { nofile: 80, tmpMb: 2, tmpFiles: 30 },
  early: { timeoutMs: 20_000, abortGraceMs: 19_000 },
  plain: {},
  doomed: {},
};

let hob: HobServer;
let folder: TemporaryFolder;

before(async () => {
  hob = await HobServer.create();
  folder = await TemporaryFolder.create('limits');
  const folders = Object.entries(functions).map(([name, config]) =>
    writeFunction(join(folder.path, name), { name, ...common, ...config }, source),
  );
  await hob.deploy(...(await Promise.all(folders)));
});

after(async () => {
  await hob[Symbol.asyncDispose]();
  await folder[Symbol.asyncDispose]();
});

/** The next call gets a container that has seen none, alone in it. */
async function assertCleanContainer(name: string): Promise<void> {
  const answer = await hob.fn(`${name}/`);
  assert.deepEqual(JSON.parse(answer.body.toString('utf8')), { calls: 1, processes: 1 });
}

/** Calls a function, whose container ends with the code and the cause. */
async function assertDeath(path: string, code: string, cause: string): Promise<Answer> {
  const [name = ''] = path.split('/');
  await hob.fn(`${name}/`);
  const answer = await hob.fn(path);
  assert.equal(problem(answer), code);
  const receipt = receiptOf(answer);
  assert.deepEqual([receipt['outcome'], receipt['cause']], [code.split(' ')[1], cause]);
  await assertCleanContainer(name);
  return answer;
}

async function killsBy(cause: string): Promise<number> {
  const text = (await call(`${hob.url}/metrics`)).body.toString('utf8');
  return Number(new RegExp(`^hob_kills_total\\{cause="${cause}"\\} (\\d+)$`, 'm').exec(text)?.[1]);
}

test('a call that spins beyond cpuMs gives 502 ERR_FN_CPU_BUDGET and a clean container next', async () => {
  const before = await killsBy('cpu-budget');
  const answer = await assertDeath('budget/spin?amount=50000', '502 ERR_FN_CPU_BUDGET', 'cpu-budget');
  assert.match(answer.body.toString('utf8'), /its 300 ms of CPU time/);
  assert.ok(Number(receiptOf(answer)['cpu-ms']) >= 300, 'the budget was used');
  await until('the metrics count it', async () => (await killsBy('cpu-budget')) === before + 1);
});

test('cpuMs counts CPU time, not time, and each call has its own', async () => {
  for (let round = 0; round < 4; round += 1) {
    assert.equal((await hob.fn('budget/spin?amount=100')).body.toString('utf8'), 'spun');
  }
  assert.equal((await hob.fn('budget/wait?amount=1000')).body.toString('utf8'), 'waited');
  assert.equal((await hob.fn('budget/')).headers['hob-start'], 'warm');
});

test('a response beyond responseBytesMax gives 502 ERR_FN_RESPONSE_TOO_LARGE and a clean container next', async () => {
  for (const path of ['text', 'stream']) {
    assert.equal((await hob.fn(`small/${path}?amount=100000`)).body.byteLength, 100_000);
  }
  const answer = await assertDeath('small/text?amount=100001', '502 ERR_FN_RESPONSE_TOO_LARGE', 'response-too-large');
  assert.match(answer.body.toString('utf8'), /larger than 100000 bytes/);
});

test('a response that turns out too large when its head has left is cut, and the next container is clean', async () => {
  await hob.fn('small/');
  await assert.rejects(hob.fn('small/slow-stream?amount=1000000'));
  await assertCleanContainer('small');
});

test('memory that a child process uses gives 502 ERR_FN_OUT_OF_MEMORY, whatever the handler makes of it', async () => {
  for (const path of ['hoard-in-child', 'hoard-in-child-and-throw']) {
    await assertDeath(`plain/${path}`, '502 ERR_FN_OUT_OF_MEMORY', 'oom');
  }
});

test('descriptors and /tmp are as large as hob.json says, in containers from the pool too', async () => {
  const tmp = await hob.fn('narrow/tmp');
  assert.deepEqual(JSON.parse(tmp.body.toString('utf8')), { bytes: 2 * 2 ** 20, files: 30 });
  const { opened, refusal } = JSON.parse((await hob.fn('narrow/open')).body.toString('utf8'));
  assert.equal(refusal, 'EMFILE');
  assert.ok(opened < 80, `${opened} descriptors`);
  const others = JSON.parse((await hob.fn('plain/tmp')).body.toString('utf8'));
  assert.equal(others.bytes, 64 * 2 ** 20, 'others have what they had');
});

test('ctx.signal is aborted as long before the deadline as abortGraceMs says', async () => {
  const answer = await hob.fn('early/until-signal');
  const { leftMs, reason } = JSON.parse(answer.body.toString('utf8'));
  assert.equal(reason, 'TimeoutError');
  // By default it would be one second. A busy machine makes it less than was asked for, never more.
  assert.ok(leftMs > 1000 && leftMs <= 19_000, `${leftMs} ms were left`);
});

test('the receipt tells what a call used by the kernel’s account', async () => {
  await hob.fn('plain/');
  const spun = receiptOf(await hob.fn('plain/spin?amount=400'));
  const waited = receiptOf(await hob.fn('plain/wait?amount=200'));
  assert.ok(Number(spun['cpu-ms']) > 10 && Number(waited['run-ms']) >= 200);
  assert.ok(Number(waited['cpu-ms']) < Number(waited['run-ms']), 'waiting takes no CPU time');
  assert.deepEqual([spun['start'], spun['outcome'], spun['bytes-in'], spun['bytes-out']], ['warm', 'ok', 0, 4]);
  assert.ok(Number(waited['container-age-ms']) > Number(spun['container-age-ms']));
  const used = receiptOf(await hob.fn('plain/use-memory?amount=41943040'));
  assert.ok(Number(used['memory-peak-bytes']) > 41_943_040);
  const posted = receiptOf(await hob.fn('plain/text?amount=7', { body: 'four' }));
  assert.deepEqual([posted['bytes-in'], posted['bytes-out']], [4, 7]);
});

test('hob invoke --receipt and the metrics tell it too', async () => {
  const shown = await hob.hob(['invoke', 'plain', '--path', '/spin?amount=30', '--receipt']);
  assert.equal(shown.stdout, 'spun');
  assert.match(shown.stderr, /start warm .* cpu \d+\.\d+ ms\nmemory peak \d+\.\d MB .* container age .* outcome ok\n/);
  const failed = await hob.hob(['invoke', 'budget', '--path', '/spin?amount=50000', '--receipt']);
  assert.equal(failed.exitCode, 1);
  assert.match(failed.stderr, /outcome ERR_FN_CPU_BUDGET {2}container ended: cpu-budget/);
  const metrics = (await call(`${hob.url}/metrics`)).body.toString('utf8');
  for (const name of ['cpu_seconds', 'memory_peak_bytes']) {
    assert.match(metrics, new RegExp(`^hob_invocation_${name}_count\\{function="plain"\\} [1-9]`, 'm'));
  }
});

/** Starts a call that ends for nothing, and gives its id and its container once it runs. */
async function startIgnoring(name: string) {
  const gone = new AbortController();
  const answer = hob.fn(`${name}/ignore`, { signal: gone.signal });
  answer.catch(() => undefined);
  const id = await until('the call runs', async () => {
    const { stdout } = await hob.hob(['logs', name, '--tail', '100']);
    return [...stdout.matchAll(/ignoring ([0-9a-f-]{36})/g)].at(-1)?.[1];
  });
  return { id, answer, gone };
}

/** The first processes of containers. */
function containers(): ProcessSight[] {
  return descendants(hob.pid).filter((seen) => seen.parentPid === hob.pid && seen.name === 'node');
}

interface Stats {
  readonly functions: readonly { readonly function: string; readonly busy: number; readonly idle: number }[];
}

async function busy(name: string): Promise<number> {
  const { functions: all } = (await hob.control('stats')) as Stats;
  return all.filter((each) => each.function === name).reduce((sum, each) => sum + each.busy, 0);
}

test('DELETE /v1/invocations/<id> ends a call that ignores it, and its container', async () => {
  const { id, answer } = await startIgnoring('plain');
  const headers = { authorization: `Bearer ${hob.token}` };
  const ended = await call(`${hob.url}/v1/invocations/${id}`, { method: 'DELETE', headers });
  assert.ok(ended.status < 300, ended.body.toString('utf8'));
  assert.equal(problem(await answer), '499 ERR_CANCELLED');
  // Its deadline is a minute away.
  await until('its container is gone', async () => (await busy('plain')) === 0);
  await assertCleanContainer('plain');
  assert.equal((await call(`${hob.url}/v1/invocations/${id}`, { method: 'DELETE', headers })).status, 404);
});

test('a disconnected client ends a call that ignores it, and its container', async () => {
  const { answer, gone } = await startIgnoring('plain');
  gone.abort();
  await assert.rejects(answer, { name: 'AbortError' });
  await until('its container is gone', async () => (await busy('plain')) === 0);
  await assertCleanContainer('plain');
});

test('the removal of a function ends its calls and containers', async () => {
  const { answer } = await startIgnoring('doomed');
  const alive = containers();
  assert.equal((await hob.hob(['rm', 'doomed', '--yes'])).exitCode, 0);
  assert.equal(problem(await answer), '499 ERR_CANCELLED');
  await until('one of the containers is gone', () => alive.some((seen) => !isRunning(seen)));
  assert.equal(problem(await hob.fn('doomed/')), '404 ERR_FN_NOT_FOUND');
});
