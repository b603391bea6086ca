/**
 * The zygote: a booted Node that containers are forked from. It runs as root, holds nothing that a function may see, runs
 * no function code, and does one thing at a time: only its main thread may ever work, so it uses no asynchronous file or
 * DNS call. Once it is set up its event loop stands still: it waits for requests in read(2), and a forked child goes on
 * with the loop as it was, so that whatever a container needs of it is made once, before any fork. It ends when its control
 * socket closes, that is with the host's process.
 */
import { readdirSync, readFileSync, readlinkSync, readSync, writeSync } from 'node:fs';
import { getHeapCodeStatistics, setFlagsFromString } from 'node:v8';
import { HEADER_BYTES, lengthAfter } from '@hob/native/fork-request';
import { loadNative, type Native, type SeccompFilter } from '@hob/native/library';
import { prepareShim, Shim } from './shim.ts';
import {
  INSIDE_UID,
  type SpawnRequest,
  ZYGOTE_CHANNEL_FD,
  ZYGOTE_CONTROL_FD,
  type ZygoteReply,
  type ZygoteRequest,
  type ZygoteSetup,
} from './zygote-messages.ts';

const REQUEST_BYTES_MAX = 64 * 1024;
/** The first process of a pid namespace. */
const CONTAINER_PID = 1;
/** Where a program's clocks start: it has none that it read before. */
const PROGRAM_CLOCK_START_NS = 1;

/** Until V8 has compiled what they run: with fewer of them it would do so in each container, during the first calls. */
const REHEARSALS = 8;

/** V8's own number: see runtimeFlags in the scheduler for the one until then. */
const USUAL_CALLS_BEFORE_OPTIMIZING = 400;

// Functions have none.
const collectGarbage = globalThis.gc;

/** @returns the first request, before there is anything to serve with; undefined when the host is gone. */
function readFirst(): ZygoteRequest | undefined {
  const header = readExactly(HEADER_BYTES);
  const text = header && readExactly(lengthAfter(header));
  return text && (JSON.parse(text.toString('utf8')) as ZygoteRequest);
}

function readExactly(bytes: number): Buffer | undefined {
  const buffer = Buffer.alloc(bytes);
  for (let filled = 0; filled < bytes;) {
    const read = readSync(ZYGOTE_CONTROL_FD, buffer, filled, bytes - filled, null);
    if (read === 0) return undefined;
    filled += read;
  }
  return buffer;
}

function reply(message: ZygoteReply): void {
  writeSync(ZYGOTE_CONTROL_FD, `${JSON.stringify(message)}\n`);
}

/** What forking needs, made once. */
interface Forge {
  readonly native: Native;
  readonly filter: SeccompFilter;
  readonly shim: Shim;
  /** The number that every container's frames socket gets: the shim reads from it. */
  readonly framesFd: number;
  /** The other descriptors that the event loop knows by number. */
  readonly loopFds: readonly number[];
}

/** The host asks for nothing else until it is told that the zygote is ready. */
async function setUp({ library, profile, probe }: ZygoteSetup): Promise<Forge> {
  if (probe !== '') process.env['HOB_PROBE'] = probe;
  const native = loadNative(library);
  const filter = native.loadFilter(profile);
  await prepareShim(CONTAINER_PID);
  // The shim's socket is one of a pair that nobody writes to; in a container the real one takes its number.
  const [framesFd, hostFd] = native.channel('stream');
  const shim = new Shim({ socketFd: framesFd, exit: (code) => native.exit(code) });
  setFlagsFromString('--lazy'); // for functions' code
  await makeShareable(shim, hostFd);
  setFlagsFromString(`--invocation-count-for-maglev=${USUAL_CALLS_BEFORE_OPTIMIZING}`); // likewise
  native.trim();
  native.gather();
  const loopFds = openDescriptors().filter((fd) => fd > 2 && !isSocket(fd));
  return { native, filter, shim, framesFd, loopFds };
}

/**
 * Leaves to containers as little as possible to do by themselves, page by page of the memory that they share: V8 has no garbage
 * to collect or to sweep, no code to compile that is of use to all, and no shapes of objects to learn.
 */
async function makeShareable(shim: Shim, hostFd: number): Promise<void> {
  await rehearse(shim, hostFd);
  // What is left lies close together then, and what is written to in each container with it.
  setFlagsFromString('--compact-on-every-full-gc');
  collectGarbage?.({ type: 'major', execution: 'sync', flavor: 'last-resort' });
  setFlagsFromString('--no-compact-on-every-full-gc');
  // V8 sweeps what it has collected when it needs room, or has to look at everything, as for this.
  getHeapCodeStatistics();
  // What V8 has learned of objects that nobody keeps was collected, too.
  await rehearse(shim, hostFd);
  collectGarbage?.({ type: 'minor', execution: 'sync' });
  collectGarbage?.({ type: 'minor', execution: 'sync' });
}

async function rehearse(shim: Shim, hostFd: number): Promise<void> {
  for (let count = 0; count < REHEARSALS; count += 1) await shim.rehearse(hostFd);
}

/** Answers requests until the host is gone; in a forked child it returns at once. */
function serve({ native, filter, shim, framesFd, loopFds }: Forge): void {
  // Behind what it is now the clocks of no container go: Node has read them till then.
  const clockStartNs = hasOwnClocks() ? Number(process.hrtime.bigint()) : 0;
  const spawn = ({ serial, program, ...request }: SpawnRequest): void => {
    const start = clockStartNs === 0 ? 0 : PROGRAM_CLOCK_START_NS;
    const spec = { ...request, insideUid: INSIDE_UID, clockStartNs: start, framesFd: -1, loopFds: [], noticesFd: 0 };
    try {
      reply({ op: 'done', serial, pid: native.spawn({ spec, filter, channel: ZYGOTE_CHANNEL_FD, serial }, program) });
    } catch (error) {
      refuse(serial, error);
    }
  };
  const descriptors = { control: ZYGOTE_CONTROL_FD, channel: ZYGOTE_CHANNEL_FD, framesFd, loopFds };
  const server = { ...descriptors, filter, insideUid: INSIDE_UID, clockStartNs };
  const buffer = Buffer.allocUnsafeSlow(REQUEST_BYTES_MAX);
  for (;;) {
    const next = native.serve(server, buffer);
    if (next === true) {
      shim.start();
      return;
    }
    if (next === undefined) return native.exit(0);
    const request = JSON.parse(next) as ZygoteRequest;
    if (request.op === 'spawn') spawn(request);
  }
}

/** Whether clocks were started for this process: see native/src/fork-friendly.c. Then it may start a container's. */
function hasOwnClocks(): boolean {
  try {
    return !/^monotonic +0 +0$/m.test(readFileSync('/proc/self/timens_offsets', 'utf8'));
  } catch {
    return false;
  }
}

function refuse(serial: number, error: unknown): void {
  reply({ op: 'failed', serial, message: error instanceof Error ? error.message : String(error) });
}

/** The descriptors that are open now, without the one that reads the list. */
function openDescriptors(): number[] {
  return readdirSync('/proc/self/fd')
    .map(Number)
    .filter((fd) => {
      const link = linkOf(fd);
      return link !== undefined && !link.startsWith('/proc/');
    });
}

function isSocket(fd: number): boolean {
  return linkOf(fd)?.startsWith('socket:') ?? false;
}

function linkOf(fd: number): string | undefined {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`);
  } catch {
    return undefined;
  }
}

async function main(): Promise<void> {
  const first = readFirst();
  if (first?.op !== 'setup') process.exit(1);
  let forge: Forge;
  try {
    forge = await setUp(first);
  } catch (error) {
    refuse(0, error);
    process.exit(1);
  }
  reply({ op: 'ready', serial: 0, nodeVersion: process.version });
  // From the event loop, so that a child goes on with it.
  setImmediate(() => serve(forge));
}

for (const name of Object.keys(process.env)) delete process.env[name];
void main();
