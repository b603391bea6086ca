import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { encodeChunks, encodeInvoke, encodeJson, type Frame, FrameType, FLAG_END } from '@hob/contracts';
import { type ContainerProgram, hostNative, libraryPath } from '@hob/native';
import type {
  ContainerDriver,
  ContainerExit,
  ContainerKind,
  ContainerLimits,
  ContainerProcess,
} from '../../src/container-driver.ts';
import { type DriverEvents, type DriverOptions, driverDefaults } from '../../src/driver/driver-options.ts';
import { HostDriver } from '../../src/driver/host-driver.ts';
import type { LauncherConnection } from '../../src/launcher/connection.ts';
import { RemoteDriver } from '../../src/launcher/remote-driver.ts';

const root = fileURLToPath(new URL('../../../../.hob/rootfs/current', import.meta.url));

/** In a guest kernel the processor is emulated. */
const startTimeoutMs = driverDefaults.startTimeoutMs * (process.env['HOB_TEST_GUEST'] === undefined ? 1 : 8);

/** A kind of container. */
export function kindOf(memoryMb: number, network: ContainerKind['network'] = 'none'): ContainerKind {
  return { runtime: 'nodejs24.x', memoryMb, network };
}

/** Options of a driver on this host whose cgroups are this test process's own. */
export function driverOptions(changes: Partial<DriverOptions> = {}): DriverOptions {
  const paths = { root, library: libraryPath, bundles: '/nonexistent' };
  return { ...driverDefaults, ...paths, startTimeoutMs, instance: `test-${process.pid}`, ...changes };
}

/** The limits of a parked container of the smallest class, with changes. */
export function limitsOf(changes: Partial<ContainerLimits> = {}): ContainerLimits {
  const { pidsMax: pids, nofileMax: nofile, tmpBytes, tmpInodes: tmpFiles } = driverDefaults;
  return {
    memoryMb: 128,
    cpu: 1,
    cpuWeight: 100,
    pids,
    nofile,
    tmpMb: tmpBytes / 2 ** 20,
    tmpFiles,
    io: undefined,
    ...changes,
  };
}

/** A folder of bundles with one in it, removed on disposal. */
export function bundlesFolder(): Disposable & { readonly path: string; readonly digest: string } {
  const path = mkdtempSync(join(tmpdir(), 'hob-bundles-'));
  const digest = 'ab'.repeat(32);
  mkdirSync(join(path, digest, 'files'), { recursive: true });
  writeFileSync(join(path, digest, 'files', 'asset.txt'), 'of the bundle');
  return { path, digest, [Symbol.dispose]: () => rmSync(path, { recursive: true }) };
}

/** A launcher as a process of its own, and the client's end of a connection to it. */
export interface LauncherProcess extends LauncherConnection {
  readonly child: ChildProcess;
}

const launcherScript = fileURLToPath(new URL('launcher-process.ts', import.meta.url));

/** Starts one, which ends when the connection does. */
export function startLauncher(options: DriverOptions, containersMax = 100): LauncherProcess {
  const [channel, theirs] = hostNative().channel('packets');
  try {
    const child = spawn(
      process.execPath,
      ['--conditions=@hob/source', launcherScript, JSON.stringify({ options, containersMax })],
      { stdio: ['ignore', 'inherit', 'inherit', 'pipe', theirs] },
    );
    return { child, socket: child.stdio[3] as Socket, channel };
  } finally {
    hostNative().close(theirs);
  }
}

/** A way to open a driver. */
export interface DriverKind {
  readonly name: string;
  open(options: DriverOptions, events?: Pick<DriverEvents, 'zygoteRestarted'>): Promise<ContainerDriver>;
}

/** Every driver there is. */
const driverKinds: readonly DriverKind[] = [
  { name: 'HostDriver', open: (options, events) => HostDriver.open(options, events) },
  {
    name: 'RemoteDriver',
    async open(options, { zygoteRestarted } = {}) {
      const { child, ...connection } = startLauncher(options);
      const exited = once(child, 'exit');
      const driver = new RemoteDriver(connection, {
        ...options,
        ...(zygoteRestarted === undefined ? {} : { onZygoteRestart: zygoteRestarted }),
      });
      const close = driver.close.bind(driver);
      driver.close = async () => {
        await close();
        await exited;
      };
      return driver;
    },
  },
];

/** Opens a driver, hands it on, and closes it whatever happens. */
export async function withDriver<T>(
  use: (driver: ContainerDriver) => Promise<T>,
  changes: Partial<DriverOptions> = {},
): Promise<T> {
  return useDriver((options) => HostDriver.open(options), changes, use);
}

async function useDriver<T>(
  open: DriverKind['open'],
  changes: Partial<DriverOptions>,
  use: (driver: ContainerDriver) => Promise<T>,
): Promise<T> {
  const driver = await open(driverOptions(changes));
  try {
    return await use(driver);
  } finally {
    await driver.close();
  }
}

/** A test that every driver must pass. */
export function testDrivers(
  promise: string,
  run: (
    withDriver: (use: (driver: ContainerDriver) => Promise<void>) => Promise<void>,
    kind: DriverKind,
  ) => Promise<void>,
): void {
  for (const kind of driverKinds) {
    test(`${kind.name}${promise}`, () => run((use) => useDriver((...how) => kind.open(...how), {}, use), kind));
  }
}

/** A PARKED frame in the notation of printf(1): no payload, stream 0. */
const PARKED = String.raw`\000\000\000\000\011\000\000\000\000\000`;

/** A program for the driver's option `programs`: the shell of the root filesystem, parked before it runs a script. */
export function shellProgram(script: string): ContainerProgram {
  const argv = ['/bin/sh', '-c', `printf '${PARKED}' >&3; ${script}`];
  return { argv, env: { PATH: '/usr/bin:/bin' }, folder: '/tmp' };
}

/** Runs a script in a container that executes a shell, and gives what it wrote, line by line. */
export async function runShell(script: string): Promise<string[]> {
  return withDriver(
    async (driver) => {
      const container = await driver.create({ ...kindOf(128), runtime: 'shell' });
      const { lines } = listen(container);
      container.send(Buffer.from('go\n'));
      await container.exited;
      return lines;
    },
    // What it says before somebody listens is lost, so it waits to be told.
    { programs: { shell: shellProgram(`read go <&3; ${script}`) } },
  );
}

/** What a container said and how it ended. */
interface Account {
  readonly lines: string[];
  readonly frames: Frame[];
}

/** Listens to a container from now on. */
function listen(container: ContainerProcess): Account {
  const account: Account = { lines: [], frames: [] };
  container.events = {
    frame: (frame) => void account.frames.push(frame),
    output: (channel, line) => void account.lines.push(`${channel}: ${line}`),
    broken: (error) => void account.lines.push(`broken: ${error.code}`),
    drain: () => undefined,
  };
  return account;
}

/** Claims a container for a piece of code and calls it once. */
function runCode(container: ContainerProcess, code: string): void {
  const bytes = Buffer.from(code);
  const claim = { function: 'test', version: 1, memoryMb: 128, filename: 'index.mjs', env: {} };
  container.send([
    encodeJson(FrameType.CLAIM, 0, { ...claim, codeBytes: bytes.byteLength, cacheBytes: 0 }),
    ...encodeChunks(FrameType.CODE, 0, bytes),
    encodeInvoke(
      1,
      { id: 'i', method: 'GET', url: 'http://test/', headers: [], deadlineMs: Date.now() + 60_000, graceMs: 100 },
      FLAG_END,
    ),
  ]);
}

/** Runs a function body in a container and gives the text of its response, or throws what was said instead. */
export async function evaluate(container: ContainerProcess, body: string): Promise<string> {
  const answer = Promise.withResolvers<string>();
  const account = listen(container);
  let text = '';
  container.events = {
    ...container.events,
    frame: (frame) => {
      if (frame.type === FrameType.BODY) text += Buffer.from(frame.payload).toString();
      else if (frame.type === FrameType.DONE) answer.resolve(text);
      else if (frame.type !== FrameType.LOADED && frame.type !== FrameType.HEAD) {
        answer.reject(new Error(`frame ${frame.type}: ${Buffer.from(frame.payload).toString()}`));
      }
    },
  };
  void container.exited.then((exit) =>
    answer.reject(new Error(`ended: ${JSON.stringify(exit)} ${account.lines.join('\n')}`)),
  );
  runCode(
    container,
    `import fs from 'node:fs';\nexport default async () => new Response(String(await (async () => { ${body} })()));`,
  );
  return answer.promise;
}

/** Runs a function body that ends its container, and gives how. */
export async function runToTheEnd(container: ContainerProcess, body: string): Promise<ContainerExit> {
  listen(container);
  runCode(container, `export default async () => { ${body}; return new Response('still here'); };`);
  return container.exited;
}

/** What this process holds of the host: its descriptors, children, mounts, and this test's cgroups. */
export function holdings(): { fds: number; children: number; mounts: number; cgroups: number } {
  const lines = (file: string): string[] => readFileSync(file, 'utf8').split('\n').filter(Boolean);
  return {
    fds: readdirSync('/proc/self/fd').length,
    children: readdirSync('/proc').filter((pid) => isChild(pid)).length,
    mounts: lines('/proc/self/mountinfo').length,
    cgroups: cgroupTrees().reduce((sum, tree) => sum + foldersIn(`${tree}/hob/test-${process.pid}`), 0),
  };
}

/** Where cgroups are mounted. */
function cgroupTrees(): string[] {
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8').split('\n');
  return mounts.filter((line) => / - cgroup2? /.test(line)).map((line) => line.split(' ')[4] ?? '');
}

/** A folder that is not there has none; nor has one that goes just now. */
function foldersIn(folder: string): number {
  try {
    const below = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory());
    return 1 + below.reduce((sum, { name }) => sum + foldersIn(`${folder}/${name}`), 0);
  } catch {
    return 0;
  }
}

function isChild(pid: string): boolean {
  if (!/^\d+$/.test(pid)) return false;
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]) === process.pid;
  } catch {
    return false;
  }
}
