import { fail, type SystemCallRules } from '@hob/contracts';
import type { ContainerDriver, ContainerKind, ContainerProcess } from '../../src/container-driver.ts';
import { FakeContainer, type Program } from './fake-container.ts';

/** Makes fake containers. `alive` is what a host would still be running. */
export class FakeDriver implements ContainerDriver {
  readonly alive = new Set<FakeContainer>();
  readonly made: FakeContainer[] = [];
  /** The most that were ever alive or being made. */
  aliveMax = 0;
  creating = 0;
  program: Program;
  /** Asked at each `create`, with its number counted from 1: true makes it fail. */
  failsAt: (serial: number) => boolean = () => false;
  /** Called with each container before its owner gets it. */
  onMade: (container: FakeContainer) => void = () => undefined;
  /** Held while it is set: containers are made once it is resolved. */
  gate: Promise<void> | undefined;
  #serial = 0;

  constructor(program: Program) {
    this.program = program;
  }

  async create(kind: ContainerKind, seccomp?: SystemCallRules | 'learn'): Promise<ContainerProcess> {
    const serial = ++this.#serial;
    this.creating += 1;
    this.aliveMax = Math.max(this.aliveMax, this.alive.size + this.creating);
    try {
      await this.gate;
      await new Promise((resolve) => setImmediate(resolve));
      if (this.failsAt(serial)) throw fail('ERR_SCHED_START_FAILED', [`fork ${serial} fails`]);
    } finally {
      this.creating -= 1;
    }
    const program: Program = (frame, container) => this.program(frame, container);
    const container = new FakeContainer({ id: serial, kind, createMs: 4, program, seccomp });
    this.alive.add(container);
    this.made.push(container);
    void container.exited.then(() => this.alive.delete(container));
    this.onMade(container);
    return container;
  }

  /** Those that were claimed for a function. */
  get claimed(): FakeContainer[] {
    return this.made.filter(({ claims }) => claims.length > 0);
  }

  zygotes(): [] {
    return [];
  }

  async close(): Promise<void> {
    for (const container of this.alive) container.kill();
    await Promise.all([...this.alive].map((container) => container.exited));
  }
}
