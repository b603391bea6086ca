import {
  type CallAccount,
  CREDIT_BYTES_MAX,
  type DeathCause,
  encodeInvoke,
  encodeJson,
  type ErrorCode,
  fail,
  FLAG_END,
  type FailurePayload,
  FrameType,
  type FunctionFailure,
  type FunctionVersion,
  type HobError,
  IncomingWindow,
  type InvocationHandle,
  type InvocationRequest,
  type InvocationSink,
  type LogLine,
  OutgoingBody,
  type Receipt,
} from '@hob/contracts';
import type { Clock } from './clock.ts';
import { violation } from './container-frames.ts';
import type { ContainerCall } from './container-roles.ts';
import { type MeterReading, READING_AGE_MS } from './container-meter.ts';
import { CpuBudget } from './cpu-budget.ts';
import type { DeadlineList, Expiring } from './deadline-list.ts';
import type { Death } from './death.ts';
import type { Head } from './head-reader.ts';
import { InvocationTimes } from './invocation-times.ts';
import type { Lease } from './lease.ts';

/** Where a call is: see `Invocation`. */
type Phase = 'queued' | 'running' | 'cancelling' | 'failing' | 'over';
export type CancelReason = 'disconnected' | 'cancelled';

/** What a call needs of the group that runs it. */
export interface InvocationHost {
  readonly clock: Clock;
  /** `ctx.signal` is aborted this long before the deadline, ms. */
  readonly graceMs: number;
  /** Cores of this host. */
  readonly hostCores: number;
  /** Running calls, by the version's timeout. */
  readonly deadlines: DeadlineList<Invocation>;
  /** Cancelled calls that have not ended yet. */
  readonly cancelGraces: DeadlineList<Invocation>;
  /** The call waits no more: it was cancelled, or has waited for too long. */
  leaveQueue(call: Invocation): void;
  /** Maps a failure's stack to the sources. Never rejects. */
  explain(failure: FunctionFailure): Promise<FunctionFailure>;
  log(line: Pick<LogLine, 'invocationId' | 'channel' | 'line'>): void;
  /** Called once for each call. */
  ended(call: Invocation, receipt: Receipt): void;
}

const cancelledBy: Readonly<Record<CancelReason, string>> = {
  disconnected: 'its client, which disconnected',
  cancelled: 'a request to cancel it',
};

/**
 * One call, from its arrival to its receipt. Its sink gets exactly one `end` or `fail`, its host exactly one receipt.
 *
 *     queued → running → (cancelling | failing) → over
 *
 * - queued: it waits for a lease. Its deadline is that of the queue.
 * - running: it was sent to a container. Its deadline is the version's timeout, counted from then: loading is part of it.
 * - cancelling: the sink was told; the stream may end within the grace.
 * - failing: the stream is over; the stack is being mapped.
 * - over: the receipt is given.
 *
 * The response may be complete while the call still runs: `waitUntil`. What happens then only the log and the receipt's
 * cause tell. A call that got no container has start `warm` in its receipt: it started none.
 */
export class Invocation implements InvocationHandle, ContainerCall, Expiring<Invocation> {
  expiresMs = 0;
  list: object | undefined;
  earlier: Invocation | undefined;
  later: Invocation | undefined;
  /** Set by who counts calls: no other one has it. */
  number = 0;
  readonly id: string;
  readonly version: FunctionVersion;
  readonly times: InvocationTimes;
  readonly #request: InvocationRequest;
  readonly #sink: InvocationSink;
  readonly #host: InvocationHost;
  readonly #body: OutgoingBody;
  readonly #window = new IncomingWindow();
  #phase: Phase = 'queued';
  #response: 'none' | 'open' | 'complete' = 'none';
  #lease: Lease | undefined;
  #cpuBudget: CpuBudget | undefined;
  #used: MeterReading | undefined;
  #bytesOut = 0;

  constructor(request: InvocationRequest, sink: InvocationSink, host: InvocationHost) {
    this.id = request.id;
    this.version = request.version;
    this.times = new InvocationTimes(host.clock.nowMs());
    this.#request = request;
    this.#sink = sink;
    this.#host = host;
    this.#body = new OutgoingBody(request.hasBody, () => sink.drain());
  }

  // The caller's side.

  write(chunk: Uint8Array): boolean {
    return this.#body.write(chunk);
  }

  end(): void {
    this.#body.end();
  }

  resume(): void {
    if (this.#phase === 'running' && this.#lease) this.#window.resume(this.#lease);
  }

  cancel(reason: CancelReason): void {
    this.stop(reason);
  }

  /** As `cancel`. @returns false when there is nothing to cancel any more. */
  stop(reason: CancelReason): boolean {
    const lease = this.#lease;
    const error = fail('ERR_CANCELLED', [cancelledBy[reason]]);
    if (this.#phase === 'queued') {
      this.#host.leaveQueue(this);
      this.refuse(error);
      return true;
    }
    if (this.#phase !== 'running' || this.#response === 'complete' || lease === undefined) return false;
    this.#phase = 'cancelling';
    this.#body.discard();
    this.#cpuBudget?.close();
    this.#host.deadlines.delete(this);
    this.#host.cancelGraces.add(this, this.#host.clock.nowMs());
    lease.send(encodeJson(FrameType.CANCEL, lease.stream, { reason }));
    this.#sink.fail(error, undefined, this.#account(this.#host.clock.nowMs()));
    return true;
  }

  // The group's side.

  /** Ends a call that waits: it gets no container. */
  refuse(error: HobError): void {
    this.#sink.fail(error, undefined);
    this.#finish(error.code);
  }

  /** Ends a call that waits: the start that it would need has just failed like this. */
  shareDeath({ error, failure }: Death): void {
    if (failure) this.#failExplained(error, failure);
    else this.refuse(error);
  }

  /** Gives it a container. @returns the frames to send; call `sent` when they are on their way. */
  begin(lease: Lease): Buffer[] {
    const { clock, deadlines, graceMs } = this.#host;
    const { id, method, url, headers, hasBody, version } = this.#request;
    const nowMs = clock.nowMs();
    this.#phase = 'running';
    this.#lease = lease;
    this.times.sent(nowMs, lease.start);
    deadlines.add(this, nowMs);
    this.#watchCpu(lease);
    const deadlineMs = clock.wallMs() + version.config.timeoutMs;
    const payload = { id, method, url, headers, deadlineMs, graceMs };
    const frame = encodeInvoke(lease.stream, payload, hasBody ? 0 : FLAG_END);
    return hasBody ? [frame, ...this.#body.firstFrames(lease.stream)] : [frame];
  }

  /** What `begin` gave is sent. */
  sent(): void {
    if (this.#request.hasBody && this.#phase === 'running' && this.#lease) this.#body.attach(this.#lease);
  }

  expired(): void {
    if (this.#phase === 'queued') {
      this.#host.leaveQueue(this);
      this.refuse(fail('ERR_SCHED_QUEUE_TIMEOUT', [Math.round(this.#host.clock.nowMs() - this.times.arrivedAtMs)]));
    } else if (this.#phase === 'running') {
      this.#end(fail('ERR_FN_TIMEOUT', [this.version.config.timeoutMs]), 'timeout');
    } else if (this.#phase === 'cancelling') {
      this.#finish('ERR_CANCELLED', 'cancelled');
      this.#lease?.abandon('cancelled');
    }
  }

  // The container's side.

  thawed(atMs: number): void {
    this.times.thawed(atMs);
  }

  loaded(atMs: number): void {
    this.times.loaded(atMs);
  }

  head({ status, headers, declaredBytes, notes }: Head, isLast: boolean): void {
    if (this.#response !== 'none') throw violation('HEAD twice');
    this.#response = isLast ? 'complete' : 'open';
    if (this.#phase !== 'running') return;
    if (declaredBytes > this.version.config.responseBytesMax) {
      this.#responseTooLarge();
      return;
    }
    const nowMs = this.#host.clock.nowMs();
    this.#sink.head({ ...this.#account(nowMs), status, headers, notes, bodyless: isLast });
    if (isLast) this.#complete(nowMs);
  }

  body(bytes: Uint8Array, isLast: boolean): void {
    if (this.#response !== 'open') throw violation('BODY before HEAD or after its end');
    if (bytes.byteLength === 0 && !isLast) throw violation('BODY of nothing');
    if (!this.#window.receive(bytes.byteLength)) throw violation('BODY over its credit');
    if (isLast) this.#response = 'complete';
    if (this.#phase !== 'running' || this.#lease === undefined) return;
    if (bytes.byteLength > 0) {
      this.#bytesOut += bytes.byteLength;
      if (this.#bytesOut > this.version.config.responseBytesMax) {
        this.#responseTooLarge();
        return;
      }
      const hasRoom = this.#sink.chunk(bytes);
      if (!isLast) this.#window.taken(this.#lease, hasRoom);
    }
    if (isLast) this.#complete(this.#host.clock.nowMs());
  }

  credit(bytes: number): void {
    if (!this.#body.grant(bytes)) throw violation(`CREDIT of more than ${CREDIT_BYTES_MAX} bytes`);
  }

  drain(): void {
    this.#body.resume();
  }

  done(): void {
    if (this.#phase === 'cancelling') this.#finish('ERR_CANCELLED');
    else if (this.#response === 'complete') this.#finish('ok');
    else throw violation('DONE before the end of the response');
  }

  error({ kind, name, message, stack }: FailurePayload): void {
    if (this.#phase === 'cancelling') this.#finish('ERR_CANCELLED');
    else if (kind === 'bad-event') this.#fail(fail('ERR_FN_BAD_EVENT', [message]), undefined);
    else {
      const error = kind === 'threw' ? fail('ERR_FN_THREW', [name, message]) : fail('ERR_FN_BAD_RESPONSE', [message]);
      this.#failExplained(error, { name, message, stack });
    }
  }

  died({ error, failure, cause }: Death): void {
    if (this.#phase === 'cancelling') this.#finish('ERR_CANCELLED', cause);
    else if (failure) this.#failExplained(error, failure, cause);
    else this.#fail(error, undefined, cause);
  }

  // Ends.

  /** Until the stream is over: what `waitUntil` does uses the same budget. */
  #watchCpu(lease: Lease): void {
    const { cpuMs, cpu } = this.version.config;
    if (cpuMs === undefined) return;
    const { clock, hostCores } = this.#host;
    const read = (): number => lease.meter.readCpu();
    const spent = (): void => this.#end(fail('ERR_FN_CPU_BUDGET', [cpuMs]), 'cpu-budget');
    this.#cpuBudget = new CpuBudget(cpuMs, { clock, cpu, hostCores, read, spent });
  }

  #responseTooLarge(): void {
    this.#end(fail('ERR_FN_RESPONSE_TOO_LARGE', [this.version.config.responseBytesMax]), 'response-too-large');
  }

  /** It ran into a limit of its own, and its container is to end with it. */
  #end(error: HobError, cause: DeathCause): void {
    const lease = this.#lease;
    this.#fail(error, undefined, cause);
    lease?.abandon(cause);
  }

  #account(nowMs: number, cause?: DeathCause): CallAccount {
    const { start, queueMs, createMs, thawMs, loadMs, runMs } = this.times.account(nowMs);
    const used = this.#used ?? this.#lease?.meter.read(nowMs, READING_AGE_MS);
    const account = {
      start,
      queueMs,
      createMs,
      thawMs,
      loadMs,
      runMs,
      cpuMs: used === undefined ? 0 : used.cpuMs - (this.#lease?.start.cpuMs ?? 0),
      memoryPeakBytes: used?.memoryPeakBytes ?? 0,
      containerAgeMs: used === undefined ? 0 : nowMs - used.bornAtMs,
      bytesIn: this.#body.writtenBytes,
      bytesOut: this.#bytesOut,
    };
    return cause === undefined ? account : { ...account, cause };
  }

  #complete(nowMs: number): void {
    // The reader may have cancelled in the middle of it.
    if (this.#phase !== 'running') return;
    this.times.ended(nowMs);
    this.#sink.end();
  }

  #failExplained(coded: HobError, failure: FunctionFailure, cause?: DeathCause): void {
    this.#leave('failing', this.#host.clock.nowMs());
    void this.#host.explain(failure).then((explained) => {
      this.#host.log({ invocationId: this.id, channel: 'stderr', line: explained.stack });
      this.#fail(coded, explained, cause);
    });
  }

  /** @param failure what was logged already. */
  #fail(error: HobError, failure: FunctionFailure | undefined, cause?: DeathCause): void {
    if (failure === undefined && cause !== undefined) {
      this.#host.log({ invocationId: this.id, channel: 'platform', line: error.message });
    }
    if (this.#response === 'complete') {
      this.#finish('ok', cause);
      return;
    }
    const nowMs = this.#host.clock.nowMs();
    this.#leave('failing', nowMs);
    const account = this.times.wasSent ? this.#account(nowMs, cause) : undefined;
    this.#sink.fail(error, failure, account);
    this.#finish(error.code, cause);
  }

  #finish(outcome: 'ok' | ErrorCode, cause?: DeathCause): void {
    const nowMs = this.#host.clock.nowMs();
    this.#leave('over', nowMs);
    const { id, version } = this;
    this.#host.ended(this, {
      ...this.#account(nowMs, cause),
      invocationId: id,
      function: version.name,
      version: version.version,
      outcome,
    });
  }

  /** Its stream is over, or never was. */
  #leave(phase: 'failing' | 'over', nowMs: number): void {
    const { deadlines, cancelGraces } = this.#host;
    if (this.#phase === 'running') deadlines.delete(this);
    if (this.#phase === 'cancelling') cancelGraces.delete(this);
    this.#cpuBudget?.close();
    // What the container does from now on is another call's.
    this.#used ??= this.#lease?.meter.read(nowMs, READING_AGE_MS);
    this.#body.discard();
    this.#phase = phase;
  }
}
