import {
  type EgressPolicy,
  type Frame,
  FrameDecoder,
  FrameType,
  type HobError,
  asHobError,
  fail,
  decodeJson,
  type SystemCallRules,
} from '@hob/contracts';
import type {
  Breach,
  ContainerAccount,
  ContainerEvents,
  ContainerExit,
  ContainerKind,
  ContainerLimits,
  ContainerProcess,
} from '../../src/container-driver.ts';

/** What runs in a fake container: it is given each frame that arrives, and answers through the container. */
export type Program = (frame: Frame, container: FakeContainer) => void;

const silent: ContainerEvents = {
  frame: () => undefined,
  output: () => undefined,
  broken: () => undefined,
  drain: () => undefined,
};

/** What a fake container is made with. */
interface FakeParts {
  readonly id: number;
  readonly kind: ContainerKind;
  readonly createMs: number;
  readonly program: Program;
  readonly seccomp: SystemCallRules | 'learn' | undefined;
}

/** A container without a process: it speaks real bytes of frames with its owner, as a program of the test says. */
export class FakeContainer implements ContainerProcess {
  readonly id: string;
  readonly pid: number;
  readonly kind: ContainerKind;
  readonly createMs: number;
  /** The rules that it was created with. */
  readonly seccomp: FakeParts['seccomp'];
  /** What its exit says of its system calls. */
  systemCalls: readonly string[] = [];
  readonly exited: Promise<ContainerExit>;
  events: ContainerEvents = silent;
  /** Every frame that was sent to it. */
  readonly frames: Frame[] = [];
  /** How many times `send` was called. */
  sends = 0;
  /** What `send` returns. */
  takesMore = true;
  limits: ContainerLimits | undefined;
  /** What the kernel would say. */
  used = { cpuMs: 0, memoryPeakBytes: 0 };
  ranInto: Breach | undefined;
  restarts = 0;
  readonly account: ContainerAccount = {
    cpuMs: () => this.used.cpuMs,
    memoryPeakBytes: () => this.used.memoryPeakBytes,
    restartPeak: () => {
      this.restarts += 1;
    },
    breach: () => this.ranInto,
  };
  isFrozen = false;
  /** What thawing it waits for. */
  thawing: Promise<void> = Promise.resolve();
  /** How many times `setFrozen` was called. */
  freezes = 0;
  egress: EgressPolicy | undefined;
  task: string | undefined;
  /** `name@version` of each CLAIM. */
  readonly claims: string[] = [];
  /** Invocations that it was sent and that are not over, and the most there ever were. */
  readonly open = new Set<number>();
  openMax = 0;
  /** It has said LOADED. */
  isLoaded = false;
  prepareError: HobError | undefined;
  readonly #program: Program;
  readonly #exit = Promise.withResolvers<ContainerExit>();
  readonly #toContainer = new FrameDecoder((frame) => this.#take(frame));
  readonly #toHost = new FrameDecoder((frame) => this.#give(frame));
  /** What it does once it is not frozen any more. */
  readonly #waiting: (() => void)[] = [];
  #isDead = false;

  constructor(parts: FakeParts) {
    this.id = `fake-${parts.id}`;
    this.pid = parts.id;
    this.kind = parts.kind;
    this.createMs = parts.createMs;
    this.seccomp = parts.seccomp;
    this.#program = parts.program;
    this.exited = this.#exit.promise;
  }

  get isDead(): boolean {
    return this.#isDead;
  }

  send(bytes: Buffer | readonly Buffer[]): boolean {
    if (this.#isDead) return true;
    this.sends += 1;
    for (const piece of Buffer.isBuffer(bytes) ? [bytes] : bytes) this.#toContainer.push(piece);
    return this.takesMore;
  }

  setLimits(limits: ContainerLimits): Promise<void> {
    this.limits = limits;
    return this.prepareError ? Promise.reject(this.prepareError) : Promise.resolve();
  }

  setEgress(policy: EgressPolicy): Promise<void> {
    this.egress = policy;
    return Promise.resolve();
  }

  mountTask(folder: string): Promise<void> {
    this.task = folder;
    return Promise.resolve();
  }

  async setFrozen(isFrozen: boolean): Promise<void> {
    if (this.isDead) throw fail('ERR_NATIVE_SYSCALL', ['cgroup freeze', 'ESRCH']);
    this.freezes += 1;
    if (!isFrozen) await this.thawing;
    this.isFrozen = isFrozen;
    if (!isFrozen) for (const act of this.#waiting.splice(0)) setImmediate(act);
  }

  usage(): Promise<{ readonly cpuSeconds: number; readonly memoryBytes: number }> {
    return Promise.resolve({ cpuSeconds: 0.5, memoryBytes: 1024 });
  }

  kill(): void {
    this.exit({ signal: 'SIGKILL', oomKilled: this.ranInto === 'oom', pidsDenied: this.ranInto === 'pids' });
  }

  /** The other end: bytes to the host, as the real driver gives them on. */
  emit(...bytes: Uint8Array[]): void {
    for (const piece of bytes) {
      if (this.#isDead) return;
      try {
        this.#toHost.push(piece);
      } catch (error) {
        this.events.broken(asHobError(error));
        this.kill();
      }
    }
  }

  /** Its process ends; a little later nothing of it is left. */
  exit(how: Partial<ContainerExit>): void {
    if (this.#isDead) return;
    this.#isDead = true;
    const exit = { code: undefined, signal: undefined, oomKilled: false, pidsDenied: false, cpuSeconds: 0.25, ...how };
    const calls = this.seccomp === 'learn' ? { systemCalls: this.systemCalls } : {};
    setImmediate(() => this.#exit.resolve({ ...exit, ...calls }));
  }

  /** Its end of the socket closes; the process follows with `exit`. */
  hangUp(): void {
    this.events.closed?.();
  }

  #take(frame: Frame): void {
    this.frames.push(frame);
    if (frame.type === FrameType.INVOKE) {
      this.open.add(frame.stream);
      this.openMax = Math.max(this.openMax, this.open.size);
    }
    if (frame.type === FrameType.CLAIM) {
      const { function: name, version } = decodeJson(frame);
      this.claims.push(`${String(name)}@${String(version)}`);
    }
    // Whatever it answers comes later, as over a socket.
    const act = (): void => {
      if (this.#isDead) return;
      if (this.isFrozen) this.#waiting.push(act);
      else this.#program(frame, this);
    };
    setImmediate(act);
  }

  #give(frame: Frame): void {
    if (frame.type === FrameType.LOADED) this.isLoaded = true;
    if (frame.type === FrameType.DONE || frame.type === FrameType.ERROR) this.open.delete(frame.stream);
    this.events.frame(frame);
  }
}
