import type { FunctionSummary } from '@hob/contracts';
import type { Definitions } from './definitions.ts';
import type { Tally } from './call-histogram.ts';
import { PendingCount } from './pending-count.ts';

/** Stands for every function or version that got no label of its own. No function can be called so. */
const OTHER = '_other';

/** How many label values there may be. */
export interface LabelLimits {
  /** Functions with a label of their own. */
  readonly functionsMax: number;
  /** Versions of each function with a label of their own. */
  readonly versionsMax: number;
}

/** The key of the versions that got no label of their own. */
const OTHER_VERSION = -1;

/** The label children of one function, kept so that a call costs no look-up by label, and removed together. */
export class FunctionSeries {
  readonly label: string;
  readonly #metrics: Definitions;
  readonly #versionsMax: number;
  readonly #versions = new Map<number, Map<string, PendingCount>>();
  readonly #denialReasons = new Set<string>();
  readonly #dnsOutcomes = new Set<string>();
  readonly #preloadOutcomes = new Set<string>();
  #duration: Tally | undefined;
  #cpuTime: Tally | undefined;
  #memoryPeak: Tally | undefined;
  #logLines: PendingCount | undefined;
  /** CPU time of dead containers, seconds. */
  #deadCpuSeconds = 0;
  /** What the counter of CPU time says. */
  #countedCpuSeconds = 0;

  constructor(metrics: Definitions, label: string, versionsMax: number) {
    this.#metrics = metrics;
    this.label = label;
    this.#versionsMax = versionsMax;
  }

  countInvocation(version: number, outcome: string): void {
    const outcomes = this.#versions.get(version) ?? this.#addVersion(version);
    let count = outcomes.get(outcome);
    if (count === undefined) {
      const name = outcomes === this.#versions.get(OTHER_VERSION) ? OTHER : String(version);
      count = new PendingCount(this.#metrics.invocations.labels(this.label, name, outcome));
      outcomes.set(outcome, count);
    }
    count.add();
  }

  observeDuration(seconds: number): void {
    this.#duration ??= this.#metrics.duration.of(this.label);
    this.#duration.observe(seconds);
  }

  /** Of a call that reached a container. */
  observeUse(cpuSeconds: number, memoryPeakBytes: number): void {
    this.#cpuTime ??= this.#metrics.cpuTime.of(this.label);
    this.#cpuTime.observe(cpuSeconds);
    this.#memoryPeak ??= this.#metrics.memoryPeak.of(this.label);
    this.#memoryPeak.observe(memoryPeakBytes);
  }

  countLogLine(): void {
    this.#logLines ??= new PendingCount(this.#metrics.logLines.labels(this.label));
    this.#logLines.add();
  }

  countDenied(reason: string, count: number): void {
    this.#denialReasons.add(reason);
    this.#metrics.egressDenied.labels(this.label, reason).inc(count);
  }

  countDnsQueries(outcome: string, count: number): void {
    this.#dnsOutcomes.add(outcome);
    this.#metrics.dnsQueries.labels(this.label, outcome).inc(count);
  }

  countPreload(outcome: string): void {
    this.#preloadOutcomes.add(outcome);
    this.#metrics.preloads.labels(this.label, outcome).inc();
  }

  addDeadCpu(seconds: number): void {
    this.#deadCpuSeconds += seconds;
  }

  /**
   * Brings the counters up to date. A container between its last snapshot and its death never makes CPU time fall.
   *
   * @param livingCpuSeconds CPU time of the function's living containers.
   */
  flush(livingCpuSeconds: number): void {
    for (const outcomes of this.#versions.values()) for (const count of outcomes.values()) count.flush();
    this.#logLines?.flush();
    const more = this.#deadCpuSeconds + livingCpuSeconds - this.#countedCpuSeconds;
    if (more <= 0) return;
    this.#countedCpuSeconds += more;
    this.#metrics.cpuSeconds.labels(this.label).inc(more);
  }

  /** Removes the labels of versions that do not exist. */
  keepVersions(existing: readonly number[]): void {
    for (const [version, outcomes] of this.#versions) {
      if (version !== OTHER_VERSION && !existing.includes(version)) this.#removeVersion(version, outcomes);
    }
  }

  /** Removes every label of the function. */
  remove(): void {
    for (const [version, outcomes] of this.#versions) this.#removeVersion(version, outcomes);
    this.#metrics.duration.remove(this.label);
    this.#metrics.cpuTime.remove(this.label);
    this.#metrics.memoryPeak.remove(this.label);
    this.#metrics.logLines.remove(this.label);
    this.#metrics.cpuSeconds.remove(this.label);
    for (const reason of this.#denialReasons) this.#metrics.egressDenied.remove(this.label, reason);
    for (const outcome of this.#dnsOutcomes) this.#metrics.dnsQueries.remove(this.label, outcome);
    for (const outcome of this.#preloadOutcomes) this.#metrics.preloads.remove(this.label, outcome);
  }

  #addVersion(version: number): Map<string, PendingCount> {
    const full = this.#versions.size >= this.#versionsMax || this.label === OTHER;
    const key = full ? OTHER_VERSION : version;
    let outcomes = this.#versions.get(key);
    if (outcomes === undefined) this.#versions.set(key, (outcomes = new Map()));
    return outcomes;
  }

  #removeVersion(version: number, outcomes: ReadonlyMap<string, PendingCount>): void {
    const name = version === OTHER_VERSION ? OTHER : String(version);
    for (const outcome of outcomes.keys()) this.#metrics.invocations.remove(this.label, name, outcome);
    this.#versions.delete(version);
  }
}

/** All functions' label children, at most as many as the limit says; the rest share those of OTHER. */
export class FunctionSeriesSet {
  readonly #metrics: Definitions;
  readonly #limits: LabelLimits;
  readonly #series = new Map<string, FunctionSeries>();
  readonly #other: FunctionSeries;
  /** Containers that never held a function. */
  readonly parked: FunctionSeries;

  constructor(metrics: Definitions, limits: LabelLimits) {
    this.#metrics = metrics;
    this.#limits = limits;
    this.#other = new FunctionSeries(metrics, OTHER, limits.versionsMax);
    this.parked = new FunctionSeries(metrics, '', limits.versionsMax);
  }

  of(functionName: string): FunctionSeries {
    if (functionName === '') return this.parked;
    const known = this.#series.get(functionName);
    if (known !== undefined) return known;
    if (this.#series.size >= this.#limits.functionsMax) return this.#other;
    const series = new FunctionSeries(this.#metrics, functionName, this.#limits.versionsMax);
    this.#series.set(functionName, series);
    return series;
  }

  /** Every series that exists now. */
  all(): FunctionSeries[] {
    return [this.parked, this.#other, ...this.#series.values()];
  }

  /** Removes what belongs to functions and versions that do not exist. */
  keep(existing: readonly FunctionSummary[]): void {
    const versions = new Map(existing.map((summary) => [summary.name, summary.versions]));
    for (const [name, series] of this.#series) {
      const kept = versions.get(name);
      if (kept === undefined) {
        series.remove();
        this.#series.delete(name);
      } else series.keepVersions(kept);
    }
  }
}
