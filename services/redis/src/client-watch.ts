import type { Redis } from 'ioredis';
import type { Logger } from 'pino';
import { Heartbeat } from './heartbeat.ts';
import type { RedisTarget } from './redis-target.ts';

/** For how long it may be silent, ms: longer than the queue has a connection wait for a job. */
const SILENT_MS_MAX = 12_000;

/** How a client's connection has failed since there last was one. */
export interface Failures {
  readonly last: string | undefined;
}

/**
 * Frees a client's errors of the commands in them: AUTH has a password, and errors come into logs. To be called before anybody else
 * listens to its errors.
 */
export function hideCommands(redis: Redis): void {
  redis.on('error', (error: Error & { command?: unknown }) => {
    delete error.command;
  });
}

/** Logs each failure of a client's connection once: the same error comes again with every attempt. See `hideCommands`, which it does. */
export function tellFailures(redis: Redis, connection: string, log: Logger): Failures {
  hideCommands(redis);
  const failures: { last: string | undefined } = { last: undefined };
  const refusals = new Set<string>();
  redis.on('sentinelError', ({ message }: Error) => refusals.add(message));
  redis.on('error', ({ message }: Error) => {
    const ofSentinels = message.startsWith('All sentinels') ? [...refusals].join('; ') : undefined;
    refusals.clear();
    // The library says so of no Sentinel too, when it has come to the end of its list.
    if (ofSentinels === '') return;
    // What each of them said tells more than that none has named a master.
    const reason = ofSentinels ?? message;
    if (reason !== failures.last) log.warn({ connection, reason }, 'Redis connection failed');
    failures.last = reason;
  });
  redis.on('ready', () => {
    failures.last = undefined;
  });
  return failures;
}

/** After how long a silence of its server a client connects anew, ms: Infinity where no other server may have taken its place. */
export function silentMsMax({ location }: RedisTarget): number {
  return location.kind === 'sentinel' || location.kind === 'cluster' ? SILENT_MS_MAX : Infinity;
}

/** Has a client that nobody asks about the state of its server notice its silence, where that matters. */
export function watchForSilence(redis: Redis, target: RedisTarget): void {
  const msMax = silentMsMax(target);
  if (msMax < Infinity) void new Heartbeat(redis, msMax);
}
