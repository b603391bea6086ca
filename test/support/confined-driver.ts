/** A driver for tests of the security modules, with containers that execute the shell. */
import { readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { encodeFrame, FrameType } from '@hob/contracts';
import { libraryPath } from '@hob/native';
import { driverDefaults, HostDriver } from '@hob/scheduler';
import { startTimeoutMs } from './patience.ts';

const root = realpathSync(join(import.meta.dirname, '../../.hob/rootfs/current'));

/** The same as a shell's printf(1) wants it. */
const parked = [...encodeFrame(FrameType.PARKED, 0)].map((byte) => `\\${byte.toString(8).padStart(3, '0')}`).join('');

/** Why a test for one kind of guest is skipped; false in such a guest. */
export function unlessInGuest(kind: 'apparmor' | 'selinux'): string | false {
  return process.env['HOB_TEST_GUEST'] === kind ? false : `runs in the guest with ${kind}: npm run test:vm`;
}

/** A driver whose runtime `shell` runs the line that it is sent. To be closed. */
export async function openShellDriver(): Promise<HostDriver> {
  const argv = ['/bin/sh', '-c', `printf '${parked}' >&3; read -r script <&3; eval "$script"`];
  const programs = { shell: { argv, env: { PATH: '/usr/bin:/bin' }, folder: '/tmp' } };
  const paths = { root, library: libraryPath, bundles: '/nonexistent' };
  return HostDriver.open({
    ...driverDefaults,
    ...paths,
    startTimeoutMs,
    instance: `confined-${process.pid}`,
    programs,
  });
}

/** Runs a script in a container that executes the shell. @returns what it wrote, line by line, errors too */
export async function runScript(driver: HostDriver, script: string): Promise<string[]> {
  const container = await driver.create({ runtime: 'shell', memoryMb: 128, network: 'none' });
  const lines: string[] = [];
  container.events = {
    frame: () => undefined,
    output: (_channel, line) => void lines.push(line),
    broken: (error) => void lines.push(error.message),
    drain: () => undefined,
  };
  container.send(Buffer.from(`${script.trim().replaceAll('\n', ';')}\n`));
  await container.exited;
  return lines;
}

/** What a security module calls a process. @param file below /proc/<pid>/attr */
export function labelOf(pid: number | undefined, file: string): string {
  return readFileSync(`/proc/${pid}/attr/${file}`, 'latin1').replaceAll('\0', '').trim();
}

/** A file in the root filesystem that everybody may read, by mode; removed on disposal. In a guest the host does not see it. */
export function strayFile(): Disposable & { readonly path: string } {
  const path = join(root, 'stray');
  writeFileSync(path, 'stray\n', { mode: 0o644 });
  return { path, [Symbol.dispose]: () => rmSync(path) };
}
