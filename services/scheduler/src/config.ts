import { availableParallelism } from 'node:os';
import { fail, memoryClassesMb } from '@hob/contracts';
import { type Static, Type } from 'typebox';
import { Create, Errors } from 'typebox/value';

export { egressOptionsSchema } from './driver/network/egress-options.ts';

function count(fallback: number, minimum: number, description: string) {
  return Type.Integer({ minimum, maximum: 1_000_000_000, default: fallback, description });
}

function percent(fallback: number, description: string) {
  return Type.Integer({ minimum: 1, maximum: 100, default: fallback, description });
}

/** The scheduler's settings: the one source of their defaults, ranges, types and documentation. */
export const schedulerConfigSchema = Type.Object(
  {
    poolMin: count(2, 0, 'Parked containers kept ready for each runtime, memory class and network class in use.'),
    poolMax: count(8, 0, 'Parked containers that a class may grow to as calls claim more of them.'),
    poolWindowMs: count(60_000, 1000, 'How long a claim counts towards the number of parked containers, ms.'),
    poolMemoryPercent: percent(
      80,
      'Share of the memory in use, by whatever it is, up to which containers are parked, %.',
    ),
    poolPressurePercent: percent(
      10,
      'Part of the time with something waiting for memory at which none is parked and idle containers end, %.',
    ),
    poolParallel: count(2, 1, 'Containers of one class that the pool creates at the same time.'),
    poolRefillDelayMs: count(25, 0, 'Pause between a claim and making its replacement, ms: the call goes first.'),
    poolWarmMb: Type.Array(Type.Integer({ enum: memoryClassesMb }), {
      default: [256],
      description: 'Memory classes whose pools are filled at start, MB.',
    }),
    forkParallel: count(
      2 * availableParallelism(),
      1,
      'Containers of one memory class that are forked for calls at the same time: twice the cores.',
    ),
    startTimeoutMs: count(
      30_000,
      1000,
      'How long the runtime may take to boot, and a container to be parked, before it is given up, ms.',
    ),
    containersMax: count(256, 1, 'Containers on this host in total, parked ones included.'),
    queueMax: count(1000, 1, 'Calls of one version that may wait for a container, one being started included.'),
    queueTotalMax: count(10_000, 1, 'Calls of all versions together that may wait for a container.'),
    queueTimeoutMs: count(10_000, 1, 'How long a call may wait for a container, ms.'),
    queueTargetMs: count(500, 1, 'How long calls are to wait at most while more come than are served, ms.'),
    handOverMs: count(
      5000,
      0,
      'How long a new version may take to load as many containers as the one before it uses, before it becomes live, ms.',
    ),
    keepAliveMs: count(
      60_000,
      0,
      "How long an idle container is kept while its function's calls tell nothing better, ms.",
    ),
    keepAlivePolicy: Type.Union([Type.Literal('learned'), Type.Literal('fixed')], {
      default: 'learned',
      description: "Whether each function's calls tell how long it is kept, and when it is loaded in advance.",
    }),
    keepAliveMaxMs: Type.Integer({
      minimum: 1000,
      maximum: 86_400_000,
      default: 14_400_000,
      description: 'The longest time between calls that is learned from and bridged, ms.',
    }),
    freezeAfterMs: count(
      1000,
      0,
      'How long an idle container runs on before it is frozen, ms: until its next call, work in its background stands still.',
    ),
    cancelGraceMs: count(100, 0, 'How long a cancelled call may take to end before its container is ended, ms.'),
    abortGraceMs: count(
      1000,
      0,
      'ctx.signal is aborted this long before the deadline, ms, at most a tenth of the timeout; unless its function says so itself.',
    ),
    startFailuresMax: count(3, 1, 'Failed starts in a row after which waiting calls fail too.'),
    startBackoffMs: count(100, 1, 'Pause after a failed start, ms; doubles with each further one.'),
    startBackoffMaxMs: count(2000, 1, 'The longest pause after a failed start, ms.'),
    logLinesPerSecond: count(
      2000,
      1,
      'Lines of output that a container may give in a second; more are dropped and counted.',
    ),
    logBytesPerSecond: count(
      4 * 1024 * 1024,
      1,
      'Bytes of output that a container may give in a second, unless its function says so itself.',
    ),
    codeBytesMax: count(256 * 1024 * 1024, 0, "Memory for functions' code and code caches, bytes."),
    codeCacheMinBytes: count(64 * 1024, 0, 'Code of at least this size gets a V8 code cache, bytes.'),
    codeCacheTimeoutMs: count(30_000, 1, 'How long making a code cache may take, ms.'),
    sourceMapBytesMax: count(
      8 * 1024 * 1024,
      0,
      'The largest source map that is read, bytes: it costs about 35 ms for each MB.',
    ),
    pidsMax: count(128, 16, 'Processes and threads that a container may have, unless its function says so itself.'),
  },
  { additionalProperties: false, description: 'Settings of the scheduler.' },
);

export type SchedulerConfig = Static<typeof schedulerConfigSchema>;

/**
 * Fills in defaults and checks.
 *
 * @throws ERR_CONFIG_INVALID with the first bad setting's name and accepted range.
 */
export function schedulerConfig(settings: Partial<SchedulerConfig> = {}): SchedulerConfig {
  const config: SchedulerConfig = { ...Create(schedulerConfigSchema), ...settings };
  const [error] = Errors(schedulerConfigSchema, config);
  if (error) throw fail('ERR_CONFIG_INVALID', [`scheduler${error.instancePath || ''}`, error.message]);
  if (config.poolMax < config.poolMin) {
    throw fail('ERR_CONFIG_INVALID', ['scheduler/poolMax', `must not be below poolMin (${config.poolMin})`]);
  }
  return config;
}
