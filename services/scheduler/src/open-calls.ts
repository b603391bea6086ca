import { type Frame, FrameType, StreamTable } from '@hob/contracts';
import { violation } from './container-frames.ts';
import type { ContainerCall } from './container-roles.ts';
import { HeadReader } from './head-reader.ts';

/** Streams are counted in 32 bits, so a container that has used them up is replaced. */
const STREAMS_MAX = 0xffff_ffff;

/** The calls that one container has now, by stream. Each call gets a stream that none had before. */
export class OpenCalls implements Iterable<ContainerCall> {
  /** Reads the heads of their responses. */
  readonly heads = new HeadReader();
  readonly #calls = new StreamTable<ContainerCall>();
  readonly #abandoned = new Set<number>();
  #nextStream = 1;

  get size(): number {
    return this.#calls.size;
  }

  /** How many there were so far. */
  get begun(): number {
    return this.#nextStream - 1;
  }

  /** There is no stream for another one. */
  get areUsedUp(): boolean {
    return this.#nextStream > STREAMS_MAX;
  }

  [Symbol.iterator](): Iterator<ContainerCall> {
    return this.#calls[Symbol.iterator]();
  }

  /** @returns the stream of the call. */
  open(call: ContainerCall): number {
    const stream = this.#nextStream++;
    this.#calls.set(stream, call);
    return stream;
  }

  at(stream: number): ContainerCall | undefined {
    return this.#calls.get(stream);
  }

  close(stream: number): void {
    this.#calls.delete(stream);
  }

  /** Closes it while the container may still send for it. @returns false when it was not open. */
  abandon(stream: number): boolean {
    if (!this.#calls.delete(stream)) return false;
    this.#abandoned.add(stream);
    return true;
  }

  /** Closes all. */
  takeAll(): ContainerCall[] {
    const calls = [...this.#calls];
    this.#calls.clear();
    return calls;
  }

  /**
   * Credit for a request body may cross the end of its call, and an abandoned call may do what it likes.
   *
   * @throws ERR_FN_PROTOCOL for any other frame of a stream that is not open.
   */
  checkLate({ type, stream }: Frame): void {
    const isKnown = stream < this.#nextStream;
    if (isKnown && (type === FrameType.CREDIT || this.#abandoned.has(stream))) return;
    throw violation(`a frame of stream ${stream}, which is not open`);
  }

  /**
   * The call that a LOG frame belongs to, undefined when that is over.
   *
   * @throws ERR_FN_PROTOCOL when the stream never was.
   */
  idOfLog(stream: number): string | undefined {
    if (stream >= this.#nextStream) throw violation(`LOG of stream ${stream}, which is not open`);
    return this.#calls.get(stream)?.id;
  }

  /** Output of child processes names no call: it is that of the one call there is, '' when there is not one. */
  soleId(): string {
    if (this.#calls.size !== 1) return '';
    for (const call of this.#calls) return call.id;
    return '';
  }
}
