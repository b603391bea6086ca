import { test } from 'node:test';
import type { FunctionConfig } from '@hob/contracts';
import { QueueFixture } from './support/queue-fixture.ts';
import { until } from './support/until.ts';

const timers = (): number => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;

test('A queue that loses its Redis in the middle of a tick, and closes, leaves no timer that keeps the process alive for long', async () => {
  const before = timers();
  await using fixture = await QueueFixture.open();
  const lost = new Promise<void>((resolve) => {
    // Told in the tick, before it is over.
    fixture.lagsMs.push = () => {
      void fixture.redis.kill().then(resolve);
      return 0;
    };
  });
  const config = { schedule: [{ name: 'tick', everyMs: 1000 }] } as unknown as FunctionConfig;
  const about = { version: 1, digest: '', bundleBytes: 0, hasAssets: false, createdAt: '' };
  await fixture.queue.schedules.apply({ ...about, name: 'work', config });
  await lost;
  await fixture.queue.close();
  await until('what waits for a while has ended too', () => timers() <= before);
});
