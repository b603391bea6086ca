import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { catalogue } from '@hob/contracts';
import { parse } from 'yaml';
import { promqlNames } from './fakes/promql-names.ts';
import { startGateway } from './fakes/test-gateway.ts';
import { keepAlive, memory, pool } from './fakes/samples.ts';

interface Target {
  readonly expr: string;
  readonly legendFormat: string;
}

interface Panel {
  readonly id: number;
  readonly title: string;
  readonly type: string;
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly targets?: readonly Target[];
}

interface Dashboard {
  readonly panels: readonly Panel[];
  readonly templating: { readonly list: readonly { readonly name: string; readonly definition?: string }[] };
}

interface Rules {
  readonly groups: readonly { readonly rules: readonly { readonly alert: string; readonly expr: string }[] }[];
}

const infra = (path: string): Promise<string> =>
  readFile(new URL(`../../../infra/${path}`, import.meta.url), { encoding: 'utf8' });
const dashboard = JSON.parse(await infra('grafana/dashboards/hob.json')) as Dashboard;
const rules = parse(await infra('prometheus/hob.rules.yml')) as Rules;

/** Labels that Prometheus itself adds to what it scrapes, and the one metric that it makes. */
const addedLabels = ['job', 'instance'];
const ofPrometheus = new Map([['up', new Set(addedLabels)]]);

/** The labels of every metric that /metrics gives once everything has happened once. */
async function realMetrics(): Promise<Map<string, Set<string>>> {
  await using hob = await startGateway();
  const { metrics } = hob;
  const labels = { invocationId: 'i', function: 'hello', version: 1 };
  const times = { queueMs: 1, createMs: 1, thawMs: 1, loadMs: 1, runMs: 1, bytesIn: 0, bytesOut: 0 };
  const used = { cpuMs: 1, memoryPeakBytes: 1, containerAgeMs: 1 };
  metrics.invocationEnded({ ...labels, ...times, ...used, start: 'cold', outcome: 'ok' });
  metrics.log({ ...labels, timeMs: 0, channel: 'stdout', line: '' });
  metrics.containerCreated({ createMs: 1 });
  metrics.containerDied({ function: 'hello', cause: 'oom', cpuSeconds: 1 });
  metrics.egressDenied({ function: 'hello', reason: 'host', count: 1 });
  metrics.dnsQueries({ function: 'hello', outcome: 'answered', count: 1 });
  metrics.preloaded({ function: 'hello', outcome: 'useful' });
  metrics.zygoteRestarted();
  const numbers = { version: 1, loading: 1, idle: 1, busy: 1, waiting: 1, cpuSeconds: 1, memoryBytes: 1, keepAlive };
  hob.control.current = {
    pools: [pool],
    memory,
    functions: [{ function: 'hello', ...numbers }],
    zygotes: [],
  };
  const text = await (await fetch(`${hob.url}/metrics`)).text();
  const found = new Map<string, Set<string>>(ofPrometheus);
  for (const line of text.split('\n')) {
    const [, name, list] = /^([a-z_:][\w:]*)(?:\{(.*)\})? \S+$/i.exec(line) ?? [];
    if (name === undefined) continue;
    const names = found.get(name) ?? new Set(addedLabels);
    for (const [, label] of (list ?? '').matchAll(/(?:^|,)([a-z_]\w*)="/gi)) names.add(label as string);
    found.set(name, names);
  }
  return found;
}

/** Checks the names in one expression. */
function check(real: ReadonlyMap<string, ReadonlySet<string>>, place: string, expression: string): ReadonlySet<string> {
  const { grouping, selectors } = promqlNames(expression);
  assert.ok(selectors.length > 0, `${place} names a metric`);
  const all = new Set<string>();
  for (const { matchers, metric } of selectors) {
    const labels = real.get(metric);
    assert.ok(labels, `${place}: /metrics gives no ${metric}`);
    for (const label of labels) all.add(label);
    for (const { label, operator, value } of matchers) {
      assert.ok(labels.has(label), `${place}: ${metric} has no label ${label}`);
      if (label === 'outcome') checkOutcome(place, operator, value);
    }
  }
  for (const label of grouping) assert.ok(all.has(label), `${place}: nothing there has a label ${label}`);
  return grouping.length > 0 ? new Set(grouping) : all;
}

/** An outcome that is asked for must be one that can be. */
function checkOutcome(place: string, operator: string, value: string): void {
  const outcomes = ['ok', ...Object.keys(catalogue)];
  const patterns = operator.endsWith('~') ? value.split('|') : [value];
  for (const pattern of patterns) {
    const matches = new RegExp(`^(?:${pattern})$`);
    assert.ok(
      outcomes.some((outcome) => matches.test(outcome)),
      `${place}: there is no outcome ${pattern}`,
    );
  }
}

test('the dashboard and the alerts ask only for metrics and labels that /metrics gives', async () => {
  const real = await realMetrics();
  const targets = dashboard.panels.flatMap((panel) => (panel.targets ?? []).map((target) => ({ panel, target })));
  assert.ok(targets.length > 30);
  for (const { panel, target } of targets) {
    const place = `panel "${panel.title}"`;
    const labels = check(real, place, target.expr);
    for (const [, label] of target.legendFormat.matchAll(/\{\{(\w+)\}\}/g)) {
      assert.ok(labels.has(label as string), `${place}: its legend names ${label}, which the query does not keep`);
    }
  }
  const variables = dashboard.templating.list.flatMap(({ definition, name }) =>
    definition ? [{ definition, name }] : [],
  );
  assert.ok(variables.length > 0);
  for (const { definition, name } of variables) {
    const [, metric = '', label = ''] = /^label_values\((\w+), (\w+)\)$/.exec(definition) ?? [];
    assert.ok(real.get(metric)?.has(label), `variable ${name}: ${definition}`);
  }
  const alerts = rules.groups.flatMap((group) => group.rules);
  assert.ok(alerts.length > 0);
  for (const { alert, expr } of alerts) check(real, `alert ${alert}`, expr);
});

test('the dashboard shows every metric of hob’s own', async () => {
  const asked = new Set(
    dashboard.panels.flatMap((panel) =>
      (panel.targets ?? []).flatMap(({ expr }) => promqlNames(expr).selectors.map(({ metric }) => metric)),
    ),
  );
  const family = (name: string): string => name.replace(/_(?:bucket|sum|count)$/, '');
  const shown = new Set([...asked].map(family));
  const own = [...(await realMetrics()).keys()].filter((name) => name.startsWith('hob_'));
  assert.ok(own.length > 15);
  for (const name of own) assert.ok(shown.has(family(name)), `${name} is on no panel`);
});

test('the check of queries finds wrong names', async () => {
  const real = await realMetrics();
  for (const wrong of [
    'hob_no_such_metric',
    'sum(rate(hob_invocations_total{fn="x"}[5m]))',
    'sum by (cause) (rate(hob_invocations_total[5m]))',
    'rate(hob_invocations_total{outcome="no such"}[5m])',
    'rate(hob_invocation_duration_seconds[5m])',
    'median(hob_containers)',
  ]) {
    assert.throws(() => check(real, 'here', wrong), wrong);
  }
  const right = 'sum by (function, le) (rate(hob_invocation_duration_seconds_bucket{le="1",job=~"$job"}[5m])) > 0.5';
  assert.deepEqual(check(real, 'here', right), new Set(['function', 'le']));
});

test('the dashboard has panels that neither share an id nor overlap', () => {
  const { panels } = dashboard;
  assert.equal(new Set(panels.map((panel) => panel.id)).size, panels.length);
  const cells = new Set<string>();
  for (const { gridPos, title } of panels) {
    assert.ok(gridPos.x + gridPos.w <= 24, title);
    for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++) {
      for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
        assert.ok(!cells.has(`${x},${y}`), `${title} overlaps another panel`);
        cells.add(`${x},${y}`);
      }
    }
  }
});

test('Prometheus is told to scrape the path that the gateway serves, and to read the alerts', async () => {
  const config = parse(await infra('prometheus/prometheus.yml')) as {
    rule_files: string[];
    scrape_configs: { job_name: string; metrics_path: string }[];
  };
  await using hob = await startGateway();
  const [job] = config.scrape_configs;
  assert.equal(job?.job_name, 'hob');
  assert.equal((await fetch(hob.url + (job?.metrics_path ?? ''))).status, 200);
  for (const file of config.rule_files) assert.ok(await infra(`prometheus/${file}`));
});
