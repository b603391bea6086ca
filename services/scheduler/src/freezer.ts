import type { Clock } from './clock.ts';
import type { ContainerProcess } from './container-driver.ts';
import type { OpenCalls } from './open-calls.ts';

/** Stops the processes of one container, and lets them go on. What the container is sent meanwhile waits in its socket. */
export class Freezer {
  readonly #process: ContainerProcess;
  readonly #clock: Clock;
  readonly #calls: OpenCalls;
  #isThawing = false;

  /** @param calls those that are told when the processes go on, once for each thaw. */
  constructor(process: ContainerProcess, clock: Clock, calls: OpenCalls) {
    this.#process = process;
    this.#clock = clock;
    this.#calls = calls;
  }

  freeze(): void {
    this.#process.setFrozen(true).catch(() => undefined); // it ends meanwhile
  }

  /** @throws ERR_NATIVE_SYSCALL */
  async thaw(): Promise<void> {
    this.#isThawing = true;
    await this.#process.setFrozen(false);
    this.saysSo();
  }

  /** The container was heard: it goes on, even if who let it go on has not answered yet. */
  saysSo(): void {
    if (!this.#isThawing) return;
    this.#isThawing = false;
    const nowMs = this.#clock.nowMs();
    for (const call of this.#calls) call.thawed(nowMs);
  }
}
