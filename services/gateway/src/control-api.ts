import multipart from '@fastify/multipart';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import {
  type AsyncInvocations,
  type BundleStore,
  fail,
  type FunctionDirectory,
  type Invoker,
  type LogStore,
  type SchedulerControl,
  type SecretDirectory,
} from '@hob/contracts';
import type {
  FastifyBaseLogger,
  FastifyInstance,
  RawReplyDefaultExpression,
  RawRequestDefaultExpression,
  RawServerDefault,
} from 'fastify';
import { Type } from 'typebox';
import { addAliasRoutes } from './alias-routes.ts';
import { functionParams, logsQuery, problemAnswer } from './control-schemas.ts';
import { addDeadLetterRoutes } from './dead-letter-routes.ts';
import { uploadLimits } from './deploy-upload.ts';
import type { GatewayLimits } from './gateway-limits.ts';
import { addInvocationRoutes } from './invocation-routes.ts';
import { addLearnRoute } from './learn-route.ts';
import { NDJSON_TYPE, ndjson, streamLogs } from './log-stream.ts';
import { addScheduleRoutes } from './schedule-routes.ts';
import { bearerToken, type TokenVerifier } from './request-headers.ts';
import { addSecretRoutes } from './secret-routes.ts';
import { addVersionRoutes } from './version-routes.ts';

/** What the control API is made of. */
export interface ControlApiOptions {
  readonly invoker: Invoker;
  readonly scheduler: SchedulerControl;
  readonly directory: FunctionDirectory;
  readonly secrets: SecretDirectory;
  readonly bundles: BundleStore;
  readonly logs: LogStore;
  readonly queue: AsyncInvocations;
  readonly tokens: TokenVerifier;
  readonly limits: GatewayLimits;
  /** Aborted when the gateway stops: log streams end then. */
  readonly stopping: AbortSignal;
  readonly requestsInFlight: () => number;
}

/** A fastify instance whose routes are typed by their schemas. */
export type TypedApp = FastifyInstance<
  RawServerDefault,
  RawRequestDefaultExpression,
  RawReplyDefaultExpression,
  FastifyBaseLogger,
  TypeBoxTypeProvider
>;

/** Adds the routes under /v1 to an instance of their own. Every one needs a token. */
export async function controlApi(app: FastifyInstance, options: ControlApiOptions): Promise<void> {
  await app.register(multipart, { limits: uploadLimits, preservePath: true });
  app.addHook('onRequest', async (request) => {
    const token = bearerToken(request.headers.authorization);
    if (token === undefined || !options.tokens.verify(token)) throw fail('ERR_AUTH_REQUIRED', []);
  });
  const typed = app.withTypeProvider<TypeBoxTypeProvider>();
  addFunctionRoutes(typed, options);
  addVersionRoutes(typed, options);
  addAliasRoutes(typed, options);
  addSecretRoutes(typed, options);
  addLogsRoute(typed, options);
  addLearnRoute(typed, options);
  addInvocationRoutes(typed, options);
  addDeadLetterRoutes(typed, options);
  addScheduleRoutes(typed, options);
  addServerRoutes(typed, options);
}

function addFunctionRoutes(app: TypedApp, { directory, queue, scheduler, secrets }: ControlApiOptions): void {
  app.get(
    '/functions',
    {
      schema: {
        operationId: 'listFunctions',
        summary: 'All functions.',
        response: {
          200: { description: 'In the order of their names.', ...Type.Array(Type.Ref('FunctionSummary')) },
          default: problemAnswer,
        },
      },
    },
    (_request, reply) => reply.send(directory.list()),
  );
  app.get(
    '/functions/:name',
    {
      schema: {
        operationId: 'describeFunction',
        summary: 'One function, its versions and their containers.',
        params: functionParams,
        response: {
          200: Type.Object(
            {
              summary: Type.Ref('FunctionSummary'),
              versions: Type.Array(Type.Ref('FunctionVersion')),
              snapshot: Type.Array(Type.Ref('FunctionSnapshot')),
            },
            { description: 'The function.' },
          ),
          default: problemAnswer,
        },
      },
    },
    async (request, reply) => {
      const { name } = request.params;
      const { summary, versions } = directory.describe(name);
      const { functions } = await scheduler.snapshot();
      return reply.send({ summary, versions, snapshot: functions.filter((entry) => entry.function === name) });
    },
  );
  app.delete(
    '/functions/:name',
    {
      schema: {
        operationId: 'removeFunction',
        summary: 'Removes a function with all its versions and secrets; running calls end.',
        params: functionParams,
        response: { 204: { description: 'It is gone.', type: 'null' }, default: problemAnswer },
      },
    },
    async (request, reply) => {
      const { name } = request.params;
      try {
        await directory.remove(name);
        await queue.schedules.remove(name);
        await scheduler.removed(name);
      } finally {
        await secrets.removeAll(name); // also those of a function that never was, or that an earlier try removed
      }
      return reply.code(204).send(null);
    },
  );
}

function addLogsRoute(app: TypedApp, { directory, limits, logs, stopping }: ControlApiOptions): void {
  app.get(
    '/functions/:name/logs',
    {
      schema: {
        operationId: 'readLogs',
        summary: 'The last lines of output, and with `follow` the new ones.',
        params: functionParams,
        querystring: logsQuery(limits.logTailMax),
        response: {
          200: { description: 'One line a line.', content: { [NDJSON_TYPE]: { schema: Type.Ref('LogLine') } } },
          default: problemAnswer,
        },
      },
    },
    async (request, reply) => {
      const { name } = request.params;
      const { follow, ...choice } = request.query;
      directory.describe(name);
      if (!follow) {
        const lines = await logs.read(name, choice);
        return reply.header('cache-control', 'no-store').type(NDJSON_TYPE).send(lines.map(ndjson).join(''));
      }
      reply.hijack();
      try {
        await streamLogs(reply.raw, stopping, (signal) => logs.follow(name, choice, signal));
      } catch (error) {
        request.log.debug({ err: error }, 'a log stream ended early');
        reply.raw.destroy();
      }
      return reply;
    },
  );
}

function addServerRoutes(app: TypedApp, { requestsInFlight, scheduler }: ControlApiOptions): void {
  app.get(
    '/stats',
    {
      schema: {
        operationId: 'readStats',
        summary: 'What the server does now.',
        response: { 200: { description: 'Now.', ...Type.Ref('ServerStats') }, default: problemAnswer },
      },
    },
    async (_request, reply) =>
      reply.send({ ...(await scheduler.snapshot()), gateway: { requestsInFlight: requestsInFlight() } }),
  );
}
