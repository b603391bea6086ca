export { isElsewhere } from './moved-keys.ts';
export { otherServers } from './other-servers.ts';
export { RedisTarget } from './redis-target.ts';
export { RequestClient } from './request-client.ts';
export { WorkerClient } from './worker-client.ts';
