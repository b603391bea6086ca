import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import { CallHistogram } from './call-histogram.ts';
import { defineQueueMetrics, type QueueDefinitions } from './queue-definitions.ts';
import { definePoolMetrics, type PoolDefinitions } from './pool-definitions.ts';

/** Seconds. From a warm call of a tenth of a millisecond to the longest timeout. */
const callBuckets = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900];
/** Bytes. From a container that does nothing to the largest memory limit. */
const memoryBuckets = [8, 16, 32, 64, 128, 192, 256, 384, 512, 768, 1024, 2048, 4096, 8192].map((mb) => mb * 2 ** 20);
/** Seconds. Waiting for a container: most calls do not. */
const queueBuckets = [0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30];
/** Seconds. Forking and loading take milliseconds. */
const startBuckets = [0.001, 0.002, 0.003, 0.004, 0.005, 0.0075, 0.01, 0.015, 0.025, 0.05, 0.1, 0.25, 1, 5];

type FunctionLabel = 'function';

/** Every metric of hob's own. `prom-client` adds those of the process. */
export interface Definitions extends PoolDefinitions, QueueDefinitions {
  readonly invocations: Counter<FunctionLabel | 'version' | 'outcome'>;
  readonly duration: CallHistogram;
  readonly cpuTime: CallHistogram;
  readonly memoryPeak: CallHistogram;
  readonly queueTime: CallHistogram;
  readonly starts: Counter<'kind'>;
  readonly createTime: Histogram;
  readonly thawTime: Histogram;
  readonly loadTime: Histogram;
  readonly containers: Gauge<FunctionLabel | 'state'>;
  readonly queueLength: Gauge<FunctionLabel>;
  readonly keepAlive: Gauge<FunctionLabel | 'of'>;
  readonly preloads: Counter<FunctionLabel | 'outcome'>;
  readonly kills: Counter<'cause'>;
  readonly cpuSeconds: Counter<FunctionLabel>;
  readonly memoryBytes: Gauge<FunctionLabel>;
  readonly zygoteRestarts: Counter;
  readonly requestsInFlight: Gauge;
  readonly workers: Gauge;
  readonly workerRestarts: Counter;
  readonly logLines: Counter<FunctionLabel>;
  readonly egressDenied: Counter<FunctionLabel | 'reason'>;
  readonly dnsQueries: Counter<FunctionLabel | 'outcome'>;
  readonly buildInfo: Gauge<'version' | 'node'>;
}

/** Makes the metrics; all but the histograms of calls are in the registry. */
export function defineMetrics(register: Registry): Definitions {
  const registers = [register];
  return {
    ...defineCallMetrics(registers),
    ...definePoolMetrics(registers),
    ...defineQueueMetrics(registers),
    containers: new Gauge({
      name: 'hob_containers',
      help: 'Containers by function and state; those that hold no function have an empty function.',
      labelNames: ['function', 'state'],
      registers,
    }),
    queueLength: new Gauge({
      name: 'hob_queue_length',
      help: 'Calls that wait for a container.',
      labelNames: ['function'],
      registers,
    }),
    ...defineKeepAliveMetrics(registers),
    kills: new Counter({
      name: 'hob_kills_total',
      help: 'Containers that ended, by cause.',
      labelNames: ['cause'],
      registers,
    }),
    cpuSeconds: new Counter({
      name: 'hob_container_cpu_seconds_total',
      help: 'CPU time of containers, dead and living; of those that never got a function under an empty one.',
      labelNames: ['function'],
      registers,
    }),
    memoryBytes: new Gauge({
      name: 'hob_container_memory_bytes',
      help: 'Memory charged to living containers.',
      labelNames: ['function'],
      registers,
    }),
    zygoteRestarts: new Counter({ name: 'hob_zygote_restarts_total', help: 'Zygotes started anew.', registers }),
    requestsInFlight: new Gauge({
      name: 'hob_http_requests_in_flight',
      help: 'HTTP requests being served, by all gateway workers; probes and metrics not counted.',
      registers,
    }),
    workers: new Gauge({
      name: 'hob_gateway_workers',
      help: 'Processes beside the server that are its gateway; 0 where the server itself is.',
      registers,
    }),
    workerRestarts: new Counter({
      name: 'hob_gateway_worker_restarts_total',
      help: 'Gateway workers that ended and were started anew.',
      registers,
    }),
    logLines: new Counter({
      name: 'hob_log_lines_total',
      help: 'Lines of output.',
      labelNames: ['function'],
      registers,
    }),
    ...defineNetworkMetrics(registers),
    buildInfo: new Gauge({
      name: 'hob_build_info',
      help: 'Always 1; the labels say what runs.',
      labelNames: ['version', 'node'],
      registers,
    }),
  };
}

function defineKeepAliveMetrics(registers: Registry[]): Pick<Definitions, 'keepAlive' | 'preloads'> {
  return {
    keepAlive: new Gauge({
      name: 'hob_keep_alive_seconds',
      help: 'From the last call until a container is loaded for the next one (preload; 0: idle ones are kept), and for how long it is then kept (keep).',
      labelNames: ['function', 'of'],
      registers,
    }),
    preloads: new Counter({
      name: 'hob_preloads_total',
      help: 'Containers loaded before an expected call, by what became of it: useful, wasted (no call came), or failed to load.',
      labelNames: ['function', 'outcome'],
      registers,
    }),
  };
}

function defineNetworkMetrics(registers: Registry[]): Pick<Definitions, 'egressDenied' | 'dnsQueries'> {
  return {
    egressDenied: new Counter({
      name: 'hob_egress_denied_total',
      help: 'What functions tried to reach and may not, by reason; of each container at most about 20 a second.',
      labelNames: ['function', 'reason'],
      registers,
    }),
    dnsQueries: new Counter({
      name: 'hob_dns_queries_total',
      help: "Functions' questions for names, by what became of them: answered, denied or failed.",
      labelNames: ['function', 'outcome'],
      registers,
    }),
  };
}

function defineCallMetrics(
  registers: Registry[],
): Pick<
  Definitions,
  | 'invocations'
  | 'duration'
  | 'cpuTime'
  | 'memoryPeak'
  | 'queueTime'
  | 'starts'
  | 'createTime'
  | 'thawTime'
  | 'loadTime'
> {
  return {
    invocations: new Counter({
      name: 'hob_invocations_total',
      help: 'Invocations that ended, by function, version and outcome: ok, or the code of the error.',
      labelNames: ['function', 'version', 'outcome'],
      registers,
    }),
    duration: new CallHistogram({
      name: 'hob_invocation_duration_seconds',
      help: 'From the call reaching hob to the end of its response.',
      bounds: callBuckets,
    }),
    cpuTime: new CallHistogram({
      name: 'hob_invocation_cpu_seconds',
      help: 'CPU time of the container during the call, its load included.',
      bounds: callBuckets,
    }),
    memoryPeak: new CallHistogram({
      name: 'hob_invocation_memory_peak_bytes',
      help: 'The most memory that was charged to the container during the call.',
      bounds: memoryBuckets,
    }),
    queueTime: new CallHistogram({
      name: 'hob_invocation_queue_seconds',
      help: 'Waiting for a container, without the time to make one.',
      bounds: queueBuckets,
    }),
    starts: new Counter({
      name: 'hob_starts_total',
      help: 'Where the container of an invocation came from: warm, pool or cold.',
      labelNames: ['kind'],
      registers,
    }),
    createTime: new Histogram({
      name: 'hob_container_create_seconds',
      help: 'Forking a container, until it is parked.',
      buckets: startBuckets,
      registers,
    }),
    thawTime: new Histogram({
      name: 'hob_container_thaw_seconds',
      help: 'Letting the processes of a frozen container go on for a call.',
      buckets: [0.00005, 0.0001, 0.00025, 0.0005, ...startBuckets],
      registers,
    }),
    loadTime: new Histogram({
      name: 'hob_container_load_seconds',
      help: "Claiming a container and loading a function's code.",
      buckets: startBuckets,
      registers,
    }),
  };
}
