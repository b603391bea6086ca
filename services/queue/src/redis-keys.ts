/** What BullMQ's keys begin with. */
export const BULL_PREFIX = 'hob:bull';
/** The queue of events. */
export const EVENTS_QUEUE = 'events';
/** The queue of the schedules' ticks. */
export const SCHEDULES_QUEUE = 'schedules';
/** Channel: ids of running events that are to be ended. */
export const CANCEL_CHANNEL = 'hob:event-cancelled';

/** The body of an event that is too large for its job. */
export function bodyKey(id: string): string {
  return `hob:event-body:${id}`;
}

/** There while an event is cancelled that has not been taken from the queue yet. */
export function cancelKey(id: string): string {
  return `hob:event-cancelled:${id}`;
}
