import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { encodeChunks, encodeJson, type Frame, FrameType, FLAG_END } from '@hob/contracts';
import { libraryPath } from '@hob/native';
import type { ContainerExit, ContainerLimits, ContainerProcess } from '../../src/container-driver.ts';
import { type DriverOptions, driverDefaults } from '../../src/driver/driver-options.ts';
import { HostDriver } from '../../src/driver/host-driver.ts';

const root = fileURLToPath(new URL('../../../../.hob/rootfs/current', import.meta.url));

/** Options of a driver on this host whose cgroups are this test process's own. */
export function driverOptions(changes: Partial<DriverOptions> = {}): DriverOptions {
  return { ...driverDefaults, root, instance: `test-${process.pid}`, library: libraryPath, ...changes };
}

/** The limits of a parked container of the smallest class, with changes. */
export function limitsOf(changes: Partial<ContainerLimits> = {}): ContainerLimits {
  const { pidsMax: pids, nofileMax: nofile, tmpBytes, tmpInodes: tmpFiles } = driverDefaults;
  return { memoryMb: 128, cpu: 1, pids, nofile, tmpMb: tmpBytes / 2 ** 20, tmpFiles, io: undefined, ...changes };
}

/** Opens a driver, hands it on, and closes it whatever happens. */
export async function withDriver<T>(
  use: (driver: HostDriver) => Promise<T>,
  changes: Partial<DriverOptions> = {},
): Promise<T> {
  const driver = await HostDriver.open(driverOptions(changes));
  try {
    return await use(driver);
  } finally {
    await driver.close();
  }
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
    encodeJson(
      FrameType.INVOKE,
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
  const cgroups = readdirSync('/sys/fs/cgroup', { recursive: true, encoding: 'utf8' });
  return {
    fds: readdirSync('/proc/self/fd').length,
    children: readdirSync('/proc').filter((pid) => isChild(pid)).length,
    mounts: lines('/proc/self/mountinfo').length,
    cgroups: cgroups.filter((path) => path.includes(`/test-${process.pid}/`) && path.endsWith('/cgroup.procs')).length,
  };
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
