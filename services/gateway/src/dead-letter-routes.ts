import { fail } from '@hob/contracts';
import { Type } from 'typebox';
import type { ControlApiOptions, TypedApp } from './control-api.ts';
import { deadLetterChoice, deadLetterQuery, invocationParams, problemAnswer } from './control-schemas.ts';

/** Adds the routes of the dead letters. */
export function addDeadLetterRoutes(app: TypedApp, { queue }: ControlApiOptions): void {
  const { deadLetters } = queue;
  app.get(
    '/dead-letters',
    {
      schema: {
        operationId: 'listDeadLetters',
        summary: 'Events that were given up, newest first.',
        querystring: deadLetterQuery,
        response: {
          200: Type.Object(
            { total: Type.Integer({ minimum: 0 }), letters: Type.Array(Type.Ref('Invocation')) },
            { description: 'Them, and how many there are of all functions.' },
          ),
          default: problemAnswer,
        },
      },
    },
    async (request, reply) => reply.send(await deadLetters.list(request.query.function, request.query.limit)),
  );
  app.get(
    '/dead-letters/:id',
    {
      schema: {
        operationId: 'readDeadLetter',
        summary: 'One event that was given up, with its request.',
        params: invocationParams,
        response: { 200: { description: 'It.', ...Type.Ref('DeadLetter') }, default: problemAnswer },
      },
    },
    async (request, reply) => {
      const { id } = request.params;
      const letter = await deadLetters.read(id);
      if (letter === undefined) throw fail('ERR_DEAD_LETTER_NOT_FOUND', [id]);
      return reply.send(letter);
    },
  );
  for (const [act, summary] of actions) {
    app.post(
      `/dead-letters/${act}`,
      {
        schema: {
          operationId: `${act}DeadLetters`,
          summary,
          body: deadLetterChoice,
          response: {
            200: Type.Object({ count: Type.Integer({ minimum: 0 }) }, { description: 'How many.' }),
            default: problemAnswer,
          },
        },
      },
      async (request, reply) => {
        const { ids, function: name, all } = request.body;
        const chosen = [ids, name, all].filter((choice) => choice !== undefined);
        if (chosen.length !== 1) throw fail('ERR_API_BAD_REQUEST', ['say one of ids, function and all']);
        return reply.send({ count: await deadLetters[act]({ ids, function: name }) });
      },
    );
  }
}

const actions = [
  ['redrive', 'Has events tried again that were given up, with all their attempts.'],
  ['purge', 'Removes events for good that were given up.'],
] as const;
