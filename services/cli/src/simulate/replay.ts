import { setImmediate } from 'node:timers/promises';
import { EndHeap } from './end-heap.ts';
import { NumberColumn } from './number-column.ts';
import type { Policy } from './policies.ts';
import type { SizedTrace } from './read-trace.ts';
import type { TraceCall } from './trace.ts';

/** Cold starts are all taken to cost the same: no trace tells what they do. */
const COLD_START_COST_MS = 1;
const MB_PER_GB = 1024;
const BYTES_PER_MB = 1024 * 1024;
/** After so many calls others get a turn, such as whoever says that it goes on. */
const CALLS_PER_TURN = 100_000;

/** What a policy led to. */
export interface Outcome {
  readonly calls: number;
  /** Calls that found no loaded container. */
  readonly coldStarts: number;
  /** Memory of idle loaded containers, for as long as they were idle, GB·s. */
  readonly wastedGbSeconds: number;
  /** When a container was started, for a call or in advance, ms, ascending. */
  readonly startsMs: Float64Array;
}

/** A loaded container without a call. */
interface IdleContainer {
  readonly target: TargetState;
  readonly sinceMs: number;
  /** It is kept until then. */
  readonly untilMs: number;
  readonly priority: number;
}

interface TargetState {
  readonly memoryMb: number;
  /** The one used last is used next. */
  readonly idle: IdleContainer[];
  running: number;
  lastEndMs: number | undefined;
  /** When a container is loaded in advance, and until when it is kept. */
  preload: { readonly fromMs: number; readonly untilMs: number } | undefined;
  /** Calls since it has had a container. */
  uses: number;
}

/**
 * Replays a trace under a policy. A container serves one call at a time, and loading takes no time.
 *
 * Where memory is bounded, calls run whether there is memory or not: only idle containers are ended for it.
 */
export async function replay(sized: SizedTrace, policy: Policy): Promise<Outcome> {
  const run = new Replay(sized.memoryMb, policy);
  let turn = 0;
  for (const call of sized.trace.calls()) {
    run.call(call);
    turn += 1;
    if (turn % CALLS_PER_TURN === 0) await setImmediate();
  }
  return run.end();
}

class Replay {
  readonly #policy: Policy;
  readonly #targets: readonly TargetState[];
  readonly #running = new EndHeap();
  readonly #starts = new NumberColumn();
  /** Idle containers of all functions; empty where memory is not bounded. */
  readonly #evictable = new Set<IdleContainer>();
  /** Memory of all containers, where it is bounded. */
  #usedMb = 0;
  #wastedMbMs = 0;
  #calls = 0;
  #coldStarts = 0;
  #endMs = -Infinity;

  constructor(memoryMb: readonly number[], policy: Policy) {
    this.#policy = policy;
    this.#targets = memoryMb.map((each) => ({
      memoryMb: each,
      idle: [],
      running: 0,
      lastEndMs: undefined,
      preload: undefined,
      uses: 0,
    }));
  }

  /** A call comes; none may come later that came before. */
  call({ atMs, durationMs, target: index }: TraceCall): void {
    this.#release(atMs);
    const target = this.#target(index);
    const { lastEndMs } = target;
    if (target.running === 0 && lastEndMs !== undefined) this.#policy.called(index, atMs - lastEndMs);
    this.#calls += 1;
    if (!this.#takeIdle(target, atMs) && !this.#takePreloaded(target, atMs)) {
      this.#coldStarts += 1;
      this.#starts.push(atMs);
      this.#usedMb += target.memoryMb;
      this.#fitBudget(atMs);
    }
    target.running += 1;
    target.uses += 1;
    const endMs = atMs + durationMs;
    this.#endMs = Math.max(this.#endMs, endMs);
    this.#running.push({ endMs, target: index });
  }

  /** The trace has ended, and with it the time that idle containers waste. */
  end(): Outcome {
    this.#release(Infinity);
    for (const target of this.#targets) {
      for (const { sinceMs, untilMs } of target.idle) this.#waste(target, sinceMs, Math.min(untilMs, this.#endMs));
      this.#takePreloaded(target, this.#endMs);
    }
    return {
      calls: this.#calls,
      coldStarts: this.#coldStarts,
      wastedGbSeconds: this.#wastedMbMs / MB_PER_GB / 1000,
      startsMs: this.#starts.values.sort(),
    };
  }

  #target(index: number): TargetState {
    const target = this.#targets[index];
    if (target === undefined) throw new RangeError(`no function ${index}`);
    return target;
  }

  #waste(target: TargetState, fromMs: number, untilMs: number): void {
    this.#wastedMbMs += target.memoryMb * (untilMs - fromMs);
  }

  /** Calls end that do so before this time. */
  #release(nowMs: number): void {
    for (let { first } = this.#running; first !== undefined && first.endMs <= nowMs; { first } = this.#running) {
      this.#running.shift();
      this.#becomeIdle(first.target, first.endMs);
    }
  }

  #becomeIdle(index: number, nowMs: number): void {
    const target = this.#target(index);
    target.running -= 1;
    target.lastEndMs = nowMs;
    const { preloadAfterMs, keepAliveMs } = this.#policy.window(index);
    if (preloadAfterMs > 0) {
      const fromMs = nowMs + preloadAfterMs;
      // One is loaded in advance: how many calls will come at once is not known.
      if (target.running === 0) target.preload = { fromMs, untilMs: fromMs + keepAliveMs };
      return;
    }
    const { order } = this.#policy.budget ?? {};
    const worth = { uses: target.uses, costMs: COLD_START_COST_MS, sizeBytes: target.memoryMb * BYTES_PER_MB };
    const priority = order?.priority(worth) ?? 0;
    const container = { target, sinceMs: nowMs, untilMs: nowMs + keepAliveMs, priority };
    target.idle.push(container);
    if (order === undefined) return;
    this.#evictable.add(container);
    this.#fitBudget(nowMs);
  }

  /** Takes the idle container that was used last, if it is still kept. */
  #takeIdle(target: TargetState, nowMs: number): boolean {
    for (let container = target.idle.pop(); container !== undefined; container = target.idle.pop()) {
      this.#evictable.delete(container);
      this.#waste(target, container.sinceMs, Math.min(container.untilMs, nowMs));
      if (container.untilMs > nowMs) return true;
    }
    return false;
  }

  #takePreloaded(target: TargetState, nowMs: number): boolean {
    const { preload } = target;
    target.preload = undefined;
    if (preload === undefined || preload.fromMs > nowMs) return false;
    this.#starts.push(preload.fromMs);
    this.#waste(target, preload.fromMs, Math.min(preload.untilMs, nowMs));
    return preload.untilMs > nowMs;
  }

  /** Ends idle containers until the others fit. */
  #fitBudget(nowMs: number): void {
    const { budget } = this.#policy;
    if (budget === undefined) return;
    while (this.#usedMb > budget.memoryMb) {
      const container = budget.order.evict(this.#evictable);
      if (container === undefined) return;
      this.#evictable.delete(container);
      const { target, sinceMs } = container;
      target.idle.splice(target.idle.indexOf(container), 1);
      this.#waste(target, sinceMs, nowMs);
      this.#usedMb -= target.memoryMb;
      if (target.idle.length + target.running === 0) target.uses = 0;
    }
  }
}
