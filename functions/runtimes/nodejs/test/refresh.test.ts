import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { bundledProcess, ShimHost } from './support/shim-host.ts';

test('prepareProcess gives random numbers, ids and contexts that no two processes share', async () => {
  const source = `import crypto from 'node:crypto';
    import vm, { runInNewContext } from 'node:vm';
    import { Worker } from 'node:worker_threads';
    const inWorker = () => new Promise((resolve) => new Worker(
      'require("node:worker_threads").parentPort.postMessage(Math.random())', { eval: true }).once('message', resolve));
    export default async () => Response.json([Math.random(), crypto.randomUUID(), crypto.randomInt(2 ** 47),
      runInNewContext('Math.random()'), vm.runInContext('Math.random()', vm.createContext({})),
      new vm.Script('Math.random()').runInNewContext({}, { contextName: 'c' }), await inWorker(), await inWorker()]);`;
  const seen = new Set<unknown>();
  for (let at = 0; at < 3; at += 1) {
    await using host = await ShimHost.load(source);
    const values = JSON.parse(await host.text()) as unknown[];
    for (const value of values) seen.add(value);
  }
  assert.equal(seen.size, 3 * 8);
});

test('Math.random is uniform in [0, 1) and looks native', async () => {
  await using host = await ShimHost.load(
    `export default () => {
       const buckets = new Array(16).fill(0);
       let low = 1, high = 0, sum = 0;
       for (let at = 0; at < 160_000; at += 1) {
         const value = Math.random();
         buckets[Math.floor(value * 16)] += 1; sum += value;
         low = Math.min(low, value); high = Math.max(high, value);
       }
       return Response.json({ buckets, low, high, mean: sum / 160_000, name: Math.random.name, length: Math.random.length,
         fine: new Set(Array.from({ length: 1000 }, () => (Math.random() * 2 ** 53) % 1024)).size });
     };`,
  );
  const result = JSON.parse(await host.text());
  assert.ok(result.low >= 0 && result.high < 1 && result.low < 0.001 && result.high > 0.999);
  assert.ok(Math.abs(result.mean - 0.5) < 0.01);
  assert.equal(result.buckets.length, 16);
  // 100 standard deviations would be 10,000: eight of them is never met by chance.
  for (const count of result.buckets) assert.ok(Math.abs(count - 10_000) < 800, JSON.stringify(result.buckets));
  assert.deepEqual([result.name, result.length], ['random', 0]);
  assert.ok(result.fine > 500, 'the lowest bits vary');
});

test('Shim gives the process its own id, clocks, folder, arguments and paths', async () => {
  await using host = await ShimHost.load(
    `import { performance as imported } from 'node:perf_hooks';
     export default () => {
       performance.mark('a');
       const [mark] = performance.getEntriesByName('a');
       const measure = performance.measure('m', 'a');
       const whole = performance.measure('w');
       return Response.json({
         pid: process.pid, ppid: process.ppid, uptime: process.uptime(), now: performance.now(),
         drift: performance.timeOrigin + performance.now() - Date.now(), same: imported === performance,
         json: performance.toJSON().timeOrigin === performance.timeOrigin, mark: mark.startTime,
         measure: measure.duration, whole: [whole.startTime, whole.duration], cwd: process.cwd(), argv: process.argv, execPath: process.execPath,
         execArgv: process.execArgv, title: process.title, main: process.mainModule === undefined, gc: typeof gc });
     };`,
  );
  const result = JSON.parse(await host.text());
  assert.equal(result.pid, host.child.pid);
  assert.equal(result.ppid, process.pid);
  assert.ok(result.uptime >= 0 && result.now > 0 && Math.abs(result.uptime * 1000 - result.now) < 50);
  assert.ok(Math.abs(result.drift) < 10, String(result.drift));
  assert.ok(result.same && result.json && result.main);
  assert.ok(result.mark > 0 && result.mark <= result.now && result.measure >= 0 && result.measure < result.now);
  assert.ok(result.whole[0] === 0 && result.whole[1] >= result.mark);
  assert.ok(['/var/task', '/tmp'].includes(result.cwd));
  assert.deepEqual(result.argv, ['/usr/local/bin/node', '/var/task/index.mjs']);
  assert.deepEqual([result.execPath, result.execArgv, result.title], ['/usr/local/bin/node', [], 'node']);
  assert.equal(result.gc, 'undefined');
});

test('the environment is that of the claim, over what every function finds, and nothing of the zygote', async () => {
  await using host = await ShimHost.load(
    `import { execFileSync } from 'node:child_process';
     import { tmpdir } from 'node:os';
     export default { fetch: (request, env) => Response.json([{ ...process.env }, env, tmpdir(),
       execFileSync('/usr/bin/env').toString().split('\\n').includes('NAME=value')]) };`,
    { NAME: 'value', HOME: '/var/task' },
  );
  assert.deepEqual(JSON.parse(await host.text()), [
    {
      PATH: '/usr/local/bin:/usr/bin:/bin',
      HOME: '/var/task',
      TMPDIR: '/tmp',
      LANG: 'C.UTF-8',
      TZ: 'UTC',
      NAME: 'value',
    },
    { NAME: 'value', HOME: '/var/task' },
    '/tmp',
    true,
  ]);
});

test('TZ of the claim counts, also when the zygote had another time zone', async () => {
  const source = `const offset = new Date(2026, 0, 1).getTimezoneOffset();
    export default () => Response.json([offset, Intl.DateTimeFormat().resolvedOptions().timeZone]);`;
  for (const [env, expected] of [
    [{ TZ: 'Asia/Tokyo' }, [-540, 'Asia/Tokyo']],
    [{}, [0, 'UTC']],
  ] as const) {
    await using host = await ShimHost.start({ TZ: 'America/New_York' });
    host.claim(source, { env });
    assert.deepEqual(JSON.parse(await host.text()), expected);
  }
});

test('a function finds none of the modules that the zygote has loaded', async () => {
  await using host = await ShimHost.load(
    `import { createRequire } from 'node:module';
     export default () => Response.json(Object.keys(createRequire('/x').cache));`,
  );
  assert.equal(await host.text(), '[]');
});

test('prepareShim leaves no timer and no handle, draws no copied random number and warns of nothing', async () => {
  const [command, args] = await bundledProcess(import.meta.resolve('./support/prepare-process.ts'));
  const { stdout, stderr } = await promisify(execFile)(command, args);
  const { before, after, drawn } = JSON.parse(stdout);
  assert.deepEqual(drawn, []);
  const env = { PATH: '/usr/local/bin:/usr/bin:/bin', HOME: '/tmp', TMPDIR: '/tmp', LANG: 'C.UTF-8', TZ: 'UTC' };
  assert.deepEqual(after, { ...before, env: { ...before.env, ...env } });
  assert.equal(stderr, '');
});
