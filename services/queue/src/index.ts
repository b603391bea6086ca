export { type QueueConfig, queueConfigSchema } from './config.ts';
export { InvocationQueue, type InvocationQueueOptions } from './invocation-queue.ts';
export { Receipts } from './receipts.ts';
