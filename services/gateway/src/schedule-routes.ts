import { invocationStatuses, scheduleCauses } from '@hob/contracts';
import { Type } from 'typebox';
import type { ControlApiOptions, TypedApp } from './control-api.ts';
import { problemAnswer, scheduleParams } from './control-schemas.ts';

const properties = {
  function: Type.String(),
  name: Type.String(),
  cron: Type.Optional(Type.String()),
  timezone: Type.Optional(Type.String()),
  everyMs: Type.Optional(Type.Integer()),
  at: Type.Optional(Type.String({ description: 'ISO 8601.' })),
  method: Type.String(),
  path: Type.String(),
  nextAt: Type.Optional(Type.String({ description: 'ISO 8601; not there when it has come to its end, or is paused.' })),
  pausedAt: Type.Optional(Type.String({ description: 'Since when it makes no calls, ISO 8601.' })),
};

const schedule = Type.Object(properties);

const run = Type.Object({
  id: Type.String({ description: 'Of the invocation.' }),
  cause: Type.Union(
    scheduleCauses.map((cause) => Type.Literal(cause)),
    { description: 'Its time had come, or an operator asked for it.' },
  ),
  at: Type.String({ description: 'The time that it was made for, or when an operator asked for it: ISO 8601.' }),
  status: Type.Optional(
    Type.Union(
      invocationStatuses.map((status) => Type.Literal(status)),
      { description: 'What has become of it; not there when that is not kept any more.' },
    ),
  ),
  attempts: Type.Optional(Type.Integer({ minimum: 0 })),
  endedAt: Type.Optional(Type.String({ description: 'ISO 8601.' })),
  error: Type.Optional(
    Type.Object({ code: Type.String(), message: Type.String() }, { description: 'Why its last attempt failed.' }),
  ),
});

const detail = Type.Object({
  ...properties,
  nextTimes: Type.Array(Type.String(), { description: 'The next few times, ISO 8601.' }),
  runs: Type.Array(run, { description: 'The last few calls, newest first.' }),
});

/** Adds the routes of the schedules. */
export function addScheduleRoutes(app: TypedApp, options: ControlApiOptions): void {
  const { directory, queue } = options;
  const { schedules } = queue;
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
    async (_request, reply) => reply.send(await schedules.list()),
  );
  app.get(
    '/schedules/:function/:schedule',
    {
      schema: {
        operationId: 'readSchedule',
        summary: 'One schedule, its next times and its last calls.',
        params: scheduleParams,
        response: { 200: { description: 'It.', ...detail }, default: problemAnswer },
      },
    },
    async (request, reply) => {
      const { function: name, schedule: scheduleName } = request.params;
      return reply.header('cache-control', 'no-store').send(await schedules.read(name, scheduleName));
    },
  );
  app.post(
    '/schedules/:function/:schedule/run',
    {
      schema: {
        operationId: 'runSchedule',
        summary: 'Makes the call of a schedule now, asynchronously, whether it is paused or not.',
        params: scheduleParams,
        response: {
          202: Type.Object({ id: Type.String() }, { description: 'The id of the invocation.' }),
          default: problemAnswer,
        },
      },
    },
    async (request, reply) => {
      const { function: name, schedule: scheduleName } = request.params;
      const id = await schedules.run(directory.resolve(name), scheduleName);
      return reply.code(202).send({ id });
    },
  );
  addSwitches(app, options);
}

const switches = [
  ['pause', 'Has the times of a schedule make no calls, until it is resumed.'],
  ['resume', 'Has the times of a schedule make calls again; those that have passed make none.'],
] as const;

/** Adds what pauses a schedule and what resumes it. */
function addSwitches(app: TypedApp, { queue }: ControlApiOptions): void {
  for (const [act, summary] of switches) {
    app.post(
      `/schedules/:function/:schedule/${act}`,
      {
        schema: {
          operationId: `${act}Schedule`,
          summary,
          params: scheduleParams,
          response: { 200: { description: 'As it is now.', ...schedule }, default: problemAnswer },
        },
      },
      async (request, reply) => {
        const { function: name, schedule: scheduleName } = request.params;
        return reply.send(await queue.schedules[act](name, scheduleName));
      },
    );
  }
}
