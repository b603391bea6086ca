import { type Static, Type } from 'typebox';

/** Every setting of asynchronous calls: the one source of the defaults, ranges, units and documentation. */
export const queueConfigSchema = Type.Object(
  {
    concurrency: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 1000,
        description:
          'Asynchronous calls that run at the same time while there are no others; by default one for each core.',
      }),
    ),
    bodyBytesMax: Type.Integer({
      minimum: 0,
      maximum: 64 * 1024 * 1024,
      default: 1024 * 1024,
      description: 'The largest body of an asynchronous call, bytes.',
    }),
    resultBytesMax: Type.Integer({
      minimum: 0,
      maximum: 16 * 1024 * 1024,
      default: 64 * 1024,
      description: 'How much of the body of an answer is kept, bytes.',
    }),
    resultKeepMs: Type.Integer({
      minimum: 1000,
      maximum: 2_592_000_000,
      default: 86_400_000,
      description: 'How long the result of an asynchronous call can be asked for, ms.',
    }),
    deadKeepMs: Type.Integer({
      minimum: 1000,
      maximum: 7_776_000_000,
      default: 1_209_600_000,
      description: 'How long a dead letter is kept, ms.',
    }),
    idempotencyKeepMs: Type.Integer({
      minimum: 1000,
      maximum: 2_592_000_000,
      default: 86_400_000,
      description: 'How long the answer of a call with an idempotency key is kept, ms.',
    }),
    redisBytesMax: Type.Integer({
      minimum: 16 * 1024 * 1024,
      maximum: 2 ** 40,
      default: 1024 * 1024 * 1024,
      description: 'While Redis holds more than this in memory, no asynchronous call is accepted, bytes.',
    }),
  },
  { additionalProperties: false, title: 'Asynchronous calls' },
);

export type QueueConfig = Readonly<Static<typeof queueConfigSchema>>;
