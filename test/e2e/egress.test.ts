import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { join } from 'node:path';
import { HobServer, repository } from '../support/hob-server.ts';
import { enterWorldOfOwn, outside } from '../support/outside.ts';
import { until } from '../support/until.ts';

let world: AsyncDisposable;
let hob: HobServer;

before(async () => {
  world = await enterWorldOfOwn();
  hob = await HobServer.create();
  await hob.deploy(join(repository, 'test/functions/reach'), join(repository, 'test/functions/single'));
});

after(async () => {
  await hob[Symbol.asyncDispose]();
  await world[Symbol.asyncDispose]();
});

async function reach(url: string): Promise<string> {
  const answer = await hob.fn(`reach/?url=${encodeURIComponent(url)}`);
  assert.equal(answer.status, 200, answer.body.toString('utf8'));
  return answer.body.toString('utf8');
}

/** The samples of a metric with the label of a function. */
async function samples(metric: string): Promise<string[]> {
  const text = await (await fetch(`${hob.url}/metrics`)).text();
  return text.split('\n').filter((line) => line.startsWith(`${metric}{function="reach"`));
}

test('a deployed function reaches what its hob.json names, with the host’s address, and nothing else', async () => {
  assert.equal(await reach(`http://${outside.web}/`), `web ${outside.host}`);
  assert.equal(await reach(`http://${outside.other}/`), 'ECONNREFUSED');
  assert.equal(await reach(`http://${outside.web}:81/`), 'ECONNREFUSED');
  assert.equal(await reach('http://169.254.169.254/latest/meta-data/'), 'ECONNREFUSED');
  assert.equal(await reach('http://web.example/'), 'ENOTFOUND');
  // hob's own port, at the host's address and at its loopback, which is another one inside.
  const { port } = new URL(hob.url);
  assert.equal(await reach(`http://${outside.host}:${port}/`), 'ECONNREFUSED');
  assert.equal(await reach(`http://127.0.0.1:${port}/`), 'ECONNREFUSED');
});

test('hob logs --denied tells each of them, and the metrics count them', async () => {
  const denied = await until('the denials are logged', async () => {
    const { exitCode, stdout } = await hob.hob(['logs', 'reach', '--denied', '--json']);
    assert.equal(exitCode, 0);
    const lines = stdout.split('\n').filter(Boolean);
    return lines.length >= 5 ? lines.map((line) => JSON.parse(line) as { channel: string; line: string }) : undefined;
  });
  assert.ok(denied.every(({ channel }) => channel === 'denied'));
  const { port } = new URL(hob.url);
  const once = (line: string): string => line.replace(/ \(\d+ times\)$/, '');
  assert.deepEqual(
    denied.map(({ line }) => once(line)).toSorted(),
    [
      'name web.example: not in the egress list of hob.json',
      'tcp 169.254.169.254:80: no address of the public internet',
      `tcp ${outside.host}:${port}: an address of the host`,
      `tcp ${outside.web}:81: not in the egress list of hob.json`,
      `tcp ${outside.other}:80: not in the egress list of hob.json`,
    ].toSorted(),
  );
  const reasons = (await samples('hob_egress_denied_total')).map((line) => /reason="([^"]+)"/.exec(line)?.[1]);
  assert.deepEqual(new Set(reasons), new Set(['address', 'host', 'name', 'not-listed']));
  assert.match((await samples('hob_dns_queries_total')).join('\n'), /outcome="denied"\} [1-9]/);
  const { stdout } = await hob.hob(['stats']);
  assert.match(stdout, /^nodejs24\.x +128 MB +egress +/m);
});

test('a function that asks for no network has none, beside one that does', async () => {
  const answer = await hob.fn('single/');
  assert.equal(answer.status, 200);
  const { stdout } = await hob.hob(['stats']);
  assert.match(stdout, /^nodejs24\.x +128 MB +none +/m);
});
