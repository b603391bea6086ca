import type { SizedTrace } from '../../src/simulate/read-trace.ts';
import type { TraceCall } from '../../src/simulate/trace.ts';

/** A trace of functions whose containers take so many MB, with these calls in any order. */
export function traceOf(memoryMb: readonly number[], calls: readonly TraceCall[]): SizedTrace {
  const inOrder = calls.toSorted((a, b) => a.atMs - b.atMs);
  const functions = memoryMb.map((_, index) => ({ app: 'app', name: String(index) }));
  return { memoryMb, trace: { functions, size: calls.length, calls: () => inOrder } };
}

/** Calls of one function, each from one second to another. */
export function callsOf(target: number, ...spans: readonly (readonly [number, number])[]): TraceCall[] {
  return spans.map(([from, to]) => ({ target, atMs: from * 1000, durationMs: (to - from) * 1000 }));
}
