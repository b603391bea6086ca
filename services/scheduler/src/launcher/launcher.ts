import type { Duplex } from 'node:stream';
import { asHobError, fail } from '@hob/contracts';
import { hostNative, type Native } from '@hob/native';
import type { Logger } from 'pino';
import { Compile } from 'typebox/compile';
import type { ContainerControl } from '../driver/container-control.ts';
import { closeEnds, endsInOrder } from '../driver/descriptor-inbox.ts';
import type { DriverOptions } from '../driver/driver-options.ts';
import { HostDriver } from '../driver/host-driver.ts';
import { LineStream } from './line-stream.ts';
import { type Reply, type Request, requestSchema, type ServingNote } from './messages.ts';

/** While more requests than this run, or more bytes of answers than this wait, no more are read. */
const RUNNING_MAX = 1024;
const WAITING_BYTES_MAX = 1024 * 1024;
/** So many refusals are logged: more would only let a client fill the log. */
const REFUSALS_LOGGED_MAX = 20;

const requests = Compile(requestSchema);

export interface LauncherOptions {
  readonly driver: DriverOptions;
  /** Containers that there may be at a time, whatever the client wants. */
  readonly containersMax: number;
  readonly log: Logger;
  /** The client serves now. @returns a text for it. */
  serving(note: ServingNote): Promise<string | undefined>;
}

/**
 * The part of hob that is root: it makes containers, bounds and ends them, for one client that is not. The client may be
 * taken over by whoever it serves, so a request is checked here and can do no more than `messages.ts` says.
 *
 * Lifecycle: open ──serve()──▶ serving ──the client is gone──▶ closed, with every container and zygote. No way back.
 */
export class Launcher implements AsyncDisposable {
  readonly #options: LauncherOptions;
  readonly #native: Native = hostNative();
  readonly #containers = new Map<string, ContainerControl>();
  readonly #served = Promise.withResolvers<void>();
  #driver: HostDriver | undefined;
  #lines: LineStream | undefined;
  #channel = -1;
  #creating = 0;
  #running = 0;
  #refusals = 0;
  #isServing = false;
  #closing: Promise<void> | undefined;

  private constructor(options: LauncherOptions) {
    this.#options = options;
  }

  /**
   * Removes what a killed predecessor left, and gets ready.
   *
   * @throws ERR_NATIVE_UNSUPPORTED, ERR_NATIVE_SYSCALL
   */
  static async open(options: LauncherOptions): Promise<Launcher> {
    const launcher = new Launcher(options);
    launcher.#driver = await HostDriver.open(options.driver, {
      zygotesChanged: () => launcher.#tellZygotes(),
      zygoteRestarted: (restartedMb) => launcher.#tellZygotes(restartedMb),
    });
    for (const lack of launcher.#driver.lacks)
      options.log.warn({ lack }, 'a security module does not confine containers');
    return launcher;
  }

  /**
   * Serves one client until it goes away. To be called once.
   *
   * @param socket the connection to it.
   * @param channel where descriptors leave for it. Both are owned by the launcher from now on.
   * @returns when nothing is left of what it made. Never rejects.
   */
  serve(socket: Duplex, channel: number): Promise<void> {
    this.#channel = channel;
    this.#lines = new LineStream(socket, {
      line: (text) => this.#take(text),
      tooLong: () => this.#cut('a line is too long'),
      closed: () => this.#leave(),
    });
    this.#lines.onDrain(() => this.#regulate());
    return this.#served.promise;
  }

  /** Ends everything, and the connection. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#close();
    if (this.#lines) this.#leave();
  }

  #take(text: string): void {
    let request: unknown;
    try {
      request = JSON.parse(text);
    } catch {
      this.#cut('a line is not JSON');
      return;
    }
    if (requests.Check(request)) void this.#run(request);
    else this.#refuse(serialOf(request), 'it is not in the form, or not in the range, of any request');
  }

  /** Never rejects. */
  async #run(request: Request): Promise<void> {
    this.#running += 1;
    this.#regulate();
    try {
      const answer = await this.#answer(request);
      if (answer) this.#send(answer);
    } catch (error) {
      const { code, message } = asHobError(error);
      if (code === 'ERR_INTERNAL') this.#options.log.error({ err: error, op: request.op }, 'a request failed');
      this.#send({ op: 'failed', serial: request.serial, code, message });
    } finally {
      this.#running -= 1;
      this.#regulate();
    }
  }

  async #answer(request: Request): Promise<Reply | undefined> {
    const { serial } = request;
    switch (request.op) {
      case 'create':
        return this.#create(request);
      case 'limits': {
        const { op: _, serial: __, container, io, ...limits } = request;
        await this.#named(container).setLimits({ ...limits, io });
        break;
      }
      case 'egress':
        await this.#named(request.container).setEgress(request.policy);
        break;
      case 'mount':
        await this.#named(request.container).mountTask(request.digest);
        break;
      case 'freeze':
        await this.#named(request.container).setFrozen(request.isFrozen);
        break;
      case 'kill':
        this.#containers.get(request.container)?.kill();
        return undefined;
      case 'serving': {
        const { op: _, serial: __, ...note } = request;
        if (this.#isServing) throw fail('ERR_LAUNCHER_REFUSED', ['it was told already where the client serves']);
        this.#isServing = true;
        const text = await this.#options.serving(note);
        return text === undefined ? { op: 'done', serial } : { op: 'done', serial, text };
      }
      case 'close':
        await this.#close();
    }
    return { op: 'done', serial };
  }

  async #create({ serial, seccomp, ...kind }: Extract<Request, { op: 'create' }>): Promise<Reply> {
    const { containersMax } = this.#options;
    if (this.#containers.size + this.#creating >= containersMax) {
      throw fail('ERR_LAUNCHER_REFUSED', [`there are ${containersMax} containers already`]);
    }
    this.#creating += 1;
    try {
      const { control, ends } = await this.#openDriver().launch(kind, seccomp);
      try {
        this.#native.send(this.#channel, serial, endsInOrder(ends));
      } catch (error) {
        control.kill();
        await control.ended;
        throw error;
      } finally {
        closeEnds(this.#native, ends);
      }
      this.#containers.set(control.id, control);
      control.network = {
        denied: (denial) => this.#tell({ op: 'denied', container: control.id, denial }),
        resolved: (tally) => this.#tell({ op: 'resolved', container: control.id, tally }),
      };
      void control.ended.then((end) => {
        this.#containers.delete(control.id);
        this.#send({ op: 'ended', container: control.id, end });
      });
      const { cgroupBase } = this.#openDriver();
      const { id: container, pid, limits } = control;
      return { op: 'created', serial, container, pid, limits, cgroupBase };
    } finally {
      this.#creating -= 1;
    }
  }

  #named(id: string): ContainerControl {
    const control = this.#containers.get(id);
    if (!control) throw fail('ERR_LAUNCHER_REFUSED', [`there is no container ${id}`]);
    return control;
  }

  #openDriver(): HostDriver {
    if (!this.#driver) throw fail('ERR_SCHED_CLOSED', []);
    return this.#driver;
  }

  #send(reply: Reply): void {
    this.#lines?.send(reply);
  }

  /** What the client can do without: dropped while it does not read. */
  #tell(news: Reply): void {
    if ((this.#lines?.waitingBytes ?? 0) < WAITING_BYTES_MAX) this.#send(news);
  }

  #tellZygotes(restartedMb?: number): void {
    const zygotes = this.#driver?.zygotes() ?? [];
    this.#send({ op: 'zygotes', zygotes, ...(restartedMb === undefined ? {} : { restartedMb }) });
  }

  #refuse(serial: number, why: string): void {
    const { code, message } = fail('ERR_LAUNCHER_REFUSED', [why]);
    this.#refusals += 1;
    if (this.#refusals <= REFUSALS_LOGGED_MAX) this.#options.log.warn({ serial, why }, 'refused a request');
    this.#send({ op: 'failed', serial, code, message });
    this.#regulate();
  }

  /** What follows such a line cannot be understood either. */
  #cut(why: string): void {
    this.#refuse(0, why);
    this.#leave();
  }

  /** Reads on only while there is room for what the requests cost here. */
  #regulate(): void {
    const lines = this.#lines;
    if (!lines) return;
    if (this.#running > RUNNING_MAX || lines.waitingBytes > WAITING_BYTES_MAX) lines.pause();
    else lines.resume();
  }

  #close(): Promise<void> {
    return (this.#closing ??= this.#openDriver()
      .close()
      .catch((error: unknown) => this.#options.log.error({ err: error }, 'not everything could be removed')));
  }

  /** The client is gone, or is to go: everything ends. */
  #leave(): void {
    const lines = this.#lines;
    if (!lines) return;
    this.#lines = undefined;
    lines.pause();
    void this.#close().then(() => {
      lines.destroy();
      this.#native.close(this.#channel);
      this.#served.resolve();
    });
  }
}

/** The number of a request that is none, as far as it has one. */
function serialOf(request: unknown): number {
  const serial = typeof request === 'object' && request !== null && 'serial' in request ? request.serial : 0;
  return typeof serial === 'number' && Number.isSafeInteger(serial) && serial > 0 ? serial : 0;
}
