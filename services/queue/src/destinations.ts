import { asyncPolicy, type FunctionDirectory, type InvocationRecord, uuidOf } from '@hob/contracts';
import { enqueue, type EventTarget } from './enqueue.ts';
import type { EventJob } from './event-store.ts';
import { recordOf } from './invocation-record.ts';
import type { Attempt, EventPolicy, NewEvent } from './stored-event.ts';

export interface DestinationsOptions {
  /** Its clients wait for Redis. */
  readonly target: EventTarget;
  readonly directory: Pick<FunctionDirectory, 'resolve'>;
}

/** How messages to URLs are tried: for a day, at most an hour apart. */
const webhookPolicy: EventPolicy = {
  ...asyncPolicy({}),
  maxAttempts: 20,
  maxAgeMs: 86_400_000,
  backoffMaxMs: 3_600_000,
};

/** Tells of the ends of events, by events of their own: they are tried again, and end here. */
export class Destinations {
  readonly #options: DestinationsOptions;

  constructor(options: DestinationsOptions) {
    this.#options = options;
  }

  /**
   * Queues what `onSuccess` or `onFailure` of an event asks for; to be called before the end of the event is told to Redis. Called
   * twice for one end, it queues one.
   */
  async tell(job: EventJob, status: 'succeeded' | 'dead', attempt: Attempt): Promise<void> {
    const { onSuccess, onFailure } = job.data.policy;
    const destination = status === 'succeeded' ? onSuccess : onFailure;
    if (destination === undefined) return;
    await enqueue(this.#options.target, this.#event(job, destination, endRecord(job, status, attempt)));
  }

  #event(job: EventJob, destination: string, record: InvocationRecord): NewEvent {
    const id = uuidOf(`${job.id} ${job.data.redrivenMs ?? 0} ${record.status}`);
    const body = Buffer.from(JSON.stringify(record));
    const headers = ['content-type', 'application/json', 'content-length', String(body.byteLength)];
    const about = { id, version: undefined, method: 'POST', headers, body };
    if (destination.includes(':')) {
      return { ...about, function: job.data.function, policy: webhookPolicy, url: destination, webhook: destination };
    }
    const url = `http://${destination}/`;
    return { ...about, function: destination, policy: this.#policyOf(destination), url };
  }

  /** Its own destinations are left out, or two functions could call each other for ever. */
  #policyOf(name: string): EventPolicy {
    const { resolve } = this.#options.directory;
    try {
      const {
        onSuccess: _success,
        onFailure: _failure,
        ...policy
      } = asyncPolicy(resolve.call(this.#options.directory, name).config);
      return policy;
    } catch {
      // The function is not there now; it may be when the event is tried.
      return asyncPolicy({});
    }
  }
}

/** The record as it will be. */
function endRecord(job: EventJob, status: 'succeeded' | 'dead', attempt: Attempt): InvocationRecord {
  const { result, error, receipt } = attempt;
  const { nextAttemptAt: _, ...record } = recordOf(job, 'active', false);
  return {
    ...record,
    status,
    endedAt: new Date().toISOString(),
    ...(result && { result }),
    ...(error && { error }),
    ...(receipt && { receipt }),
  };
}
