import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { after, before, test } from 'node:test';
import { join } from 'node:path';
import { Pool } from 'undici';
import { HobServer } from '../support/hob-server.ts';

const CONTAINERS = 24;

/** What functions/fresh says of its container. */
interface Tale {
  readonly calls: number;
  readonly random: number;
  readonly uuid: string;
  readonly webUuid: string;
  readonly int: number;
  readonly bytes: string;
  readonly pid: number;
  readonly pidInProc: number;
  readonly timeOriginMs: number;
  readonly uptimeSeconds: number;
  readonly cwd: string;
  readonly execPath: string;
  readonly environment: readonly string[];
}

let hob: HobServer;
let tales: Tale[];
let calledAtMs: number;

before(async () => {
  hob = await HobServer.create();
  await hob.deploy(join(import.meta.dirname, '../functions/fresh'));
  calledAtMs = Date.now();
  tales = await talesOfManyContainers();
});

after(async () => hob[Symbol.asyncDispose]());

/** Every call is held open until all have told, so each has a container of its own. */
async function talesOfManyContainers(): Promise<Tale[]> {
  const pool = new Pool(hob.url, { connections: CONTAINERS });
  const held: PassThrough[] = [];
  const calls = Array.from({ length: CONTAINERS }, async () => {
    const body = new PassThrough();
    held.push(body);
    body.write('hold');
    const answer = await pool.request({ method: 'POST', path: '/fn/fresh', body });
    const chunks = answer.body[Symbol.asyncIterator]();
    const { value } = await chunks.next();
    return { tale: JSON.parse(Buffer.from(value).toString('utf8')) as Tale, chunks };
  });
  const told = await Promise.all(calls);
  for (const body of held) body.end();
  for (const { chunks } of told) assert.equal((await chunks.next()).done, true);
  await pool.close();
  return told.map(({ tale }) => tale);
}

function distinct(pick: (tale: Tale) => unknown): number {
  return new Set(tales.map(pick)).size;
}

test('containers: each call that is held at the same time has its own', () => {
  assert.deepEqual(
    tales.map((tale) => tale.calls),
    Array.from({ length: CONTAINERS }, () => 1),
  );
});

test('containers never agree on Math.random()', () =>
  assert.equal(
    distinct((tale) => tale.random),
    CONTAINERS,
  ));

test('containers never agree on crypto.randomUUID(), of the module and of the web', () => {
  assert.equal(new Set(tales.flatMap((tale) => [tale.uuid, tale.webUuid])).size, 2 * CONTAINERS);
});

test('containers never agree on crypto.randomInt()', () =>
  assert.equal(
    distinct((tale) => tale.int),
    CONTAINERS,
  ));

test('containers never agree on crypto.randomBytes()', () =>
  assert.equal(
    distinct((tale) => tale.bytes),
    CONTAINERS,
  ));

test('process.pid is 1, as the container sees it', () => {
  for (const tale of tales) assert.deepEqual([tale.pid, tale.pidInProc], [1, 1]);
});

test("performance.timeOrigin and process.uptime() are the container's, not the zygote's", () => {
  // A few were parked before the calls; the zygote is older than them all.
  const forked = tales.filter((tale) => tale.timeOriginMs >= calledAtMs);
  assert.ok(forked.length >= CONTAINERS / 2, `only ${forked.length} began after the calls`);
  for (const tale of forked) assert.ok(tale.uptimeSeconds * 1000 <= Date.now() - calledAtMs, `${tale.uptimeSeconds} s`);
});

test('process.cwd(), process.execPath and the environment are of the container', () => {
  for (const tale of tales) {
    assert.match(tale.cwd, /^\/(?:var\/task|tmp)$/);
    assert.equal(tale.execPath, '/usr/local/bin/node');
    assert.deepEqual(
      tale.environment.filter((name) => name.startsWith('HOB_') || name === 'LD_PRELOAD'),
      [],
    );
  }
});
