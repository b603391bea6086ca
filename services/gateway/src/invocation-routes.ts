import { type AsyncInvocations, fail, type Invoker } from '@hob/contracts';
import { Type } from 'typebox';
import type { ControlApiOptions, TypedApp } from './control-api.ts';
import { invocationParams, problemAnswer } from './control-schemas.ts';

/** Adds the routes that speak of one invocation. */
export function addInvocationRoutes(app: TypedApp, { invoker, queue }: ControlApiOptions): void {
  app.get(
    '/invocations/:id',
    {
      schema: {
        operationId: 'readInvocation',
        summary: 'What has become of an asynchronous invocation.',
        params: invocationParams,
        response: { 200: { description: 'It.', ...Type.Ref('Invocation') }, default: problemAnswer },
      },
    },
    async (request, reply) => {
      const { id } = request.params;
      const record = await queue.read(id);
      if (record === undefined) throw fail('ERR_INVOCATION_NOT_FOUND', [id]);
      return reply.header('cache-control', 'no-store').send(record);
    },
  );
  app.delete(
    '/invocations/:id',
    {
      schema: {
        operationId: 'cancelInvocation',
        summary: 'Cancels a running invocation, or an asynchronous one that waits.',
        params: invocationParams,
        response: {
          202: Type.Object({ id: Type.String() }, { description: 'It is being ended.' }),
          default: problemAnswer,
        },
      },
    },
    async (request, reply) => {
      const { id } = request.params;
      if (!(await cancel(id, invoker, queue))) throw fail('ERR_INVOCATION_NOT_FOUND', [id]);
      return reply.code(202).send({ id });
    },
  );
}

/** The queue comes first: an event that only its attempt is ended of would be tried again. */
async function cancel(id: string, invoker: Invoker, queue: AsyncInvocations): Promise<boolean> {
  try {
    if (await queue.cancel(id)) return true;
  } catch (error) {
    // Running calls are cancelled while Redis is away, too.
    if (invoker.cancel(id)) return true;
    throw error;
  }
  return invoker.cancel(id);
}
