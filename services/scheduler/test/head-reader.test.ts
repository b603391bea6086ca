import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Frame, FrameType, type HeadPayload } from '@hob/contracts';
import { HeadReader } from '../src/head-reader.ts';

function frameOf(text: string): Frame {
  return { type: FrameType.HEAD, flags: 0, stream: 1, payload: Buffer.from(text) };
}

const headOf = (headers: readonly string[], status = 200): Frame =>
  frameOf(JSON.stringify({ status, headers } satisfies HeadPayload));

test('read() gives the same head, with its notes, while the bytes are the same, and another one when they are not', () => {
  const reader = new HeadReader();
  const first = reader.read(headOf(['a', '1']));
  first.notes.clean = 'noted';
  assert.equal(reader.read(headOf(['a', '1'])), first);
  for (const other of [headOf(['a', '2']), headOf(['a', '1'], 201), headOf(['a', '1', 'b', '']), headOf([])]) {
    const head = reader.read(other);
    assert.deepEqual({ status: head.status, headers: head.headers }, JSON.parse(Buffer.from(other.payload).toString()));
    assert.deepEqual(head.notes, {});
  }
  assert.notEqual(reader.read(headOf(['a', '1'])), first, 'only the last one is kept');
});

test('read() keeps nothing of memory that is used again', () => {
  const reader = new HeadReader();
  const memory = Buffer.from(headOf(['a', '1']).payload);
  const first = reader.read({ ...headOf([]), payload: memory });
  memory.fill(JSON.stringify({ status: 404, headers: ['a', '1'] }));
  assert.deepEqual(reader.read({ ...headOf([]), payload: memory }).status, 404);
  assert.deepEqual([first.status, first.headers], [200, ['a', '1']]);
});

test('read() keeps no large head, and reads it none the less', () => {
  const reader = new HeadReader();
  const large = headOf(['a', 'x'.repeat(2000)]);
  assert.notEqual(reader.read(large), reader.read(large));
  assert.deepEqual(reader.read(large), reader.read(large));
});

test('read() refuses what is no head, also after one, which stays known', () => {
  const reader = new HeadReader();
  const first = reader.read(headOf(['a', '1']));
  for (const wrong of [frameOf('{'), frameOf('[]'), frameOf('{"status":99,"headers":[]}'), frameOf('')]) {
    assert.throws(() => reader.read(wrong), { name: 'HobError' });
  }
  assert.equal(reader.read(headOf(['a', '1'])), first);
});

test('read() tells the length that a response declares', () => {
  const reader = new HeadReader();
  assert.equal(reader.read(headOf(['a', '1', 'content-length', '17'])).declaredBytes, 17);
  assert.equal(reader.read(headOf(['a', '1'])).declaredBytes, 0);
});
