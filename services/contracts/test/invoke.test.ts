import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { FLAG_END, FrameDecoder, FrameType, type Frame } from '../src/frames.ts';
import { decodeInvoke, encodeInvoke } from '../src/invoke.ts';

const text = fc.string({ unit: 'binary' });

test('decodeInvoke() gives what encodeInvoke() was given, whatever is in it', () => {
  const payload = fc.record({
    id: text,
    method: text,
    url: text,
    headers: fc.array(text),
    deadlineMs: fc.double({ noNaN: true, noDefaultInfinity: true, min: 0 }),
    graceMs: fc.nat(),
  });
  fc.assert(
    fc.property(payload, (given) => {
      const frames: Frame[] = [];
      new FrameDecoder((frame) => frames.push(frame)).push(encodeInvoke(7, given, FLAG_END));
      const [frame] = frames;
      assert.ok(frame !== undefined && frames.length === 1);
      assert.deepEqual([frame.type, frame.stream, frame.flags], [FrameType.INVOKE, 7, FLAG_END]);
      const { id, method, url, headers, deadlineMs, graceMs } = decodeInvoke(frame.payload);
      assert.deepEqual({ id, method, url, headers, deadlineMs, graceMs }, { ...given });
    }),
  );
});
