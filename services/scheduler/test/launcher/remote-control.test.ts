import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RemoteControl } from '../../src/launcher/remote-control.ts';
import { limitsOf } from '../driver/real-driver.ts';

test('RemoteControl asks for limits that the container does not have already, and for nothing else', async () => {
  const asked: unknown[] = [];
  const control = new RemoteControl({ id: 'c-1-1', pid: 2, limits: limitsOf() }, async (request) => {
    asked.push(request);
    return { op: 'done', serial: 1 };
  });
  const io = { readBytesPerSecond: 1_048_576 };
  for (const limits of [limitsOf(), limitsOf({ pids: 7 }), limitsOf({ pids: 7 }), limitsOf({ io }), limitsOf({ io })])
    await control.setLimits(limits);
  const { io: _, ...usual } = limitsOf();
  assert.deepEqual(asked, [
    { op: 'limits', container: 'c-1-1', ...usual, pids: 7 },
    { op: 'limits', container: 'c-1-1', ...usual, io },
  ]);
});
