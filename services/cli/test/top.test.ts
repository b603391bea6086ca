import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { CallRates } from '../src/top/call-rates.ts';
import { Screen } from '../src/top/screen.ts';
import { topView } from '../src/top/view.ts';
import { hob } from './fakes/command-run.ts';
import { ControlServer, json } from './fakes/control-server.ts';
import { snapshot } from './fakes/samples.ts';

/** Counters of one version, as Prometheus reads them. */
function metricsOf(name: string, version: number, outcomes: Readonly<Record<string, number>>): string {
  const lines = Object.entries(outcomes).map(
    ([outcome, count]) =>
      `hob_invocations_total{function="${name}",version="${version}",outcome="${outcome}"} ${count}\n`,
  );
  return `# TYPE hob_invocations_total counter\n${lines.join('')}hob_other_total{function="${name}"} 99\n`;
}

/** A server whose counters of hello@3 rise by 10 with each look, one of them a failure. */
function busyServer(): Promise<ControlServer> {
  let looks = 0;
  return ControlServer.start({
    'GET /v1/stats': json(snapshot),
    'GET /metrics': (_: unknown, response: ServerResponse) => {
      looks += 1;
      response.end(metricsOf('hello', 3, { ok: looks * 9, ERR_FN_THREW: looks }));
    },
  });
}

test('CallRates: calls a second are what the counters rose by, over the time between', () => {
  const rates = new CallRates();
  rates.observe(metricsOf('a', 1, { ok: 100 }) + metricsOf('b', 2, { ok: 5 }), 1000);
  assert.equal(rates.of('a', 1), undefined, 'one look tells nothing');
  const later = metricsOf('a', 1, { ok: 110, ERR_FN_TIMEOUT: 4 }) + metricsOf('b', 2, { ok: 5 });
  rates.observe(later + metricsOf('c', 1, { ok: 6 }), 3000);
  assert.deepEqual(rates.of('a', 1), { calls: 7, failed: 2 });
  assert.deepEqual(rates.of('b', 2), { calls: 0, failed: 0 });
  assert.deepEqual(rates.of('c', 1), { calls: 3, failed: 0 }, 'its counter is new');
  assert.deepEqual(rates.of('never', 1), { calls: 0, failed: 0 });
});

test('CallRates: after the server began anew the counters count from nothing', () => {
  const rates = new CallRates();
  rates.observe(metricsOf('a', 1, { ok: 100, ERR_FN_THREW: 50 }), 0);
  rates.observe(metricsOf('a', 1, { ok: 8, ERR_FN_THREW: 2 }), 1000);
  assert.deepEqual(rates.of('a', 1), { calls: 10, failed: 2 });
});

test('topView: pools, then functions, the one with the most calls first', () => {
  const [first, second] = snapshot.functions;
  assert.ok(first && second);
  const functions = [
    { ...first, function: 'unknown', rate: undefined },
    { ...first, function: 'slow', rate: { calls: 1, failed: 1 } },
    { ...second, function: 'fast', rate: { calls: 1234.56, failed: 0.04 } },
  ];
  const lines = topView({ pools: snapshot.pools, functions })
    .split('\n')
    .map((line) => line.split(/\s{2,}/));
  assert.deepEqual(lines, [
    ['POOL', 'MEMORY', 'NETWORK', 'CREATING', 'PARKED', 'TARGET', 'CLAIMS/S'],
    ['nodejs24.x', '256 MB', 'none', '1', '2', '3', '4.0'],
    [''],
    ['FUNCTION', 'CALLS/S', 'FAILED/S', 'BUSY', 'IDLE', 'LOADING', 'WAITING', 'MEMORY'],
    ['fast@3', '1234.6', '0.0', '3', '2', '1', '4', '9.0 MB'],
    ['slow@2', '1.0', '1.0', '0', '1', '0', '0', '4.0 MB'],
    ['unknown@2', '-', '-', '0', '1', '0', '0', '4.0 MB'],
  ]);
});

test('Screen: draws what fits, over what was there, and brings the first screen back', async () => {
  const output = Object.assign(new PassThrough(), { isTTY: true, columns: 4, rows: 2 });
  {
    using screen = new Screen(output);
    screen.draw('12345\n1\nnever seen');
  }
  output.end();
  const begin = '\u001b[?1049h\u001b[?25l';
  assert.equal(await text(output), `${begin}\u001b[H1234\u001b[K\r\n1\u001b[K\u001b[J\u001b[?25h\u001b[?1049l`);
});

test('Screen: a terminal that says it has no rows gets as much as a usual one', async () => {
  const output = Object.assign(new PassThrough(), { isTTY: true, columns: 0, rows: 0 });
  new Screen(output).draw('seen');
  output.end();
  assert.match(await text(output), /seen/);
});

for (const [how, argv, tty] of [
  ['without a terminal', ['top'], false],
  ['--once on a terminal', ['top', '--once'], true],
] as const) {
  test(`hob top ${how} prints one second as text and ends`, async () => {
    await using server = await busyServer();
    const { code, stdout, stderr } = await hob(argv, { env: { HOB_URL: server.url }, tty });
    assert.equal(code, 0, stderr);
    assert.match(
      stdout,
      /^POOL .*\nnodejs24\.x +256 MB +none +1 +2 +3 +4\.0\n\nFUNCTION .*\nhello@3 +\d+\.\d +\d\.\d +3 +2 +1 +4 +9\.0 MB\nhello@2 +0\.0 /,
    );
    assert.doesNotMatch(stdout, /\u001b/);
  });
}

test('hob top --json has the pools, and the functions with their rates', async () => {
  await using server = await busyServer();
  const { stdout } = await hob(['top', '--json'], { env: { HOB_URL: server.url }, tty: true });
  const { pools, functions } = JSON.parse(stdout) as {
    pools: object[];
    functions: { rate: { calls: number; failed: number } }[];
  };
  assert.deepEqual(pools, snapshot.pools);
  const [idle, busy] = functions;
  assert.deepEqual(idle, { ...snapshot.functions[0], rate: { calls: 0, failed: 0 } });
  assert.ok(busy !== undefined && busy.rate.failed > 0);
  assert.equal(Math.round(busy.rate.calls / busy.rate.failed), 10);
});

test('hob top redraws until it is interrupted, and leaves the terminal as it was', async () => {
  await using server = await busyServer();
  const main = fileURLToPath(new URL('../src/main.ts', import.meta.url));
  const env = { HOB_URL: server.url, HOME: '/nonexistent', PATH: '/usr/bin:/bin', TERM: 'xterm' };
  // `script` gives it a terminal.
  const command = `exec ${process.execPath} --conditions=@hob/source ${main} top`;
  const child = spawn('script', ['--quiet', '--return', '--command', command, '/dev/null'], { env });
  let shown = '';
  let isInterrupted = false;
  for await (const chunk of child.stdout.setEncoding('utf8')) {
    shown += String(chunk);
    // As Ctrl-C on a keyboard, once: the terminal shows it.
    if (isInterrupted || shown.split('\u001b[H').length < 4) continue;
    isInterrupted = true;
    child.stdin.write('\u0003');
  }
  const [code] = child.exitCode === null ? await once(child, 'exit') : [child.exitCode];
  assert.equal(code, 130);
  assert.ok(shown.startsWith('\u001b[?1049h\u001b[?25l\u001b[H'));
  assert.match(shown, /hello@3 +\d+\.\d/);
  assert.ok(shown.endsWith('\u001b[?25h\u001b[?1049l'), JSON.stringify(shown.slice(-80)));
});

test('hob top: a server that does not answer is told, and one that answers with an error', async () => {
  const absent = await hob(['top'], { env: { HOB_URL: 'http://127.0.0.1:1' } });
  assert.equal(absent.code, 1);
  assert.match(absent.stderr, /ERR_CLI_UNREACHABLE/);
  await using server = await ControlServer.start({ 'GET /v1/stats': json(snapshot) });
  const { code, stderr } = await hob(['top'], { env: { HOB_URL: server.url } });
  assert.equal(code, 1);
  assert.match(stderr, /ERR_API_NOT_FOUND/);
});
