import {
  type AsyncInvocations,
  type AttemptOutcome,
  attemptOutcomes,
  type DeathCause,
  type FunctionDirectory,
  type FunctionSnapshot,
  type KeyHit,
  keyHits,
  type LogLine,
  type Observer,
  type PoolSnapshot,
  type PreloadOutcome,
  type QueueObserver,
  type Receipt,
  type SchedulerControl,
  type StartKind,
} from '@hob/contracts';
import { collectDefaultMetrics, Registry } from 'prom-client';
import { type Definitions, defineMetrics } from './definitions.ts';
import type { Tally } from './call-histogram.ts';
import { type FunctionSeries, FunctionSeriesSet, type LabelLimits } from './function-series.ts';
import { PendingCount } from './pending-count.ts';
import { setQueueMetrics } from './queue-definitions.ts';
import { setPoolMetrics } from './pool-definitions.ts';

/** Where gauges are read from when somebody asks for the metrics. */
export interface MetricsSources {
  readonly scheduler: Pick<SchedulerControl, 'snapshot'>;
  readonly directory: Pick<FunctionDirectory, 'list'>;
  readonly queue: Pick<AsyncInvocations, 'counts'>;
  readonly requestsInFlight: () => number;
}

/** How metrics are made. */
export interface MetricsOptions {
  /** Version of hob. */
  readonly version: string;
  /** Bounds of the labels; by default 500 functions with 20 versions each. */
  readonly labels?: Partial<LabelLimits>;
}

const defaultLabels: LabelLimits = { functionsMax: 500, versionsMax: 20 };

/** The causes of a container's death that are shown from the first scrape on. */
const causes: readonly DeathCause[] = [
  'reclaimed',
  'replaced',
  'timeout',
  'cpu-budget',
  'oom',
  'pids',
  'syscall',
  'response-too-large',
  'crash',
  'cancelled',
  'shutdown',
];

const seconds = (ms: number): number => ms / 1000;

/**
 * hob's metrics for Prometheus. Give it to the scheduler as an observer, and to the gateway, which serves `render()`.
 *
 * Counters follow the events; gauges are read from the scheduler at each scrape. Labels are bounded: functions and
 * versions that do not exist any more are dropped, and those over the limit share the label `_other`.
 */
export class Metrics implements Observer, QueueObserver {
  /** Media type of what `render` gives. */
  readonly contentType: string;
  readonly #registry = new Registry();
  readonly #metrics: Definitions;
  readonly #series: FunctionSeriesSet;
  readonly #starts: Readonly<Record<StartKind, PendingCount>>;
  readonly #queueTime: Tally;
  #sources: MetricsSources | undefined;
  #rendering: Promise<string> | undefined;

  constructor(options: MetricsOptions) {
    this.contentType = this.#registry.contentType;
    this.#metrics = defineMetrics(this.#registry);
    this.#series = new FunctionSeriesSet(this.#metrics, { ...defaultLabels, ...options.labels });
    const { buildInfo, kills, starts } = this.#metrics;
    for (const kind of ['warm', 'pool', 'cold']) starts.labels(kind).inc(0);
    this.#starts = {
      warm: new PendingCount(starts.labels('warm')),
      pool: new PendingCount(starts.labels('pool')),
      cold: new PendingCount(starts.labels('cold')),
    };
    this.#queueTime = this.#metrics.queueTime.of();
    for (const outcome of attemptOutcomes) this.#metrics.attempts.labels(outcome).inc(0);
    for (const hit of keyHits) this.#metrics.keyHits.labels(hit).inc(0);
    for (const cause of causes) kills.labels(cause).inc(0);
    buildInfo.labels(options.version, process.versions.node).set(1);
    collectDefaultMetrics({ register: this.#registry });
  }

  /** Says where gauges are read from. The gateway calls this; before that, there are counters only. */
  observe(sources: MetricsSources): void {
    this.#sources = sources;
  }

  /** The metrics in Prometheus' text format. Scrapes at the same time share one reading. */
  render(): Promise<string> {
    return (this.#rendering ??= this.#render().finally(() => {
      this.#rendering = undefined;
    }));
  }

  invocationEnded(receipt: Receipt): void {
    const { queueMs, createMs, thawMs, loadMs, runMs } = receipt;
    const series = this.#series.of(receipt.function);
    series.countInvocation(receipt.version, receipt.outcome);
    series.observeDuration(seconds(queueMs + createMs + thawMs + loadMs + runMs));
    this.#queueTime.observe(seconds(queueMs));
    // A call that got no container started none, and used nothing.
    if (receipt.containerAgeMs > 0) series.observeUse(seconds(receipt.cpuMs), receipt.memoryPeakBytes);
    if (runMs > 0) this.#starts[receipt.start].add();
    if (thawMs > 0) this.#metrics.thawTime.observe(seconds(thawMs));
    if (loadMs > 0) this.#metrics.loadTime.observe(seconds(loadMs));
  }

  log(line: LogLine): void {
    this.#series.of(line.function).countLogLine();
  }

  containerCreated(event: { readonly createMs: number }): void {
    this.#metrics.createTime.observe(seconds(event.createMs));
  }

  containerDied(event: { readonly function: string; readonly cause: string; readonly cpuSeconds: number }): void {
    this.#metrics.kills.labels(event.cause).inc();
    this.#series.of(event.function).addDeadCpu(event.cpuSeconds);
  }

  egressDenied(event: { readonly function: string; readonly reason: string; readonly count: number }): void {
    this.#series.of(event.function).countDenied(event.reason, event.count);
  }

  dnsQueries(event: { readonly function: string; readonly outcome: string; readonly count: number }): void {
    this.#series.of(event.function).countDnsQueries(event.outcome, event.count);
  }

  preloaded(event: { readonly function: string; readonly outcome: PreloadOutcome }): void {
    this.#series.of(event.function).countPreload(event.outcome);
  }

  /** An attempt of an asynchronous call has ended. */
  attempted(outcome: AttemptOutcome): void {
    this.#metrics.attempts.labels(outcome).inc();
  }

  scheduled(lagMs: number): void {
    this.#metrics.scheduleLag.observe(seconds(lagMs));
  }

  keyHit(hit: KeyHit): void {
    this.#metrics.keyHits.labels(hit).inc();
  }

  redisAnswered(ms: number): void {
    this.#metrics.redisRoundTrip.observe(seconds(ms));
  }

  zygoteRestarted(): void {
    this.#metrics.zygoteRestarts.inc();
  }

  /** So many processes are the gateway now. */
  workersRun(count: number): void {
    this.#metrics.workers.set(count);
  }

  workerRestarted(): void {
    this.#metrics.workerRestarts.inc();
  }

  async #render(): Promise<string> {
    const sources = this.#sources;
    const snapshot = await sources?.scheduler.snapshot();
    if (sources !== undefined) {
      this.#metrics.requestsInFlight.set(sources.requestsInFlight());
      this.#series.keep(sources.directory.list());
    }
    this.#setContainers(snapshot?.functions ?? []);
    this.#addPools(snapshot?.pools ?? []);
    setQueueMetrics(this.#metrics, await sources?.queue.counts());
    setPoolMetrics(this.#metrics, snapshot?.pools ?? [], snapshot?.memory);
    for (const starts of Object.values(this.#starts)) starts.flush();
    const { duration, cpuTime, memoryPeak, queueTime } = this.#metrics;
    const ofCalls = [duration, cpuTime, memoryPeak, queueTime].map((histogram) => histogram.render());
    return [await this.#registry.metrics(), ...ofCalls].join('\n');
  }

  #setContainers(functions: readonly FunctionSnapshot[]): void {
    const { containers, memoryBytes, queueLength, keepAlive } = this.#metrics;
    for (const gauge of [containers, memoryBytes, queueLength, keepAlive]) gauge.reset();
    const livingCpuSeconds = new Map<FunctionSeries, number>();
    for (const entry of functions) {
      // Versions of one function, and functions without a label of their own, add up.
      const series = this.#series.of(entry.function);
      containers.inc({ function: series.label, state: 'loading' }, entry.loading);
      containers.inc({ function: series.label, state: 'idle' }, entry.idle);
      containers.inc({ function: series.label, state: 'busy' }, entry.busy);
      memoryBytes.inc({ function: series.label }, entry.memoryBytes);
      queueLength.inc({ function: series.label }, entry.waiting);
      // Versions have these in common, as a rule.
      keepAlive.set({ function: series.label, of: 'preload' }, seconds(entry.keepAlive.preloadAfterMs));
      keepAlive.set({ function: series.label, of: 'keep' }, seconds(entry.keepAlive.keepAliveMs));
      livingCpuSeconds.set(series, (livingCpuSeconds.get(series) ?? 0) + entry.cpuSeconds);
    }
    for (const series of this.#series.all()) series.flush(livingCpuSeconds.get(series) ?? 0);
  }

  #addPools(pools: readonly PoolSnapshot[]): void {
    const { containers } = this.#metrics;
    for (const { creating, parked } of pools) {
      containers.inc({ function: '', state: 'creating' }, creating);
      containers.inc({ function: '', state: 'parked' }, parked);
    }
  }
}
