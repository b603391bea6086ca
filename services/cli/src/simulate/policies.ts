import { GreedyDual, HybridHistogram, hybridDefaults, type KeepAliveWindow } from '@hob/scheduler/keep-alive';

/** What the hybrid histogram keeps a container for while it knows nothing better, ms. */
export const HYBRID_STANDARD_MS = 600_000;

/** When containers are loaded, in one replay of a trace. */
export interface Policy {
  /** Policies of one family differ by one number. */
  readonly family: 'none' | 'fixed' | 'hybrid' | 'greedy-dual';
  readonly label: string;
  /** When to have a function loaded after a call that ends now. */
  window(target: number): KeepAliveWindow;
  /** A function is called that ran no other call. @param idleMs since its last one ended. */
  called(target: number, idleMs: number): void;
  /** How much memory all containers may take, and who goes when they take more. */
  readonly budget?: { readonly memoryMb: number; readonly order: GreedyDual };
}

/** Makes a policy that knows nothing yet. */
export type PolicyMaker = () => Policy;

const learnNothing = (): void => undefined;

/** Ends every container after `keepAliveMs` without a call. */
export function fixed(keepAliveMs: number): PolicyMaker {
  const window = { preloadAfterMs: 0, keepAliveMs };
  return () => ({
    family: keepAliveMs === 0 ? 'none' : 'fixed',
    label: keepAliveMs === 0 ? 'no keep-alive' : `fixed ${keepAliveMs / 1000} s`,
    window: () => window,
    called: learnNothing,
  });
}

/** Learns from each function's idle times. */
export function hybrid(): PolicyMaker {
  return () => {
    const histograms: HybridHistogram[] = [];
    const of = (target: number): HybridHistogram =>
      (histograms[target] ??= new HybridHistogram({ ...hybridDefaults, standardKeepAliveMs: HYBRID_STANDARD_MS }));
    return {
      family: 'hybrid',
      label: 'hybrid histogram',
      window: (target) => of(target).window,
      called: (target, idleMs) => of(target).add(idleMs),
    };
  };
}

/** Keeps every container as long as there is memory. */
export function greedyDual(memoryMb: number): PolicyMaker {
  const window = { preloadAfterMs: 0, keepAliveMs: Infinity };
  return () => ({
    family: 'greedy-dual',
    label: `greedy-dual ${memoryMb} MB`,
    window: () => window,
    called: learnNothing,
    budget: { memoryMb, order: new GreedyDual() },
  });
}
