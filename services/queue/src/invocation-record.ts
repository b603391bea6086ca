import { fail, type InvocationRecord, type InvocationStatus } from '@hob/contracts';
import type { EventJob } from './event-store.ts';
import type { Attempt } from './stored-event.ts';

/**
 * What a job says of its event.
 *
 * @param state as BullMQ names it.
 * @param isMarked somebody has cancelled it, and no worker has seen that yet.
 */
export function recordOf(job: EventJob, state: string, isMarked: boolean): InvocationRecord {
  const { data, opts, attemptsMade } = job;
  const attempt = lastAttempt(job, state);
  const status = statusOf(job, state, isMarked || attempt?.isCancelled === true);
  const { result, error, receipt } = attempt ?? {};
  const isOver = state === 'completed' || state === 'failed';
  const nextAttemptMs = status === 'failed' ? attempt?.nextAttemptMs : undefined;
  return {
    id: job.id ?? '',
    function: data.function,
    ...(data.version === undefined ? {} : { version: data.version }),
    status,
    attempts: attemptsMade + (state === 'active' ? 1 : 0),
    maxAttempts: opts.attempts ?? 1,
    createdAt: new Date(job.timestamp).toISOString(),
    ...(nextAttemptMs === undefined ? {} : { nextAttemptAt: new Date(nextAttemptMs).toISOString() }),
    ...(job.finishedOn === undefined || !isOver ? {} : { endedAt: new Date(job.finishedOn).toISOString() }),
    ...(result === undefined ? {} : { result }),
    ...(error === undefined ? {} : { error }),
    ...(receipt === undefined ? {} : { receipt }),
  };
}

/** Of an event that succeeded it is what the job returned, of others what the last failed attempt left. */
function lastAttempt(job: EventJob, state: string): Attempt | undefined {
  if (state === 'completed') return job.returnvalue;
  const left = typeof job.progress === 'object' ? (job.progress as Attempt) : undefined;
  if (state !== 'failed' || left !== undefined) return left;
  return { error: interrupted(job) };
}

/** Why an event was given up that no attempt has ended. */
export function interrupted({ failedReason }: EventJob): NonNullable<InvocationRecord['error']> {
  const { code, message } = fail('ERR_EVENT_INTERRUPTED', [failedReason]);
  return { code, message };
}

function statusOf(job: EventJob, state: string, isCancelled: boolean): InvocationStatus {
  if (state === 'failed') return 'dead';
  if (state === 'completed') return isCancelled ? 'cancelled' : 'succeeded';
  if (isCancelled) return 'cancelled';
  if (state === 'active') return 'running';
  return job.attemptsMade > 0 ? 'failed' : 'waiting';
}
