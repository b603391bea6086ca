import { createBullBoard } from '@bull-board/api';
import { FastifyAdapter } from '@bull-board/fastify';
import { BOARD_PATH } from '@hob/contracts';
import { Queue } from 'bullmq';
import { fastify, type FastifyInstance } from 'fastify';
import type { Redis } from 'ioredis';
import { bullOptions } from '../bull-options.ts';
import { EVENTS_QUEUE, SCHEDULES_QUEUE } from '../redis-keys.ts';
import { ShownQueue } from './shown-queue.ts';

/**
 * Makes bull-board of the two queues, in a server that does not listen and is asked in this process. It is large: import it when it is needed.
 *
 * @param redis is borrowed. Closing the server leaves it as it is.
 * @param prefix what BullMQ's keys begin with.
 */
export async function openBoardApp(redis: Redis, prefix: string): Promise<FastifyInstance> {
  const options = { connection: redis, prefix, skipWaitingForReady: true, ...bullOptions };
  const queues = [
    [
      EVENTS_QUEUE,
      'Asynchronous calls; what has failed is the dead letters. "hob invocation" and "hob dlq" show and do more.',
    ],
    [
      SCHEDULES_QUEUE,
      'The next time of each schedule, of paused ones too, which make no calls then. "hob schedule" shows and does more.',
    ],
  ].map(([name = '', description = '']) => {
    const queue = new Queue(name, options);
    // A command that fails is told to who asked for it.
    queue.on('error', () => undefined);
    return { queue, adapter: new ShownQueue(queue, description) };
  });
  const serverAdapter = new FastifyAdapter().setBasePath(BOARD_PATH);
  createBullBoard({
    queues: queues.map(({ adapter }) => adapter),
    serverAdapter,
    options: {
      uiConfig: { boardTitle: 'hob', hideDocsLink: true, hideRedisDetails: true },
      handlerHooks: { before: ({ method }) => ({ allow: method === 'get' }) },
    },
  });
  const app = fastify();
  await app.register(serverAdapter.registerPlugin(), { prefix: BOARD_PATH });
  app.addHook('onClose', async () => void (await Promise.allSettled(queues.map(({ queue }) => queue.close()))));
  await app.ready();
  return app;
}
