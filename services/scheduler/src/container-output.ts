import type { Frame, FunctionVersion, LogLine } from '@hob/contracts';
import { readLog } from './container-frames.ts';
import type { Environment } from './environment.ts';
import { cutText, LogLimit } from './log-limit.ts';

/** The output of one container: bounded in rate, and told to the observer by line. */
export class ContainerOutput {
  readonly #env: Environment;
  readonly #limit: LogLimit;
  #version: FunctionVersion | undefined;
  #endedStream = 0;
  #endedId = '';

  constructor(env: Environment) {
    const { logLinesPerSecond: linesPerSecond, logBytesPerSecond: bytesPerSecond } = env.config;
    this.#env = env;
    this.#limit = new LogLimit({ linesPerSecond, bytesPerSecond });
  }

  /** Lines belong to this version from now on. Those of a container without a function are dropped. */
  serve(version: FunctionVersion): void {
    this.#version = version;
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
    const dropped = this.#limit.takeDropped();
    if (dropped === 0) return;
    const { logLinesPerSecond: lines, logBytesPerSecond: bytes } = this.#env.config;
    const line = `${dropped} lines dropped: more than ${lines} lines or ${bytes} bytes a second`;
    this.#tell({ channel: 'platform', line, invocationId: '' });
  }

  #passes(bytes: number): boolean {
    if (this.#version === undefined || !this.#limit.allows(bytes, this.#env.clock.nowMs())) return false;
    this.flush();
    return true;
  }

  #tell(part: Pick<LogLine, 'channel' | 'line' | 'invocationId'>): void {
    if (this.#version === undefined) return;
    const { name, version } = this.#version;
    this.#env.observer.log({ timeMs: this.#env.clock.wallMs(), function: name, version, ...part });
  }
}
