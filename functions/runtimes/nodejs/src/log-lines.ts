import { FrameType } from '@hob/contracts/frames';
import { LOG_LINE_BYTES_MAX, type LogPayload } from '@hob/contracts/protocol';
import type { FrameSink } from './frame-sink.ts';

/** More bytes than this waiting for the host, and lines of output are dropped: the function writes faster than it reads. */
const PENDING_BYTES_MAX = 1024 * 1024;
const CUT_MARK = '…';
const CUT_MARK_BYTES = 3;

type Channel = LogPayload['channel'];

/** Sends lines of output as LOG frames; drops and counts them while too much is waiting. One per container. */
export class LogSender {
  readonly #sink: FrameSink;
  #dropped = 0;

  constructor(sink: FrameSink) {
    this.#sink = sink;
  }

  send(stream: number, channel: Channel, line: string): void {
    if (this.#sink.pendingBytes > PENDING_BYTES_MAX) {
      this.#dropped += 1;
      return;
    }
    this.reportDropped(stream);
    this.#write(stream, channel, cutLine(line));
  }

  /** Says how many lines are missing, if any are. */
  reportDropped(stream: number): void {
    if (this.#dropped === 0) return;
    const dropped = this.#dropped;
    this.#dropped = 0;
    this.#write(stream, 'stderr', `${CUT_MARK} ${dropped} lines dropped`);
  }

  #write(stream: number, channel: Channel, line: string): void {
    const payload = JSON.stringify({ channel, line } satisfies LogPayload);
    this.#sink.send({ type: FrameType.LOG, stream, payload });
  }
}

/** Makes lines of what one invocation writes, or what is written outside of any. */
export class LogLines {
  readonly #sender: LogSender;
  readonly #stream: number;
  #stdout: LineBuffer | undefined;
  #stderr: LineBuffer | undefined;

  constructor(sender: LogSender, stream: number) {
    this.#sender = sender;
    this.#stream = stream;
  }

  /** Sends the lines that `text` completes and keeps the rest. */
  write(channel: Channel, text: string): void {
    const buffer = channel === 'stdout' ? (this.#stdout ??= new LineBuffer()) : (this.#stderr ??= new LineBuffer());
    buffer.add(text, (line) => this.#sender.send(this.#stream, channel, line));
  }

  /** Sends what has no line end yet. */
  flush(): void {
    this.#stdout?.flush((line) => this.#sender.send(this.#stream, 'stdout', line));
    this.#stderr?.flush((line) => this.#sender.send(this.#stream, 'stderr', line));
    this.#sender.reportDropped(this.#stream);
  }
}

/** The beginning of a line, at most LOG_LINE_BYTES_MAX characters; what goes beyond is not kept. */
class LineBuffer {
  #partial = '';
  #overlong = false;

  add(text: string, emit: (line: string) => void): void {
    let start = 0;
    for (let end = text.indexOf('\n'); end !== -1; end = text.indexOf('\n', start)) {
      if (this.#overlong) this.#overlong = false;
      else emit(this.#partial + text.slice(start, end));
      this.#partial = '';
      start = end + 1;
    }
    if (this.#overlong) return;
    this.#partial += text.slice(start, start + LOG_LINE_BYTES_MAX + 1);
    if (this.#partial.length <= LOG_LINE_BYTES_MAX) return;
    emit(this.#partial);
    this.#partial = '';
    this.#overlong = true;
  }

  flush(emit: (line: string) => void): void {
    if (this.#partial !== '') emit(this.#partial);
    this.#partial = '';
    this.#overlong = false;
  }
}

function cutLine(line: string): string {
  // No character has more than three bytes per UTF-16 unit.
  if (line.length * 3 <= LOG_LINE_BYTES_MAX) return line;
  if (line.length <= LOG_LINE_BYTES_MAX && Buffer.byteLength(line) <= LOG_LINE_BYTES_MAX) return line;
  const bytes = Buffer.from(line.slice(0, LOG_LINE_BYTES_MAX));
  let end = Math.min(bytes.byteLength, LOG_LINE_BYTES_MAX - CUT_MARK_BYTES);
  while (end > 0 && isContinuation(bytes[end])) end -= 1;
  return bytes.toString('utf8', 0, end) + CUT_MARK;
}

function isContinuation(byte: number | undefined): boolean {
  return byte !== undefined && (byte & 0xc0) === 0x80;
}
