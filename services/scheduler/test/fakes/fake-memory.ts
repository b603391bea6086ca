import type { MemoryReading, MemorySource } from '../../src/host-memory.ts';

/** A host with as much memory as a test says. */
export class FakeMemory implements MemorySource {
  reading: MemoryReading | undefined = {
    totalBytes: 16 * 2 ** 30,
    availableBytes: 12 * 2 ** 30,
    pressurePercent: 0,
  };

  read(): Promise<MemoryReading | undefined> {
    return Promise.resolve(this.reading);
  }
}
