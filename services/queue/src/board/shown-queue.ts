import { BullMQAdapter } from '@bull-board/api/bullMQAdapter';
import type { Job, Queue } from 'bullmq';
import type { Tick } from '../schedule-plan.ts';
import type { Attempt, StoredEvent } from '../stored-event.ts';

/** How many jobs of each state are read at a time, whatever the size of a page is said to be. */
const JOBS_MAX = 100;

type ShownData = Partial<StoredEvent> & Partial<Tick>;

/**
 * A queue as the board shows it. Retrying, removing and the like are not for the board: that an accepted event is tried or is a dead letter,
 * that a redriven one has its body and its whole age, and that schedules are those of hob.json, is the work of this package.
 *
 * What functions are sent and what they answer is left out: URLs, headers and bodies may have secrets of theirs and of their callers.
 */
export class ShownQueue extends BullMQAdapter {
  constructor(queue: Queue, description: string) {
    super(queue, { readOnlyMode: true, description });
    this.setFormatter('name', ({ name, data }: { name: string; data: ReturnType<typeof shownData> }) =>
      [data.function, data.schedule, name === 'webhook' ? name : undefined].filter(Boolean).join(' '),
    );
  }

  override async getJob(id: string): Promise<Job | undefined> {
    const job = await super.getJob(id);
    return job && shown(job);
  }

  override async getJobs(
    states: Parameters<BullMQAdapter['getJobs']>[0],
    start = 0,
    end = start + JOBS_MAX - 1,
  ): Promise<Job[]> {
    return (await super.getJobs(states, start, Math.min(end, start + JOBS_MAX - 1))).map(shown);
  }

  override async getJobSchedulers(): ReturnType<BullMQAdapter['getJobSchedulers']> {
    const schedulers = await super.getJobSchedulers();
    return schedulers.map(({ template, ...rest }) => ({
      ...rest,
      template: { data: shownData(template?.data ?? {}) },
    }));
  }

  /** Where Redis is and what it runs on is nothing of the queues. */
  override getRedisInfo(): Promise<null> {
    return Promise.resolve(null);
  }

  /** An event has no children. */
  override getFlowProducer(): Promise<null> {
    return Promise.resolve(null);
  }
}

/** The job without what is not to be shown; it is a copy of what is in Redis, and nobody else's. */
function shown(job: Job<ShownData, Attempt | undefined>): Job {
  job.data = shownData(job.data) as ShownData;
  job.returnvalue = shownAttempt(job.returnvalue) as Attempt | undefined;
  job.progress = typeof job.progress === 'object' ? (shownAttempt(job.progress) ?? {}) : 0;
  return job;
}

function shownData({ function: name, version, method, policy, redrivenMs, headers, entry }: ShownData) {
  const schedule = entry?.name ?? headers?.[headers.indexOf('hob-schedule') + 1];
  const isScheduled = entry !== undefined || headers?.includes('hob-schedule') === true;
  return {
    function: name,
    version,
    ...(isScheduled && { schedule }),
    method: method ?? entry?.method,
    policy: policy && { maxAttempts: policy.maxAttempts, maxAgeMs: policy.maxAgeMs },
    redrivenMs,
  };
}

function shownAttempt(attempt: Attempt | undefined | null) {
  if (attempt === undefined || attempt === null) return undefined;
  const { result, error, receipt, isCancelled, nextAttemptMs } = attempt;
  const answer = result && { status: result.status, bodyBytes: result.bodyBytes };
  return { answer, error, receipt, isCancelled, nextAttemptMs };
}
