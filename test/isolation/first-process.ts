/** The hostile program as a container's first process: a container that is executed rather than forked. */
import { libraryPath } from '@hob/native';
import { driverDefaults, HostDriver } from '@hob/scheduler';
import { startTimeoutMs } from '../support/patience.ts';
import { ATTACK_PROGRAM } from './hostile-root.ts';

const RUNTIME = 'attack';

/** @returns the lines that it wrote. */
export async function runAsFirstProcess(root: string): Promise<string[]> {
  const driver = await HostDriver.open({
    ...driverDefaults,
    startTimeoutMs,
    root,
    bundles: root,
    instance: `attacks-${process.pid}`,
    library: libraryPath,
    programs: { [RUNTIME]: { argv: [ATTACK_PROGRAM, 'first'], env: {}, folder: '/tmp' } },
  });
  try {
    const container = await driver.create({ runtime: RUNTIME, memoryMb: 128, network: 'none' });
    const lines: string[] = [];
    container.events = {
      frame: () => undefined,
      output: (_channel, line) => void lines.push(line),
      broken: () => undefined,
      drain: () => undefined,
    };
    // It waits until somebody listens.
    container.send(Buffer.from('go'));
    await container.exited;
    return lines;
  } finally {
    await driver.close();
  }
}
