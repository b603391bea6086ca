/** A container that speaks past its runtime: whatever it writes to the platform, only its own call fails. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import {
  catalogue,
  encodeCredit,
  encodeFrame,
  encodeJson,
  FLAG_END,
  FRAME_PAYLOAD_BYTES_MAX,
  FrameType,
  STREAM_WINDOW_BYTES,
} from '@hob/contracts';
import { cgroupName } from '../support/host-census.ts';
import { HobServer } from '../support/hob-server.ts';
import { until } from '../support/until.ts';
import { cgroupOf, firstProcesses, namespaceOf } from './container-sight.ts';

const MiB = 1024 * 1024;
const RANDOM_ROUNDS = 12;
/** Where a frame's header has the stream. */
const STREAM_OFFSET = 6;
/** In place of the number that the function knows: that of its own call. */
const OWN = 0x4f57_4e21;
const NEIGHBOURS = 0xdead_beef;

let hob: HobServer;

before(async () => {
  // The neighbour's container is not to be reclaimed in between, however slow the machine is.
  hob = await HobServer.create({ env: { HOB_KEEP_ALIVE_MS: '3600000', HOB_KEEP_ALIVE_POLICY: 'fixed' } });
  await hob.deploy(...['frames', 'neighbour'].map((name) => join(import.meta.dirname, 'functions', name)));
  await neighbour();
});

after(async () => hob[Symbol.asyncDispose]());

interface Stats {
  readonly pools: readonly { readonly creating: number; readonly parked: number }[];
  readonly functions: readonly { readonly loading: number; readonly idle: number; readonly busy: number }[];
}

interface Sight {
  readonly calls: number;
  readonly pidNamespace: string;
}

async function neighbour(): Promise<Sight> {
  const answer = await hob.fn('neighbour', { body: 'hello' });
  assert.equal(answer.status, 200, answer.body.toString('utf8'));
  return JSON.parse(answer.body.toString('utf8')) as Sight;
}

/** What the function is asked to write, with the places of its own stream. */
function order(pieces: readonly Uint8Array[], options: { times?: number; answers?: boolean } = {}): string {
  const bytes = Buffer.concat(pieces);
  const streamAt: number[] = [];
  for (let at = 0, piece = 0; piece < pieces.length; at += pieces[piece]?.byteLength ?? 0, piece += 1) {
    const own = at + STREAM_OFFSET + 4 <= bytes.byteLength && bytes.readUInt32LE(at + STREAM_OFFSET) === OWN;
    if (own) streamAt.push(at + STREAM_OFFSET);
  }
  return JSON.stringify({ pieces: [bytes.toString('base64')], streamAt, times: 1, answers: false, ...options });
}

/** The status and code of a call that writes frames; `200` when it was answered. */
async function write(body: string): Promise<string> {
  const answer = await hob.fn('frames/write', { body });
  if (answer.status === 200) return '200';
  const { code } = JSON.parse(answer.body.toString('utf8')) as { code: string };
  assert.ok(code in catalogue && code !== 'ERR_INTERNAL', code);
  return `${answer.status} ${code}`;
}

/** The neighbour's container is the one it had, and has answered once more. */
async function assertNeighbourWell(was: Sight): Promise<Sight> {
  const now = await neighbour();
  assert.deepEqual(now, { ...now, calls: was.calls + 1, pidNamespace: was.pidNamespace });
  return now;
}

const json = (type: FrameType, payload: object, stream = OWN): Buffer => encodeJson(type, stream, payload);
const head = json(FrameType.HEAD, { status: 200, headers: [] });
const manyHeaders = Array.from({ length: 1002 }, () => 'x');
const header = (length: number, type: number): Buffer => {
  const bytes = Buffer.alloc(10);
  bytes.writeUInt32LE(length, 0);
  bytes[4] = type;
  bytes.writeUInt32LE(OWN, STREAM_OFFSET);
  return bytes;
};

/** Each ends the container, and the call with a code. */
const violations: Readonly<Record<string, readonly Uint8Array[]>> = {
  'an unknown type': [header(0, 99)],
  'type 0': [header(0, 0)],
  'a frame of 4 GiB': [header(0xffff_ffff, FrameType.BODY)],
  'a frame that is a byte too large': [header(FRAME_PAYLOAD_BYTES_MAX + 1, FrameType.BODY)],
  'PARKED again': [json(FrameType.PARKED, { nodeVersion: 'v24' }, 0)],
  'LOADED again': [json(FrameType.LOADED, { cacheRejected: false }, 0)],
  'LOAD_FAILED after it was loaded': [
    json(FrameType.LOAD_FAILED, { kind: 'threw', name: 'E', message: '', stack: '' }, 0),
  ],
  'a forged CLAIM': [json(FrameType.CLAIM, { function: 'neighbour' }, 0)],
  'a forged INVOKE': [json(FrameType.INVOKE, {})],
  'a forged CANCEL': [json(FrameType.CANCEL, { reason: 'shutdown' })],
  'a code cache that nobody asked for': [encodeFrame(FrameType.CACHE, 0, Buffer.alloc(1000, 1), FLAG_END)],
  'EXIT on a stream': [json(FrameType.EXIT, { reason: 'exit', exitCode: 0 })],
  'EXIT without a reason': [json(FrameType.EXIT, { exitCode: 0 }, 0)],
  "a response on another call's stream": [encodeJson(FrameType.HEAD, NEIGHBOURS, { status: 200, headers: [] })],
  'a response on the stream of the container': [json(FrameType.HEAD, { status: 200, headers: [] }, 0)],
  'two heads': [head, head],
  'a status that is no answer': [json(FrameType.HEAD, { status: 100, headers: [] })],
  'a status that is text': [json(FrameType.HEAD, { status: '200', headers: [] })],
  'half a header': [json(FrameType.HEAD, { status: 200, headers: ['a'] })],
  'a header that is an object': [json(FrameType.HEAD, { status: 200, headers: ['a', {}] })],
  'too many headers': [json(FrameType.HEAD, { status: 200, headers: manyHeaders })],
  'too long headers': [json(FrameType.HEAD, { status: 200, headers: ['a', 'x'.repeat(65_536)] })],
  'a head that is no JSON': [encodeFrame(FrameType.HEAD, OWN, '{'.repeat(60_000))],
  'a head that is no UTF-8': [encodeFrame(FrameType.HEAD, OWN, Buffer.from([0xff, 0xfe]))],
  'a body before its head': [encodeFrame(FrameType.BODY, OWN, 'x')],
  'DONE of nothing': [encodeFrame(FrameType.DONE, OWN)],
  'credit of nothing': [encodeCredit(OWN, 0)],
  'credit of too much': [encodeCredit(OWN, 0xffff_ffff)],
  'credit that adds up to too much': [encodeCredit(OWN, 0x7fff_ffff), encodeCredit(OWN, 0x7fff_ffff)],
  'an error without a kind': [json(FrameType.ERROR, { name: 'E', message: 'm', stack: 's' })],
  'a line without a channel': [json(FrameType.LOG, { line: 'x' })],
  'a line of a call that never was': [encodeJson(FrameType.LOG, NEIGHBOURS, { channel: 'stdout', line: 'x' })],
  'a line of a megabyte': [json(FrameType.LOG, { channel: 'stdout', line: 'x'.repeat(1_000_000) })],
};

for (const [what, frames] of Object.entries(violations)) {
  test(`a container that sends ${what} is ended, and its neighbour is not`, async () => {
    const was = await neighbour();
    assert.match(await write(order(frames)), /^502 (?:ERR_FN_PROTOCOL|ERR_FRAME_[A-Z_]+)$/);
    await assertNeighbourWell(was);
  });
}

test('a container that sends a body over its credit is ended, and the client gets no more than the credit', async () => {
  const was = await neighbour();
  const full = encodeFrame(FrameType.BODY, OWN, Buffer.alloc(STREAM_WINDOW_BYTES));
  // The head is out, so the answer can only be cut.
  await assert.rejects(write(order([head, full, full, full, full])));
  await assertNeighbourWell(was);
});

test('a container that goes on after the end of its answer is ended, and the answer is whole', async () => {
  const end = encodeFrame(FrameType.BODY, OWN, 'x', FLAG_END);
  assert.equal(await write(order([head, end, end])), '200');
  const next = JSON.parse((await hob.fn('frames/')).body.toString('utf8')) as Sight;
  assert.equal(next.calls, 1, 'the next call has a container of its own');
});

test('a container that forges the answer of its own call changes nothing for the next one', async () => {
  const pieces = [head, encodeFrame(FrameType.BODY, OWN, 'forged', FLAG_END), encodeFrame(FrameType.DONE, OWN)];
  assert.equal(await write(order(pieces)), '200');
  // The runtime inside did not know: what it says of that call later is a violation or is never said.
  const answer = await hob.fn('frames/');
  assert.ok(answer.status === 200 || answer.status === 502, String(answer.status));
  assert.equal((await hob.fn('frames/')).status, 200);
});

test('a container that stops in the middle of a frame is ended at its deadline', async () => {
  const was = await neighbour();
  assert.equal(await write(order([header(1000, FrameType.BODY), Buffer.from('half')])), '504 ERR_FN_TIMEOUT');
  await assertNeighbourWell(was);
});

test('a container that floods its log keeps its call, and its neighbour answers meanwhile', async () => {
  const was = await neighbour();
  const line = json(FrameType.LOG, { channel: 'stdout', line: 'x'.repeat(200) }, 0);
  const flood = write(
    order(
      Array.from({ length: 200 }, () => line),
      { times: 100, answers: true },
    ),
  );
  const during = await assertNeighbourWell(was);
  assert.match(await flood, /^(?:200|504 ERR_FN_TIMEOUT)$/);
  await assertNeighbourWell(during);
  assert.ok(Buffer.byteLength((await hob.hob(['logs', 'frames', '--tail', '10000'])).stdout) < 8 * MiB);
});

test('a container that floods with credit keeps its call', async () => {
  const credit = encodeCredit(OWN, 1);
  assert.equal(
    await write(
      order(
        Array.from({ length: 500 }, () => credit),
        { times: 20, answers: true },
      ),
    ),
    '200',
  );
});

test('a container that takes no body is ended at its deadline, and its neighbour answers meanwhile', async () => {
  const was = await neighbour();
  const deaf = hob.fn('frames/deaf', { body: Buffer.alloc(16 * MiB) });
  const during = await assertNeighbourWell(was);
  const answer = await deaf;
  assert.equal(answer.status, 504, answer.body.toString('utf8'));
  await assertNeighbourWell(during);
});

test('a container that sends arbitrary bytes gets its call a code, whatever they are', async () => {
  const was = await neighbour();
  for (let round = 0; round < RANDOM_ROUNDS; round += 1) {
    const bytes = randomBytes(1 + round * 37);
    const outcome = await write(order([bytes])).catch(() => 'cut');
    assert.match(outcome, /^(?:502 |504 ERR_FN_TIMEOUT|200|cut)/, `${outcome} after ${bytes.toString('hex')}`);
  }
  await assertNeighbourWell(was);
});

test('nothing is left of all these containers', async () => {
  const sight = await neighbour();
  const cgroups = cgroupName(hob.pid);
  await until('there are as many containers on the host as the server knows', async () => {
    const { pools, functions } = (await hob.control('stats')) as Stats;
    const known =
      pools.reduce((sum, { parked }) => sum + parked, 0) +
      functions.reduce((sum, { loading, idle, busy }) => sum + loading + idle + busy, 0);
    const there = firstProcesses().filter((pid) => cgroupOf(pid).includes(`/hob/${cgroups}/`)).length;
    return pools.every(({ creating }) => creating === 0) && known === there;
  });
  assert.ok(firstProcesses().some((pid) => namespaceOf(pid, 'pid') === sight.pidNamespace));
  assert.doesNotMatch(hob.output, /ERR_INTERNAL|uncaught|unhandled/i);
});
