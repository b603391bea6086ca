/** Calls a second of one version. */
export interface CallRate {
  readonly calls: number;
  /** Those that failed. */
  readonly failed: number;
}

interface Counts {
  calls: number;
  failed: number;
}

const line =
  /^hob_invocations_total\{function="(?<name>[^"]*)",version="(?<version>[^"]*)",outcome="(?<outcome>[^"]*)"\} (?<count>\S+)/gm;

/** Calls a second, from the counters of two looks at the metrics. */
export class CallRates {
  #atMs = 0;
  #counts: ReadonlyMap<string, Counts> | undefined;
  #rates: ReadonlyMap<string, CallRate> | undefined;

  /** @param metrics in the text form of Prometheus. @param atMs when they were read, monotonic. */
  observe(metrics: string, atMs: number): void {
    const counts = countsOf(metrics);
    const before = this.#counts;
    const seconds = (atMs - this.#atMs) / 1000;
    if (before !== undefined && seconds > 0) {
      this.#rates = new Map([...counts].map(([key, now]) => [key, rateOf(now, before.get(key), seconds)]));
    }
    this.#counts = counts;
    this.#atMs = atMs;
  }

  /** @returns undefined before the second look. */
  of(name: string, version: number): CallRate | undefined {
    if (this.#rates === undefined) return undefined;
    return this.#rates.get(`${name}@${version}`) ?? { calls: 0, failed: 0 };
  }
}

function countsOf(metrics: string): Map<string, Counts> {
  const counts = new Map<string, Counts>();
  for (const { groups } of metrics.matchAll(line)) {
    const { name, version, outcome, count } = groups ?? {};
    const key = `${name}@${version}`;
    const entry = counts.get(key) ?? { calls: 0, failed: 0 };
    counts.set(key, entry);
    entry.calls += Number(count);
    if (outcome !== 'ok') entry.failed += Number(count);
  }
  return counts;
}

/** A counter that fell began anew: its server did. */
function rateOf(now: Counts, before: Counts | undefined, seconds: number): CallRate {
  const from = before === undefined || now.calls < before.calls ? { calls: 0, failed: 0 } : before;
  return { calls: (now.calls - from.calls) / seconds, failed: Math.max(now.failed - from.failed, 0) / seconds };
}
