/**
 * A queue whose function writes the id of each call to a file, run as a process that a test may kill:
 * `queue-process.ts <redis socket> <file>`. A tenth of the calls fail after that; those whose body is `never` do all, before it.
 */
import { appendFileSync } from 'node:fs';
import type { FunctionConfig, InvocationHandle, InvocationRequest, InvocationSink } from '@hob/contracts';
import { InvocationQueue, Receipts } from '@hob/queue';
import { RedisTarget } from '@hob/redis';
import { pino } from 'pino';
import { queueConfig } from './queue-config.ts';

const [redis = '', file = ''] = process.argv.slice(2);
const receipts = new Receipts();
const spent = { start: 'warm', queueMs: 0, createMs: 0, thawMs: 0, loadMs: 0, runMs: 1, cpuMs: 1 } as const;
const account = { ...spent, memoryPeakBytes: 1, containerAgeMs: 1, bytesIn: 0, bytesOut: 0 };

function invoke(request: InvocationRequest, sink: InvocationSink): InvocationHandle {
  let body = '';
  const work = (): void => {
    if (body !== 'never') appendFileSync(file, `${request.id}\n`);
    const status = body === 'never' || Math.random() < 0.1 ? 500 : 200;
    sink.head({ ...account, status, headers: [], bodyless: true });
    sink.end();
    const { name, version } = request.version;
    receipts.invocationEnded({ invocationId: request.id, function: name, version, ...account, outcome: 'ok' });
  };
  return {
    write: (chunk) => (body += Buffer.from(chunk).toString()) !== '',
    end: () => void setTimeout(work, Math.random() * 50),
    cancel: () => undefined,
    resume: () => undefined,
  };
}

const version = {
  version: 1,
  digest: '',
  config: {} as FunctionConfig,
  bundleBytes: 0,
  hasAssets: false,
  createdAt: '',
};
const ignore = (): void => undefined;
const queue = new InvocationQueue({
  redis: RedisTarget.parse(redis),
  invoker: { invoke, cancel: () => false },
  directory: { resolve: (name) => ({ name, ...version }) },
  receipts,
  observer: { attempted: ignore, scheduled: ignore, keyHit: ignore, redisAnswered: ignore },
  load: () => ({ running: 0, started: 0 }),
  log: pino({ level: 'silent' }),
  config: queueConfig,
  drainMs: 0,
  webhookSecret: undefined,
});
process.on('SIGTERM', () => void queue.close().then(() => process.exit()));
