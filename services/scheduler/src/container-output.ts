import type { Frame, FunctionVersion, LogLine } from '@hob/contracts';
import { readLog } from './container-frames.ts';
import type { EgressDenial, NetworkEvents } from './container-driver.ts';
import type { Environment } from './environment.ts';
import { cutText, LogLimit } from './log-limit.ts';

const denialTexts: Readonly<Record<EgressDenial['reason'], string>> = {
  'not-listed': 'not in the egress list of hob.json',
  address: 'no address of the public internet',
  host: 'an address of the host',
  neighbour: 'an address of other containers',
  protocol: 'neither TCP nor UDP',
  spoofed: "not from the container's own address",
  connections: 'too many connections',
  name: 'not in the egress list of hob.json',
  rebinding: 'resolved to no address of the public internet',
};

/** The output of one container: bounded in rate, and told to the observer by line. */
export class ContainerOutput {
  readonly #env: Environment;
  #limit: LogLimit | undefined;
  #version: FunctionVersion | undefined;
  #endedStream = 0;
  #endedId = '';

  /** Takes what it tells of its network. That is bounded at its source, so that no other output can crowd it out. */
  readonly ofNetwork: NetworkEvents = {
    denied: ({ reason, target, count }) => {
      if (this.#version === undefined) return;
      this.#env.observer.egressDenied({ function: this.#version.name, reason, count });
      const line = `${target}: ${denialTexts[reason]}${count > 1 ? ` (${count} times)` : ''}`;
      this.#tell({ channel: 'denied', line, invocationId: '' });
    },
    resolved: (tally) => {
      if (this.#version !== undefined) this.#env.observer.dnsQueries({ function: this.#version.name, ...tally });
    },
  };

  constructor(env: Environment) {
    this.#env = env;
  }

  /** Lines belong to this version from now on. Those of a container without a function are dropped. */
  serve(version: FunctionVersion): void {
    this.#version = version;
    const { logLinesPerSecond: linesPerSecond, logBytesPerSecond } = this.#env.config;
    this.#limit = new LogLimit({
      linesPerSecond,
      bytesPerSecond: version.config.logBytesPerSecond ?? logBytesPerSecond,
    });
  }

  /** A stream is over. Lines that follow it closely are still the call's. */
  ended(stream: number, id: string): void {
    this.#endedStream = stream;
    this.#endedId = id;
  }

  /** The call that a line of a stream that is over belongs to, '' when that is forgotten. */
  idOfLate(stream: number): string {
    return stream === this.#endedStream ? this.#endedId : '';
  }

  /** A LOG frame. One over the rate is not even read. @throws ERR_FN_PROTOCOL, ERR_FRAME_BAD_PAYLOAD */
  frame(frame: Frame, invocationId: string): void {
    if (!this.#passes(frame.payload.byteLength)) return;
    const { channel, line } = readLog(frame);
    this.#tell({ channel, line, invocationId });
  }

  /** A line of the descriptors 1 and 2. */
  line(channel: 'stdout' | 'stderr', line: string, invocationId: string): void {
    if (this.#passes(line.length)) this.#tell({ channel, line: cutText(line), invocationId });
  }

  /** Says what was dropped last. */
  flush(): void {
    const dropped = this.#limit?.takeDropped() ?? 0;
    if (this.#limit === undefined || dropped === 0) return;
    const { linesPerSecond, bytesPerSecond } = this.#limit.limits;
    const line = `${dropped} lines dropped: more than ${linesPerSecond} lines or ${bytesPerSecond} bytes a second`;
    this.#tell({ channel: 'platform', line, invocationId: '' });
  }

  #passes(bytes: number): boolean {
    if (this.#limit?.allows(bytes, this.#env.clock.nowMs()) !== true) return false;
    this.flush();
    return true;
  }

  #tell(part: Pick<LogLine, 'channel' | 'line' | 'invocationId'>): void {
    if (this.#version === undefined) return;
    const { name, version } = this.#version;
    this.#env.observer.log({ timeMs: this.#env.clock.wallMs(), function: name, version, ...part });
  }
}
