import { Type } from 'typebox';
import type { ControlApiOptions, TypedApp } from './control-api.ts';
import { problemAnswer } from './control-schemas.ts';

const schedule = Type.Object({
  function: Type.String(),
  name: Type.String(),
  cron: Type.Optional(Type.String()),
  timezone: Type.Optional(Type.String()),
  everyMs: Type.Optional(Type.Integer()),
  at: Type.Optional(Type.String({ description: 'ISO 8601.' })),
  method: Type.String(),
  path: Type.String(),
  nextAt: Type.Optional(Type.String({ description: 'ISO 8601; not there when it has come to its end.' })),
});

/** Adds the route of the schedules. */
export function addScheduleRoutes(app: TypedApp, { queue }: ControlApiOptions): void {
  app.get(
    '/schedules',
    {
      schema: {
        operationId: 'listSchedules',
        summary: 'When functions are called by themselves.',
        response: {
          200: { description: 'By function and name.', ...Type.Array(schedule) },
          default: problemAnswer,
        },
      },
    },
    async (_request, reply) => reply.send(await queue.schedules.list()),
  );
}
