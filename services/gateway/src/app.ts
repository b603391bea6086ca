import swagger from '@fastify/swagger';
import { asHobError, BOARD_PATH, catalogue, fail, functionConfigJsonSchema, type HobError } from '@hob/contracts';
import {
  fastify,
  type FastifyBaseLogger,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  LogController,
} from 'fastify';
import { boardRoutes } from './board-routes.ts';
import { controlApi, type ControlApiOptions } from './control-api.ts';
import { namedSchemas } from './control-schemas.ts';
import type { GatewayOptions } from './gateway.ts';
import type { HttpFront } from './http-front.ts';
import { problemHeaders, problemOf } from './problem.ts';

/** What the fastify side needs. */
export interface AppOptions
  extends ControlApiOptions, Pick<GatewayOptions, 'logger' | 'metrics' | 'ready' | 'version'> {
  readonly front: HttpFront;
}

const SCHEMA_PATH = '/schema/hob.json';

/** Makes everything but the functions' route, and gives it the front's remaining requests. */
export async function createApp(options: AppOptions): Promise<FastifyInstance> {
  const { front, version } = options;
  const logger: FastifyBaseLogger = options.logger;
  const app = fastify({
    loggerInstance: logger,
    logController: new LogController({ disableRequestLogging: true }),
    serverFactory: (handler) => {
      front.serveOthers(handler);
      return front.server;
    },
    // The front has answered already.
    clientErrorHandler: () => undefined,
    frameworkErrors: (error, request, reply) => {
      sendError(error, request, reply);
    },
  });
  // The schemas of answers are documentation: nothing may be lost because one of them lags behind.
  app.setSerializerCompiler(() => (value) => JSON.stringify(value));
  app.setErrorHandler((error, request, reply) => sendError(error, request, reply));
  app.setNotFoundHandler((request, reply) => {
    const path = request.url.slice(0, 200);
    return sendError(fail('ERR_API_NOT_FOUND', [request.method, path]), request, reply);
  });
  for (const schema of namedSchemas) app.addSchema(schema);
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: { title: 'hob control API', version, license: { name: 'MIT', identifier: 'MIT' } },
      components: { securitySchemes: { token: { type: 'http', scheme: 'bearer' } } },
      security: [{ token: [] }],
    },
    refResolver: {
      buildLocalReference: (json, _base, _fragment, index) =>
        typeof json['$id'] === 'string' ? json['$id'] : `Schema${index}`,
    },
  });
  await app.register((scope) => controlApi(scope, options), { prefix: '/v1' });
  await app.register((scope) => boardRoutes(scope, options), { prefix: BOARD_PATH });
  addOpenRoutes(app);
  addProbes(app, options);
  await app.ready();
  return app;
}

/** Documents for everybody. They are made once: neither changes while hob runs. */
function addOpenRoutes(app: FastifyInstance): void {
  let openapi: string | undefined;
  const schema = JSON.stringify(functionConfigJsonSchema);
  app.get('/v1/openapi.json', { schema: { hide: true } }, (_request, reply) => {
    openapi ??= JSON.stringify(app.swagger());
    return reply.type('application/json').send(openapi);
  });
  app.get(SCHEMA_PATH, { schema: { hide: true } }, (_request, reply) =>
    reply.type('application/schema+json').send(schema),
  );
}

/** For supervisors and Prometheus. */
function addProbes(app: FastifyInstance, { metrics, ready, stopping }: AppOptions): void {
  app.get('/healthz', { schema: { hide: true } }, (_request, reply) => reply.send({ status: 'alive' }));
  app.get('/readyz', { schema: { hide: true } }, (_request, reply) => {
    const reason = stopping.aborted ? 'hob is shutting down' : ready();
    reply.header('cache-control', 'no-store');
    return reason === undefined
      ? reply.send({ status: 'ready' })
      : reply.code(503).header('retry-after', '1').send({ status: 'not-ready', reason });
  });
  app.get('/metrics', { schema: { hide: true } }, async (_request, reply) =>
    reply.type(metrics.contentType).send(await metrics.render()),
  );
}

/** What fastify itself refuses is the caller's mistake and becomes a catalogued error; all else goes as it is. */
function toHobError(error: unknown): HobError {
  if (!(error instanceof Error) || !('code' in error) || typeof error.code !== 'string') return asHobError(error);
  if (error.code in catalogue) return asHobError(error);
  const status = 'statusCode' in error ? error.statusCode : undefined;
  if (typeof status === 'number' && status >= 400 && status < 500) {
    return fail('ERR_API_BAD_REQUEST', [error.message], { cause: error });
  }
  return asHobError(error);
}

function sendError(thrown: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const error = toHobError(thrown);
  if (error.spec.kind === 'platform') request.log.error({ err: error }, 'a request failed in hob');
  const problem = problemOf(error);
  const headers = problemHeaders(problem);
  for (let at = 0; at + 1 < headers.length; at += 2) {
    const name = headers[at] as string;
    // The route itself has said how it wants to be asked.
    if (name === 'www-authenticate' && reply.hasHeader(name)) continue;
    reply.header(name, headers[at + 1]);
  }
  if (!request.raw.complete) {
    // Nobody reads the rest of an upload that was refused; the connection must not wait for that.
    request.raw.unpipe();
    request.raw.resume();
  }
  return reply.code(problem.status).send(JSON.stringify(problem));
}
