import { RedisConnection } from 'bullmq';

/**
 * hob has seen to it that Redis is no older than this, and BullMQ is not to ask. What it is not told it takes to be so old that it knows whole
 * seconds only, and each pause before an attempt would be rounded up to one.
 */
RedisConnection.minimumVersion = '6.2.0';

/** For everything that is made of BullMQ. */
export const bullOptions = { skipVersionCheck: true } as const;
