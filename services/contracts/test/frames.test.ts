import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import {
  decodeCredit,
  decodeJson,
  encodeChunks,
  encodeCredit,
  encodeFrame,
  encodeJson,
  FLAG_END,
  FRAME_HEADER_BYTES,
  FRAME_PAYLOAD_BYTES_MAX,
  type Frame,
  FrameDecoder,
  FrameType,
  frameTypeName,
  isHobError,
} from '../src/index.ts';

const types = Object.values(FrameType);
const anyParts = {
  type: fc.constantFrom(...types),
  flags: fc.integer({ min: 0, max: 255 }),
  stream: fc.integer({ min: 0, max: 0xffff_ffff }),
};
const anyFrame = fc.record({ ...anyParts, payload: fc.uint8Array({ maxLength: 300 }) }, { noNullPrototype: true });
const anyCuts = fc.array(fc.integer({ min: 1, max: 64 }), { minLength: 1, maxLength: 40 });

/** Cuts a stream into chunks of the given lengths, again from the first when they are used up. */
function* chunksOf(stream: Buffer, lengths: readonly number[]): Generator<Buffer> {
  let at = 0;
  for (let turn = 0; at < stream.byteLength; turn += 1) {
    const length = lengths[turn % lengths.length] ?? 1;
    // A copy: the decoder must not rely on chunks being parts of one buffer.
    yield Buffer.from(stream.subarray(at, at + length));
    at += length;
  }
}

function decode(stream: Buffer, lengths: readonly number[]): Frame[] {
  const frames: Frame[] = [];
  const decoder = new FrameDecoder((frame) => frames.push(frame));
  for (const chunk of chunksOf(stream, lengths)) decoder.push(chunk);
  assert.equal(decoder.bufferedBytes, 0);
  return frames;
}

/** The code that an action is refused with. */
function codeOf(action: () => unknown): string | undefined {
  try {
    action();
  } catch (error) {
    assert.ok(isHobError(error), `not catalogued: ${String(error)}`);
    return error.code;
  }
  return undefined;
}

test('FrameDecoder gives back every encoded frame, however the stream is cut', () => {
  fc.assert(
    fc.property(fc.array(anyFrame, { maxLength: 12 }), anyCuts, (frames, lengths) => {
      const stream = Buffer.concat(frames.map((one) => encodeFrame(one.type, one.stream, one.payload, one.flags)));
      const decoded = decode(stream, lengths).map((frame) => ({ ...frame, payload: new Uint8Array(frame.payload) }));
      assert.deepEqual(decoded, frames);
    }),
  );
});

test('FrameDecoder never overwrites a payload or a chunk that it was given', () => {
  fc.assert(
    fc.property(fc.array(anyFrame, { minLength: 2, maxLength: 12 }), anyCuts, (frames, lengths) => {
      const stream = Buffer.concat(frames.map((one) => encodeFrame(one.type, one.stream, one.payload, one.flags)));
      const chunks = [...chunksOf(stream, lengths)];
      const copies = chunks.map((chunk) => Buffer.from(chunk));
      const seen: { readonly frame: Frame; readonly copy: Buffer }[] = [];
      const decoder = new FrameDecoder((frame) => seen.push({ frame, copy: Buffer.from(frame.payload) }));
      for (const chunk of chunks) decoder.push(chunk);
      for (const { frame, copy } of seen) assert.deepEqual(Buffer.from(frame.payload), copy);
      assert.deepEqual(chunks, copies);
    }),
  );
});

test('FrameDecoder that lends gives every frame right until its reader returns, when chunks are overwritten', () => {
  const long = fc.uint8Array({ minLength: 1000, maxLength: 3000 });
  const some = fc.oneof(anyFrame, fc.record({ ...anyParts, payload: long }, { noNullPrototype: true }));
  const cuts = fc.array(fc.integer({ min: 1, max: 2000 }), { minLength: 1, maxLength: 40 });
  fc.assert(
    fc.property(fc.array(some, { maxLength: 12 }), cuts, (frames, lengths) => {
      const stream = Buffer.concat(frames.map((one) => encodeFrame(one.type, one.stream, one.payload, one.flags)));
      const seen: Frame[] = [];
      const decoder = new FrameDecoder(
        (frame) => seen.push({ ...frame, payload: new Uint8Array(frame.payload) }),
        true,
      );
      const memory = Buffer.alloc(2000);
      for (const chunk of chunksOf(stream, lengths)) {
        chunk.copy(memory);
        decoder.push(memory.subarray(0, chunk.byteLength));
        memory.fill(0xee);
      }
      assert.deepEqual(seen, frames);
    }),
  );
});

test("FrameDecoders that lend do not take each other's memory", () => {
  // So much that it is kept for the next one.
  const [BYTES, STEP_BYTES] = [40_000, 7000];
  const seen: string[] = [];
  const decoders = [0, 1, 2].map(
    (at) => new FrameDecoder(({ payload }) => seen.push(`${at} ${new Uint8Array(payload).join()}`), true),
  );
  const streams = decoders.map((_, at) => encodeFrame(FrameType.BODY, 1, Buffer.alloc(BYTES, at)));
  for (let round = 0; round < 3; round += 1) {
    for (let at = 0; at < BYTES + FRAME_HEADER_BYTES; at += STEP_BYTES) {
      for (const [index, decoder] of decoders.entries())
        decoder.push(streams[index]?.subarray(at, at + STEP_BYTES) ?? Buffer.of());
    }
  }
  const whole = [0, 1, 2].map((at) => `${at} ${new Uint8Array(BYTES).fill(at).join()}`);
  assert.deepEqual(seen, [...whole, ...whole, ...whole]);
});

test('FrameDecoder decodes the largest payload from large chunks and from small ones', () => {
  const payload = Buffer.alloc(FRAME_PAYLOAD_BYTES_MAX, 'abcdefg');
  const stream = Buffer.concat([encodeFrame(FrameType.BODY, 7, payload), encodeFrame(FrameType.DONE, 7)]);
  for (const length of [65_536, 1000, stream.byteLength]) {
    const [body, done, ...others] = decode(stream, [length]);
    assert.equal(Buffer.compare(Buffer.from(body?.payload ?? []), payload), 0);
    assert.equal(done?.type, FrameType.DONE);
    assert.equal(others.length, 0);
  }
});

for (const lends of [false, true])
  test(`FrameDecoder holds less than one frame and memory in proportion, even when every chunk is one byte, lending ${lends}`, () => {
    const header = encodeFrame(FrameType.BODY, 1, Buffer.alloc(FRAME_PAYLOAD_BYTES_MAX)).subarray(
      0,
      FRAME_HEADER_BYTES,
    );
    const decoder = new FrameDecoder(() => assert.fail('no frame is complete'), lends);
    decoder.push(header);
    const byte = Buffer.from([1]);
    const before = process.memoryUsage();
    for (let sent = 0; sent < FRAME_PAYLOAD_BYTES_MAX - 1; sent += 1) decoder.push(byte);
    const after = process.memoryUsage();
    assert.equal(decoder.bufferedBytes, FRAME_HEADER_BYTES + FRAME_PAYLOAD_BYTES_MAX - 1);
    // A list of a million pieces would take over 100 MB; the rest is room for what the collector has not collected yet.
    const grownBytes = after.heapUsed - before.heapUsed + (after.arrayBuffers - before.arrayBuffers);
    assert.ok(grownBytes < 64 * 1024 * 1024, `grew by ${grownBytes} bytes`);
  });

test('encodeChunks cuts at the largest payload, sets FLAG_END on the last frame only, and joins to the same bytes', () => {
  const lengths = [0, 1, FRAME_PAYLOAD_BYTES_MAX - 1, FRAME_PAYLOAD_BYTES_MAX, FRAME_PAYLOAD_BYTES_MAX + 1];
  for (const length of [...lengths, 3 * FRAME_PAYLOAD_BYTES_MAX]) {
    const bytes = Buffer.alloc(length, 'xyz');
    const frames = decode(Buffer.concat(encodeChunks(FrameType.CODE, 3, bytes)), [100_000]);
    assert.equal(frames.length, Math.max(1, Math.ceil(length / FRAME_PAYLOAD_BYTES_MAX)));
    assert.deepEqual(
      frames.map((frame) => frame.flags),
      frames.map((_, index) => (index === frames.length - 1 ? FLAG_END : 0)),
    );
    assert.ok(frames.every((frame) => frame.type === FrameType.CODE && frame.stream === 3));
    assert.equal(Buffer.compare(Buffer.concat(frames.map((frame) => frame.payload)), bytes), 0);
  }
});

test('encodeFrame refuses a payload over the limit, given as bytes or as text', () => {
  const over = FRAME_PAYLOAD_BYTES_MAX + 1;
  assert.equal(
    codeOf(() => encodeFrame(FrameType.BODY, 1, Buffer.alloc(over))),
    'ERR_FRAME_TOO_LARGE',
  );
  assert.equal(
    codeOf(() => encodeFrame(FrameType.LOG, 1, 'é'.repeat(over / 2 + 1))),
    'ERR_FRAME_TOO_LARGE',
  );
});

test('encodeJson and decodeJson carry any JSON object', () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string({ unit: 'binary' }), fc.jsonValue()), (payload) => {
      const [frame] = decode(encodeJson(FrameType.INVOKE, 1, payload, FLAG_END), [5]);
      assert.ok(frame);
      assert.deepEqual(decodeJson(frame), JSON.parse(JSON.stringify(payload)));
    }),
  );
});

test('decodeJson refuses what is not UTF-8, not JSON or no object, with one code', () => {
  for (const payload of [Buffer.from([0xff]), '', '{', 'null', '[]', '"text"', '1', '[['.repeat(100_000)]) {
    const [frame] = decode(encodeFrame(FrameType.HEAD, 1, payload), [4096]);
    assert.ok(frame);
    assert.equal(
      codeOf(() => decodeJson(frame)),
      'ERR_FRAME_BAD_PAYLOAD',
    );
  }
});

test('encodeCredit and decodeCredit carry every u32, and another length is refused', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 0xffff_ffff }), (bytes) => {
      const [frame] = decode(encodeCredit(9, bytes), [3]);
      assert.ok(frame);
      assert.equal(decodeCredit(frame), bytes);
    }),
  );
  for (const length of [0, 3, 5, 8]) {
    const [frame] = decode(encodeFrame(FrameType.CREDIT, 1, Buffer.alloc(length)), [64]);
    assert.ok(frame);
    assert.equal(
      codeOf(() => decodeCredit(frame)),
      'ERR_FRAME_BAD_PAYLOAD',
    );
  }
});

test('FrameDecoder refuses a length over the limit and an unknown type as soon as the header is there', () => {
  const long = Buffer.alloc(FRAME_HEADER_BYTES);
  long.writeUInt32LE(FRAME_PAYLOAD_BYTES_MAX + 1, 0);
  long[4] = FrameType.BODY;
  assert.equal(
    codeOf(() => new FrameDecoder(() => {}).push(long)),
    'ERR_FRAME_TOO_LARGE',
  );
  for (const type of [0, Math.max(...types) + 1, 255]) {
    const unknown = Buffer.alloc(FRAME_HEADER_BYTES);
    unknown[4] = type;
    assert.equal(
      codeOf(() => new FrameDecoder(() => {}).push(unknown)),
      'ERR_FRAME_UNKNOWN_TYPE',
    );
    assert.equal(frameTypeName(type), `type ${type}`);
  }
});

test('FrameDecoder reports the frames before a broken one, then throws the same error for good', () => {
  const frames: Frame[] = [];
  const decoder = new FrameDecoder((frame) => frames.push(frame));
  const good = encodeFrame(FrameType.DONE, 1);
  const bad = Buffer.alloc(FRAME_HEADER_BYTES, 0xee);
  let first: unknown;
  assert.throws(
    () => decoder.push(Buffer.concat([good, bad, good])),
    (error) => {
      first = error;
      return true;
    },
  );
  assert.equal(frames.length, 1);
  assert.equal(decoder.bufferedBytes, 0);
  assert.throws(
    () => decoder.push(good),
    (error) => error === first,
  );
  assert.equal(frames.length, 1);
});

test('FrameDecoder passes on what its reader throws and refuses everything afterwards', () => {
  const thrown = new Error('reader');
  const decoder = new FrameDecoder(() => {
    throw thrown;
  });
  const same = (error: unknown): boolean => error === thrown;
  assert.throws(() => decoder.push(encodeFrame(FrameType.DONE, 1)), same);
  assert.throws(() => decoder.push(Buffer.alloc(0)), same);
});

/** Feeds bytes that nobody vouches for. @returns the code that they end with, if any. */
function feed(stream: Buffer, lengths: readonly number[]): string | undefined {
  const decoder = new FrameDecoder((frame) => {
    assert.ok(frame.payload.byteLength <= FRAME_PAYLOAD_BYTES_MAX);
    assert.ok(types.includes(frame.type));
    if (frame.type === FrameType.CREDIT) decodeCredit(frame);
    else if (frame.type !== FrameType.BODY) decodeJson(frame);
  });
  return codeOf(() => {
    for (const chunk of chunksOf(stream, lengths)) {
      decoder.push(chunk);
      assert.ok(decoder.bufferedBytes < FRAME_HEADER_BYTES + FRAME_PAYLOAD_BYTES_MAX);
      assert.ok(decoder.bufferedBytes <= stream.byteLength);
    }
  });
}

test('FrameDecoder lets nothing but ERR_FRAME_* come out of arbitrary bytes', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 2000 }), anyCuts, (bytes, lengths) => {
      const code = feed(Buffer.from(bytes), lengths);
      assert.ok(code === undefined || code.startsWith('ERR_FRAME_'), code);
    }),
    { numRuns: 500 },
  );
});

test('FrameDecoder lets nothing but ERR_FRAME_* come out of valid streams that were damaged', () => {
  const damage = fc.record({ at: fc.nat(), byte: fc.integer({ min: 0, max: 255 }), cut: fc.nat({ max: 3 }) });
  const streams = fc.array(fc.oneof(anyFrame, fc.record({ json: fc.dictionary(fc.string(), fc.jsonValue()) })), {
    minLength: 1,
    maxLength: 8,
  });
  fc.assert(
    fc.property(streams, fc.array(damage, { minLength: 1, maxLength: 6 }), anyCuts, (parts, damages, lengths) => {
      let stream = Buffer.concat(
        parts.map((part) =>
          'json' in part
            ? encodeJson(FrameType.INVOKE, 1, part.json)
            : encodeFrame(part.type, part.stream, part.payload, part.flags),
        ),
      );
      for (const { at, byte, cut } of damages) {
        if (stream.byteLength === 0) break;
        const place = at % stream.byteLength;
        stream[place] = byte;
        stream = Buffer.concat([stream.subarray(0, place), stream.subarray(place + cut)]);
      }
      const code = feed(stream, lengths);
      assert.ok(code === undefined || code.startsWith('ERR_FRAME_'), code);
    }),
    { numRuns: 500 },
  );
});
