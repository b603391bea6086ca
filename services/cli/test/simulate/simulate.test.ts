import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { hob, temporaryFolder } from '../fakes/command-run.ts';

const trace = fileURLToPath(new URL('calls-by-minute.csv', import.meta.url));

test('hob simulate prints cold starts, idle memory and the pool for each policy', async () => {
  const { code, stdout, stderr } = await hob(['simulate', '--trace', trace, '--keep-alive', '600,30']);
  assert.equal(code, 0, stderr);
  const [head, ...rows] = stdout
    .trimEnd()
    .split('\n')
    .map((line) => line.split(/\s{2,}/));
  assert.deepEqual(head, ['POLICY', 'COLD', 'COLD STARTS', 'IDLE GB·S', 'MIN']);
  assert.deepEqual(
    rows.map(([policy]) => policy),
    [
      'no keep-alive',
      'fixed 30 s',
      'fixed 600 s',
      'hybrid histogram',
      ...[1024, 4096, 16384].map((mb) => `greedy-dual ${mb} MB`),
    ],
  );
  assert.deepEqual(rows[0], ['no keep-alive', '100.00 %', '16', '0.0', '1']);
  // Every minute, every three minutes, once.
  assert.equal(rows[2]?.[2], '3');
  assert.match(stderr, /^calls: 16, functions: 3$/m);
  assert.match(stderr, /^Durations: the trace, else 100 ms\. Memory of a container: 256 MB\.$/m);
});

test('hob simulate --json has the same numbers', async () => {
  const { stdout } = await hob(['simulate', '--trace', trace, '--keep-alive', '600', '--budget', '64', '--json']);
  const { calls, functions, policies } = JSON.parse(stdout) as { calls: number; functions: number; policies: object[] };
  assert.deepEqual([calls, functions, policies.length], [16, 3, 4]);
  assert.deepEqual(policies[0], {
    family: 'none',
    label: 'no keep-alive',
    calls: 16,
    coldStarts: 16,
    wastedGbSeconds: 0,
    coldStartShare: 1,
    starts: 16,
    poolMin: 1,
  });
});

test('hob simulate --plot draws each policy where its numbers are', async (t) => {
  const plot = join(await temporaryFolder(t), 'plot.svg');
  const { code, stderr } = await hob(['simulate', '--trace', trace, '--plot', plot]);
  assert.equal(code, 0, stderr);
  const svg = await readFile(plot, 'utf8');
  assert.match(svg, /^<svg [^>]*>\n[^]*\n<\/svg>\n$/);
  assert.equal(svg.match(/<circle /g)?.length, 10);
  // No keep-alive: all cold, nothing wasted, at the left end of the top line.
  assert.match(svg, /<circle cx="70" cy="70" r="4" fill="#666666"\/>/);
  assert.doesNotMatch(svg, /NaN|undefined/);
  // Several policies come to the same here; no name hides another.
  const labels = [...svg.matchAll(/<text x="(.+?)" y="(.+?)" fill=/g)].map(([, x, y]) => `${x} ${y}`);
  assert.equal(new Set(labels).size, 10);
});

test('hob simulate: a bad file is told by its line, wrong numbers are wrong usage', async (t) => {
  const bad = await hob(['simulate', '--trace', fileURLToPath(import.meta.url)]);
  assert.equal(bad.code, 1);
  assert.match(bad.stderr, /^error: \S+simulate\.test\.ts:\d+: .+ \(ERR_CLI_BAD_TRACE\)\nhint: [^\n]+\n$/);
  const absent = await hob(['simulate', '--trace', join(await temporaryFolder(t), 'absent.csv')]);
  assert.match(absent.stderr, /absent\.csv:1: ENOENT: no such file.* \(ERR_CLI_BAD_TRACE\)$/m);
  for (const argv of [[], ['--keep-alive', '0'], ['--budget', '1,x'], ['--hit', '101'], ['--replenish', '-1']]) {
    const { code } = await hob(['simulate', ...(argv.length > 0 ? ['--trace', trace] : []), ...argv]);
    assert.equal(code, 2, argv.join(' '));
  }
});
