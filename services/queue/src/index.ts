export { type QueueConfig, queueConfigSchema } from './config.ts';
export { EventStore, type EventStoreOptions } from './event-store.ts';
export { InvocationQueue, type InvocationQueueOptions } from './invocation-queue.ts';
export { Receipts } from './receipts.ts';
