import assert from 'node:assert/strict';
import { readFileSync, readdirSync, readlinkSync } from 'node:fs';
import { Agent, get, type IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { createHash } from 'node:crypto';
import { exampleFolder } from '../support/example.ts';
import { writeFunction } from '../support/function-folder.ts';
import { problem } from '../support/http-call.ts';
import { HobServer } from '../support/hob-server.ts';
import { commandOf, descendants, isRunning, type ProcessSight, serverPid } from '../support/processes.ts';
import { RawConnection } from '../support/raw-connection.ts';
import { TemporaryFolder } from '../support/temporary-folder.ts';
import { until } from '../support/until.ts';

const functionFolder = (name: string): string => join(import.meta.dirname, '../functions', name);

let hob: HobServer;
let folder: TemporaryFolder;

before(async () => {
  hob = await HobServer.create({ env: { HOB_WORKERS: '2', HOB_HTTP_DRAIN_MS: '5000' } });
  folder = await TemporaryFolder.create('workers');
  await hob.deploy(exampleFolder('hello'), functionFolder('behave'), functionFolder('single'));
});

after(async () => {
  await hob[Symbol.asyncDispose]();
  await folder[Symbol.asyncDispose]();
});

/** The processes that are the gateway. */
function workers(): ProcessSight[] {
  return descendants(serverPid(hob.pid)).filter(({ pid }) => commandOf(pid).includes('worker'));
}

const inHex = (port: number): string => `:${port.toString(16).toUpperCase().padStart(4, '0')}`;

/** Inodes of the connections that clients have to hob's port. @param from the port of the only client that counts. */
function clientSockets(from?: number): Set<string> {
  const [port, client] = [inHex(Number(new URL(hob.url).port)), from === undefined ? '' : inHex(from)];
  const lines = readFileSync('/proc/net/tcp', 'utf8').trim().split('\n').slice(1);
  const columns = lines.map((line) => line.trim().split(/\s+/));
  return new Set(
    columns
      .filter(([, local, remote, state]) => local?.endsWith(port) && remote?.endsWith(client) && state === '01')
      .map((line) => line[9] ?? ''),
  );
}

/** How many clients' connections a process has. @param from as for `clientSockets`. */
function connectionsOf(pid: number, from?: number): number {
  const clients = clientSockets(from);
  const links = readdirSync(`/proc/${pid}/fd`).map((fd) => {
    try {
      return readlinkSync(`/proc/${pid}/fd/${fd}`);
    } catch {
      return '';
    }
  });
  return links.filter((link) => clients.has(/^socket:\[(\d+)\]$/.exec(link)?.[1] ?? '-')).length;
}

async function metric(pattern: RegExp): Promise<number> {
  const text = await (await fetch(`${hob.url}/metrics`)).text();
  return Number(pattern.exec(text)?.[1] ?? Number.NaN);
}

const callsOf = (name: string): Promise<number> =>
  metric(new RegExp(`^hob_invocations_total\\{function="${name}",version="1",outcome="ok"\\} (\\d+)$`, 'm'));

const inFlight = (): Promise<number> => metric(/^hob_http_requests_in_flight (\d+)$/m);

/** Calls on connections that stay open. */
async function callOnConnections(agent: Agent, count: number): Promise<number[]> {
  const one = (): Promise<number> =>
    new Promise((resolve, reject) => {
      const request = get(`${hob.url}/fn/hello`, { agent }, (response: IncomingMessage) => {
        response.resume().on('end', () => resolve(response.statusCode ?? 0));
      });
      request.on('error', reject);
    });
  return Promise.all(Array.from({ length: count }, one));
}

test('two workers share the connections, and the metrics count the calls of both', async () => {
  const agent = new Agent({ keepAlive: true, maxSockets: 64 });
  try {
    const seen = (await callsOf('hello')) || 0;
    const statuses = await callOnConnections(agent, 64);
    assert.deepEqual(new Set(statuses), new Set([200]));
    const [first, second, ...others] = workers().map(({ pid }) => connectionsOf(pid));
    assert.deepEqual(others, []);
    // Of 64 connections none go to one of two processes once in 10^19 times.
    assert.ok(first !== undefined && second !== undefined && first > 0 && second > 0, `${first} and ${second}`);
    await until('all calls are counted', async () => (await callsOf('hello')) === seen + 64);
    await until('no request is being served', async () => (await inFlight()) === 0);
    assert.equal(await metric(/^hob_gateway_workers (\d+)$/m), 2);
  } finally {
    agent.destroy();
  }
});

test('bodies of ten megabytes stream both ways through a worker', async () => {
  const bytes = Buffer.alloc(10_000_000, 'worker');
  const echoed = await hob.fn('behave/echo', { method: 'POST', body: bytes });
  assert.equal(echoed.status, 200);
  assert.ok(echoed.body.equals(bytes));
  const hash = await hob.fn('behave/sha256', { method: 'POST', body: bytes });
  assert.equal(hash.body.toString(), createHash('sha256').update(bytes).digest('hex'));
});

test('every worker calls the version that was just deployed, and none that was just removed', async () => {
  for (let round = 1; round <= 5; round += 1) {
    const source = `export default () => new Response('round ${round}');`;
    await hob.deploy(await writeFunction(join(folder.path, 'fresh'), { name: 'fresh', memoryMb: 128 }, source));
    // A connection each, so that both workers are asked.
    const answers = await Promise.all(Array.from({ length: 12 }, () => rawGet('/fn/fresh')));
    for (const answer of answers) assert.match(answer, new RegExp(`round ${round}$`));
  }
  assert.equal((await hob.hob(['rm', 'fresh'])).exitCode, 0);
  const answers = await Promise.all(Array.from({ length: 12 }, () => rawGet('/fn/fresh')));
  for (const answer of answers) assert.match(answer, /ERR_FN_NOT_FOUND/);
});

async function rawGet(path: string): Promise<string> {
  using connection = await RawConnection.open(hob.url);
  connection.send(`GET ${path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n`);
  return await connection.all();
}

/** Begins a call that lasts until it is cancelled. */
async function hold(): Promise<RawConnection> {
  const before = await holding();
  const connection = await RawConnection.open(hob.url);
  connection.send('GET /fn/single/hold HTTP/1.1\r\nhost: a\r\n\r\n');
  await until('the call runs', async () => (await holding()) > before);
  return connection;
}

/** How many calls have said that they hold. */
async function holding(): Promise<number> {
  const { stdout } = await hob.hob(['logs', 'single', '--tail', '1000']);
  return stdout.split('\n').filter((line) => line.includes('holding')).length;
}

interface Stats {
  readonly functions: readonly { readonly function: string; readonly busy: number; readonly waiting: number }[];
  readonly gateway: { readonly requestsInFlight: number };
}

async function single(): Promise<{ readonly busy: number; readonly waiting: number }> {
  const { functions } = (await hob.control('stats')) as Stats;
  const mine = functions.filter((entry) => entry.function === 'single');
  const sum = (key: 'busy' | 'waiting'): number => mine.reduce((total, entry) => total + entry[key], 0);
  return { busy: sum('busy'), waiting: sum('waiting') };
}

test('a client that goes away cancels its call, and maxContainers holds for all workers together', async () => {
  using held = await hold();
  // One container for all: these wait for it, whichever worker has them.
  const waiting = await Promise.all(Array.from({ length: 8 }, () => RawConnection.open(hob.url)));
  for (const connection of waiting) connection.send('GET /fn/single HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n');
  await until('eight calls wait', async () => (await single()).waiting === 8);
  assert.equal((await single()).busy, 1);
  held[Symbol.dispose]();
  for (const connection of waiting) assert.match(await connection.all(), /^HTTP\/1\.1 200 .*done$/s);
  assert.equal(
    await metric(/^hob_invocations_total\{function="single",version="1",outcome="ERR_CANCELLED"\} (\d+)$/m),
    1,
  );
});

test('DELETE /v1/invocations/<id> cancels a call of any worker', async () => {
  using held = await hold();
  const { stdout } = await hob.hob(['logs', 'single', '--tail', '1', '--json']);
  const id = /[0-9a-f]{8}-[0-9a-f-]{27}/.exec(stdout)?.[0];
  const headers = { authorization: `Bearer ${hob.token}` };
  const answer = await fetch(`${hob.url}/v1/invocations/${id}`, { method: 'DELETE', headers });
  assert.equal(answer.status, 202);
  assert.equal(await held.status(), 499);
  await until('nothing runs', async () => (await single()).busy === 0);
});

test('a worker that is killed takes its calls with it and no others, and is started again', async () => {
  using held = await hold();
  const victim = workers().find(({ pid }) => connectionsOf(pid, held.port) > 0);
  assert.ok(victim !== undefined);
  const before = workers();
  process.kill(victim.pid, 'SIGKILL');
  await held.all();
  await until('its call has ended', async () => (await single()).busy === 0 && (await inFlight()) === 0);
  // The next call gets the one container, which is held by nobody.
  assert.match(await rawGet('/fn/single'), /done$/);
  await until('there are two again', () => {
    const now = workers();
    return now.length === 2 && !now.some(({ pid }) => pid === victim.pid);
  });
  assert.equal(before.filter(isRunning).length, 1);
  await until('the new one listens', async () => (await metric(/^hob_gateway_workers (\d+)$/m)) === 2);
  assert.equal(await metric(/^hob_gateway_worker_restarts_total (\d+)$/m), 1);
  assert.match(hob.output, /a gateway worker ended; it is started again/);
  for (let call = 0; call < 20; call += 1) assert.equal(problem(await hob.fn('nothing')), '404 ERR_FN_NOT_FOUND');
});

/** The worker that a single connection is at: it is the only one that is open. */
test('hob logs --follow streams through a worker', async () => {
  const headers = { authorization: `Bearer ${hob.token}` };
  const abort = new AbortController();
  const following = await fetch(`${hob.url}/v1/functions/behave/logs?follow=true&tail=0`, {
    headers,
    signal: abort.signal,
  });
  assert.equal(following.status, 200);
  const reader = following.body?.getReader();
  await hob.fn('behave/flood?bytes=2048');
  const { value } = (await reader?.read()) ?? {};
  assert.match(Buffer.from(value ?? []).toString(), /xxxx/);
  abort.abort();
});

test('hob serve of workers ends in order: running calls end, then all processes', async () => {
  const family = [...descendants(hob.pid)];
  using running = await RawConnection.open(hob.url);
  running.send('POST /fn/behave/sha256 HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\nab');
  await until('the call runs', async () => (await inFlight()) === 1);
  const stopped = hob.stop();
  await until('it stops', async () => (await hob.fn('hello').catch(() => undefined))?.status !== 200);
  running.send('cde');
  assert.match(await running.all(), new RegExp(`${createHash('sha256').update('abcde').digest('hex')}$`));
  assert.equal(await stopped, 0, hob.output);
  await until('everything is gone', () => !family.some(isRunning));
  await hob.start();
});

test('workers end with a server that is killed', async () => {
  const family = [...descendants(hob.pid)];
  assert.equal(workers().length, 2);
  const ended = hob.ended();
  process.kill(serverPid(hob.pid), 'SIGKILL');
  assert.equal(await ended, 1);
  await until('everything is gone', () => !family.some(isRunning));
  await hob.start();
  assert.equal((await hob.fn('hello')).status, 200);
});
