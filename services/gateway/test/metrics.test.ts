import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { LogLine, Observer, Receipt } from '@hob/contracts';
import { combineObservers, Metrics } from '../src/index.ts';
import { configOf } from './fakes/fake-services.ts';
import { startGateway } from './fakes/test-gateway.ts';
import { keepAlive, memory, pool } from './fakes/samples.ts';

const receipt = (more: Partial<Receipt> = {}): Receipt => ({
  invocationId: 'i',
  function: 'hello',
  version: 1,
  start: 'warm',
  queueMs: 0,
  createMs: 0,
  thawMs: 0,
  loadMs: 0,
  runMs: 2,
  cpuMs: 1.5,
  memoryPeakBytes: 20 * 2 ** 20,
  containerAgeMs: 100,
  bytesIn: 0,
  bytesOut: 0,
  outcome: 'ok',
  ...more,
});

const line: LogLine = { timeMs: 0, function: 'hello', version: 1, invocationId: '', channel: 'stdout', line: 'x' };

const entry = (name: string, more: Record<string, number> = {}) => {
  const zero = { version: 1, loading: 0, idle: 0, busy: 0, waiting: 0, cpuSeconds: 0, memoryBytes: 0, keepAlive };
  return { function: name, ...zero, ...more };
};

/** The samples of a text, by name and labels. */
function samplesOf(text: string): Map<string, number> {
  const samples = new Map<string, number>();
  for (const sample of text.split('\n')) {
    const space = sample.lastIndexOf(' ');
    if (sample.startsWith('#') || space === -1) continue;
    const key = sample.slice(0, space);
    assert.ok(!samples.has(key), `${key} comes once`);
    samples.set(key, Number(sample.slice(space + 1)));
  }
  return samples;
}

test('Metrics counts invocations by function, version and outcome, with their times', async () => {
  const metrics = new Metrics({ version: '1.2.3' });
  metrics.invocationEnded(receipt());
  metrics.invocationEnded(receipt({ queueMs: 6, createMs: 3, loadMs: 4, runMs: 7, start: 'cold' }));
  metrics.invocationEnded(receipt({ outcome: 'ERR_FN_TIMEOUT', version: 2, runMs: 901_000, start: 'pool' }));
  metrics.invocationEnded(receipt({ outcome: 'ERR_SCHED_QUEUE_FULL', runMs: 0, start: 'cold' }));
  for (let scrape = 0; scrape < 2; scrape++) {
    const samples = samplesOf(await metrics.render());
    const get = (key: string): number | undefined => samples.get(`hob_${key}`);
    assert.equal(get('invocations_total{function="hello",version="1",outcome="ok"}'), 2);
    assert.equal(get('invocations_total{function="hello",version="2",outcome="ERR_FN_TIMEOUT"}'), 1);
    assert.equal(get('invocations_total{function="hello",version="1",outcome="ERR_SCHED_QUEUE_FULL"}'), 1);
    assert.equal(get('invocation_duration_seconds_bucket{function="hello",le="0.001"}'), 1);
    assert.equal(get('invocation_duration_seconds_bucket{function="hello",le="0.0025"}'), 2);
    assert.equal(get('invocation_duration_seconds_bucket{function="hello",le="0.025"}'), 3);
    assert.equal(get('invocation_duration_seconds_bucket{function="hello",le="900"}'), 3);
    assert.equal(get('invocation_duration_seconds_bucket{function="hello",le="+Inf"}'), 4);
    assert.equal(get('invocation_duration_seconds_count{function="hello"}'), 4);
    assert.equal(get('invocation_duration_seconds_sum{function="hello"}'), 0.002 + 0.02 + 901);
    assert.equal(get('invocation_queue_seconds_bucket{le="0.01"}'), 4);
    assert.equal(get('invocation_queue_seconds_count'), 4);
    assert.equal(get('container_load_seconds_count'), 1);
    assert.deepEqual(
      ['warm', 'pool', 'cold'].map((kind) => get(`starts_total{kind="${kind}"}`)),
      [1, 1, 1],
      'a call without a container has no start',
    );
  }
});

test('Metrics has the CPU time and the most memory of calls that reached a container', async () => {
  const metrics = new Metrics({ version: '1.2.3' });
  metrics.invocationEnded(receipt({ cpuMs: 30, memoryPeakBytes: 100 * 2 ** 20 }));
  metrics.invocationEnded(receipt({ cpuMs: 2000, memoryPeakBytes: 200 * 2 ** 20 }));
  metrics.invocationEnded(
    receipt({ cpuMs: 0, memoryPeakBytes: 0, containerAgeMs: 0, outcome: 'ERR_SCHED_QUEUE_FULL' }),
  );
  const samples = samplesOf(await metrics.render());
  const get = (name: string) => samples.get(`hob_invocation_${name}`);
  assert.equal(get('cpu_seconds_bucket{function="hello",le="0.05"}'), 1);
  assert.equal(get('cpu_seconds_count{function="hello"}'), 2);
  assert.equal(get('cpu_seconds_sum{function="hello"}'), 2.03);
  assert.equal(get(`memory_peak_bytes_bucket{function="hello",le="${128 * 2 ** 20}"}`), 1);
  assert.equal(get('memory_peak_bytes_count{function="hello"}'), 2);
});

test('Metrics counts containers, zygotes and log lines', async () => {
  const metrics = new Metrics({ version: '1.2.3' });
  metrics.containerCreated({ createMs: 3.5 });
  metrics.containerDied({ function: 'hello', cause: 'oom', cpuSeconds: 1 });
  metrics.containerDied({ function: '', cause: 'shutdown', cpuSeconds: 0.25 });
  metrics.zygoteRestarted();
  metrics.log(line);
  metrics.log(line);
  const samples = samplesOf(await metrics.render());
  assert.equal(samples.get('hob_container_create_seconds_bucket{le="0.004"}'), 1);
  assert.equal(samples.get('hob_kills_total{cause="oom"}'), 1);
  assert.equal(samples.get('hob_kills_total{cause="timeout"}'), 0);
  assert.equal(samples.get('hob_zygote_restarts_total'), 1);
  assert.equal(samples.get('hob_log_lines_total{function="hello"}'), 2);
  assert.equal(samples.get('hob_container_cpu_seconds_total{function="hello"}'), 1);
  assert.equal(samples.get('hob_container_cpu_seconds_total{function=""}'), 0.25);
  assert.equal(samples.get(`hob_build_info{version="1.2.3",node="${process.versions.node}"}`), 1);
});

test('GET /metrics reads gauges from the scheduler at each scrape', async () => {
  await using hob = await startGateway();
  const scrape = async () => samplesOf(await (await fetch(`${hob.url}/metrics`)).text());
  hob.control.current = {
    pools: [pool],
    memory,
    functions: [
      entry('hello', { idle: 1, busy: 2, waiting: 3, memoryBytes: 10 }),
      entry('hello', { version: 2, loading: 1, idle: 1, memoryBytes: 5 }),
    ],
    zygotes: [],
  };
  const response = await fetch(`${hob.url}/metrics`);
  assert.equal(response.headers.get('content-type'), 'text/plain; version=0.0.4; charset=utf-8');
  const samples = samplesOf(await response.text());
  assert.equal(samples.get('hob_containers{function="hello",state="idle"}'), 2);
  assert.equal(samples.get('hob_containers{function="hello",state="busy"}'), 2);
  assert.equal(samples.get('hob_containers{function="hello",state="loading"}'), 1);
  assert.equal(samples.get('hob_containers{function="",state="parked"}'), 2);
  assert.equal(samples.get('hob_containers{function="",state="creating"}'), 1);
  assert.equal(
    samples.get('hob_pool_containers{runtime="nodejs24.x",memory_mb="256",network="none",state="parked"}'),
    2,
  );
  const ofPool = 'runtime="nodejs24.x",memory_mb="256",network="none"';
  const poolValues = {
    [`hob_pool_target_containers{${ofPool}}`]: 3,
    [`hob_pool_bound_containers{${ofPool},bound="min"}`]: 2,
    [`hob_pool_bound_containers{${ofPool},bound="max"}`]: 8,
    [`hob_pool_claims_per_second{${ofPool},window="short"}`]: 4,
    [`hob_pool_claims_per_second{${ofPool},window="long"}`]: 2,
    [`hob_pool_burst_claims{${ofPool}}`]: 3,
    [`hob_pool_create_seconds{${ofPool}}`]: 0.005,
    [`hob_pool_refill_delay_seconds{${ofPool}}`]: 0.025,
    [`hob_pool_parallel_containers{${ofPool}}`]: 2,
    [`hob_pool_container_bytes{${ofPool}}`]: 6e6,
    hob_memory_total_bytes: 8 * 2 ** 30,
    hob_memory_available_bytes: 4 * 2 ** 30,
    'hob_memory_pressure_ratio{of="now"}': 0.015,
    'hob_memory_pressure_ratio{of="max"}': 0.1,
    hob_pool_memory_share_ratio: 0.8,
    hob_pool_memory_bytes: 12e6,
    hob_pool_memory_budget_bytes: 2 * 2 ** 30,
  };
  for (const [name, value] of Object.entries(poolValues)) assert.equal(samples.get(name), value, name);
  assert.equal(samples.get('hob_queue_length{function="hello"}'), 3);
  assert.equal(samples.get('hob_keep_alive_seconds{function="hello",of="preload"}'), 540);
  assert.equal(samples.get('hob_keep_alive_seconds{function="hello",of="keep"}'), 120);
  assert.equal(samples.get('hob_container_memory_bytes{function="hello"}'), 15);
  assert.equal(samples.get('hob_http_requests_in_flight'), 0);
  assert.ok(samples.has('process_resident_memory_bytes'));
  hob.control.current = { pools: [], functions: [], zygotes: [] };
  const later = await scrape();
  assert.ok(![...later.keys()].some((key) => /^hob_(containers|keep_alive_seconds|pool_[a-z_]+)\{/.test(key)));
  assert.ok(!later.has('hob_memory_pressure_ratio{of="now"}'));
  hob.control.snapshots = 0;
  const together = await Promise.all([hob.metrics.render(), hob.metrics.render()]);
  assert.equal(hob.control.snapshots, 1);
  assert.equal(together[0], together[1]);
});

test('Metrics never lets the CPU time of a function fall', async () => {
  await using hob = await startGateway();
  const cpu = async () =>
    samplesOf(await hob.metrics.render()).get('hob_container_cpu_seconds_total{function="hello"}') ?? 0;
  const living = (cpuSeconds: number) => {
    hob.control.current = { pools: [], functions: [entry('hello', { cpuSeconds })], zygotes: [] };
  };
  living(2);
  assert.equal(await cpu(), 2);
  // Gone from the snapshot, and its death is not yet told.
  living(0.5);
  assert.equal(await cpu(), 2);
  hob.metrics.containerDied({ function: 'hello', cause: 'reclaimed', cpuSeconds: 2.5 });
  assert.equal(await cpu(), 3);
  living(1);
  assert.equal(await cpu(), 3.5);
});

test('Metrics drops the labels of functions and versions that are gone', async () => {
  await using hob = await startGateway();
  hob.directory.add(configOf('gone'));
  for (const name of ['hello', 'gone']) {
    hob.metrics.invocationEnded(receipt({ function: name }));
    hob.metrics.invocationEnded(receipt({ function: name, version: 7 }));
    hob.metrics.log({ ...line, function: name });
    hob.metrics.containerDied({ function: name, cause: 'crash', cpuSeconds: 1 });
  }
  const before = await hob.metrics.render();
  assert.ok(before.includes('function="gone"'));
  assert.ok(!before.includes('version="7"'), 'there is no version 7');
  await hob.directory.remove('gone');
  const after = await hob.metrics.render();
  assert.ok(!after.includes('gone'));
  assert.ok(after.includes('hob_invocations_total{function="hello",version="1",outcome="ok"} 1'));
});

test('Metrics gives at most so many functions and versions labels of their own', async () => {
  const metrics = new Metrics({ version: '1', labels: { functionsMax: 2, versionsMax: 2 } });
  for (let version = 1; version <= 5; version++) metrics.invocationEnded(receipt({ function: 'a', version }));
  for (const name of ['b', 'c', 'd', 'c']) metrics.invocationEnded(receipt({ function: name }));
  for (let at = 0; at < 1000; at++) metrics.log({ ...line, function: `f${at}` });
  const text = await metrics.render();
  const samples = samplesOf(text);
  const invocations = [...samples].filter(([key]) => key.startsWith('hob_invocations_total'));
  assert.deepEqual(invocations, [
    ['hob_invocations_total{function="_other",version="_other",outcome="ok"}', 3],
    ['hob_invocations_total{function="a",version="1",outcome="ok"}', 1],
    ['hob_invocations_total{function="a",version="2",outcome="ok"}', 1],
    ['hob_invocations_total{function="a",version="_other",outcome="ok"}', 3],
    ['hob_invocations_total{function="b",version="1",outcome="ok"}', 1],
  ]);
  assert.equal(samples.get('hob_log_lines_total{function="_other"}'), 1000);
  assert.equal(samples.get('hob_invocation_duration_seconds_count{function="_other"}'), 3);
});

test('Metrics counts what functions were denied, asked and loaded in advance for, and forgets it with the function', async () => {
  const metrics = new Metrics({ version: '1' });
  metrics.egressDenied({ function: 'hello', reason: 'host', count: 3 });
  metrics.egressDenied({ function: 'hello', reason: 'host', count: 1 });
  metrics.dnsQueries({ function: 'hello', outcome: 'denied', count: 1 });
  metrics.preloaded({ function: 'hello', outcome: 'useful' });
  const samples = samplesOf(await metrics.render());
  assert.equal(samples.get('hob_egress_denied_total{function="hello",reason="host"}'), 4);
  assert.equal(samples.get('hob_dns_queries_total{function="hello",outcome="denied"}'), 1);
  assert.equal(samples.get('hob_preloads_total{function="hello",outcome="useful"}'), 1);
  metrics.observe({
    scheduler: { snapshot: () => Promise.resolve({ pools: [], functions: [], zygotes: [] }) },
    directory: { list: () => [] },
    queue: { counts: () => Promise.resolve(undefined) },
    requestsInFlight: () => 0,
  });
  const later = [...samplesOf(await metrics.render()).keys()];
  assert.ok(!later.some((key) => key.includes('hello')), later.join());
});

test('combineObservers() tells every observer everything', () => {
  const told: string[] = [];
  const observer = (name: string): Observer => ({
    invocationEnded: (event) => told.push(`${name} ${event.invocationId}`),
    log: (event) => told.push(`${name} ${event.line}`),
    containerCreated: (event) => told.push(`${name} ${event.createMs}`),
    containerDied: (event) => told.push(`${name} ${event.cause}`),
    egressDenied: (event) => told.push(`${name} ${event.reason}`),
    dnsQueries: (event) => told.push(`${name} ${event.outcome}`),
    preloaded: (event) => told.push(`${name} ${event.outcome}`),
    zygoteRestarted: (event) => told.push(`${name} ${event.memoryMb}`),
  });
  const both = combineObservers(observer('1'), observer('2'));
  both.invocationEnded(receipt());
  both.log(line);
  both.containerCreated({ runtime: 'r', memoryMb: 1, createMs: 3 });
  both.containerDied({ function: '', cause: 'oom', cpuSeconds: 0 });
  both.egressDenied({ function: 'a', reason: 'host', count: 1 });
  both.dnsQueries({ function: 'a', outcome: 'failed', count: 1 });
  both.preloaded({ function: 'a', outcome: 'wasted' });
  both.zygoteRestarted({ runtime: 'r', memoryMb: 4 });
  assert.deepEqual(
    told,
    ['i', 'x', '3', 'oom', 'host', 'failed', 'wasted', '4'].flatMap((what) => [`1 ${what}`, `2 ${what}`]),
  );
});

test('Metrics counts how long frozen containers take to go on, for calls that had to wait for it', async () => {
  const metrics = new Metrics({ version: '1.2.3' });
  metrics.invocationEnded(receipt());
  metrics.invocationEnded(receipt({ thawMs: 0.5 }));
  const samples = samplesOf(await metrics.render());
  assert.equal(samples.get('hob_container_thaw_seconds_count'), 1);
  assert.equal(samples.get('hob_container_thaw_seconds_sum'), 0.0005);
});

test('/metrics tells of asynchronous calls, and nothing of the queue while Redis is away', async () => {
  await using hob = await startGateway();
  hob.metrics.attempted('failed');
  hob.metrics.scheduled(1500);
  hob.metrics.keyHit('replayed');
  hob.metrics.redisAnswered(2);
  const read = async () => samplesOf(await (await fetch(`${hob.url}/metrics`)).text());
  const samples = await read();
  assert.equal(samples.get('hob_async_attempts_total{outcome="failed"}'), 1);
  assert.equal(samples.get('hob_async_attempts_total{outcome="dead"}'), 0);
  assert.equal(samples.get('hob_async_events{status="waiting"}'), 4);
  assert.equal(samples.get('hob_async_events{status="dead"}'), 1);
  assert.equal(samples.get('hob_async_oldest_seconds'), 1.5);
  assert.equal(samples.get('hob_schedules{state="active"}'), 5);
  assert.equal(samples.get('hob_schedules{state="paused"}'), 2);
  assert.equal(samples.get('hob_schedule_lag_seconds_sum'), 1.5);
  assert.equal(samples.get('hob_schedule_lag_seconds_bucket{le="1"}'), 0);
  assert.equal(samples.get('hob_schedule_lag_seconds_bucket{le="5"}'), 1);
  assert.equal(samples.get('hob_idempotency_hits_total{outcome="replayed"}'), 1);
  assert.equal(samples.get('hob_idempotency_hits_total{outcome="busy"}'), 0);
  assert.equal(samples.get('hob_redis_round_trip_seconds_sum'), 0.002);
  hob.queue.current = undefined;
  const away = await read();
  assert.equal(away.get('hob_async_events{status="waiting"}'), undefined);
  assert.equal(away.get('hob_schedules{state="paused"}'), undefined);
});
