import { randomUUID } from 'node:crypto';
import { fail, type FunctionVersion, type LessonCall, smallestRules } from '@hob/contracts';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { type Static, Type } from 'typebox';
import type { ControlApiOptions, TypedApp } from './control-api.ts';
import { functionParams, problemAnswer } from './control-schemas.ts';
import { FUNCTION_PREFIX, parseInvocationTarget } from './invocation-target.ts';
import { RequestHeaders } from './request-headers.ts';

const CALLS_MAX = 100;
/** All calls together, bytes. */
const BODY_BYTES_MAX = 16 * 1024 * 1024;

/** An object without other keys. Fastify takes away what `additionalProperties` refuses; a misspelt key is to be told. */
function closed<P extends Parameters<typeof Type.Object>[0]>(properties: P, description: string) {
  return Type.Object(properties, { description, propertyNames: { enum: Object.keys(properties) } });
}

const learnCall = closed(
  {
    method: Type.Optional(
      Type.String({
        pattern: '^(?!(?:CONNECT|TRACE|TRACK)$)[A-Z]{1,20}$',
        description: 'GET, or POST with a body, when there is none.',
      }),
    ),
    path: Type.Optional(Type.String({ pattern: '^[/?][!-~]*$', maxLength: 8192, description: 'With its query.' })),
    headers: Type.Optional(
      Type.Record(Type.String(), Type.String({ maxLength: 8192 }), {
        propertyNames: { pattern: "^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}$" },
      }),
    ),
    body: Type.Optional(Type.String()),
    bodyEncoding: Type.Optional(Type.Union([Type.Literal('utf8'), Type.Literal('base64')])),
  },
  'One call.',
);

const learnBody = closed(
  {
    version: Type.Optional(Type.Integer({ minimum: 1, description: 'The live one when there is none.' })),
    calls: Type.Array(learnCall, { minItems: 1, maxItems: CALLS_MAX, description: 'Made one after the other.' }),
  },
  'Calls to learn from.',
);

const learnAnswer = Type.Object(
  {
    function: Type.String(),
    version: Type.Integer({ minimum: 1 }),
    seccomp: Type.Object(
      { allow: Type.Array(Type.String()) },
      { description: 'What hob.json takes: the smallest rules under which these calls can be made.' },
    ),
    calls: Type.Array(
      Type.Object({
        status: Type.Optional(Type.Integer({ minimum: 200, maximum: 599, description: 'Of its response.' })),
        outcome: Type.String({ description: '"ok", or the code of what it failed with.' }),
      }),
      { description: 'How each call ended.' },
    ),
  },
  { description: 'What was learnt.' },
);

/** Adds the route that runs calls of a function to learn which system calls it makes. */
export function addLearnRoute(app: TypedApp, options: ControlApiOptions): void {
  const { directory, scheduler, tokens, limits, stopping } = options;
  const headers = new RequestHeaders(tokens, limits.trustForwarded);
  app.post(
    '/functions/:name/seccomp/learn',
    {
      bodyLimit: BODY_BYTES_MAX,
      schema: {
        operationId: 'learnSystemCalls',
        summary: 'Runs calls in a container that remembers its system calls, and gives the smallest rules for them.',
        params: functionParams,
        body: learnBody,
        response: { 200: learnAnswer, default: problemAnswer },
      },
    },
    async (request, reply) => {
      const version = directory.resolve(request.params.name, request.body.version);
      const calls = request.body.calls.map((call) => lessonCall(call, version, { request, headers }));
      const lesson = await scheduler.learn(version, calls, endOf(reply, stopping));
      return reply.send({
        function: version.name,
        version: version.version,
        seccomp: smallestRules(lesson.systemCalls),
        calls: lesson.calls.map(({ status, outcome }) => ({ ...(status && { status }), outcome })),
      });
    },
  );
}

/** Makes of one call what the function would get of it over /fn. */
function lessonCall(
  call: Static<typeof learnCall>,
  version: FunctionVersion,
  { request, headers }: { readonly request: FastifyRequest; readonly headers: RequestHeaders },
): LessonCall {
  const body = call.body === undefined ? undefined : Buffer.from(call.body, call.bodyEncoding ?? 'utf8');
  const method = call.method ?? (body === undefined ? 'GET' : 'POST');
  const target = parseInvocationTarget(`${FUNCTION_PREFIX}${version.name}${call.path ?? ''}`);
  const rawHeaders = [
    ...['host', request.host],
    ...(body === undefined ? [] : ['content-length', String(body.byteLength)]),
    ...Object.entries(call.headers ?? {}).flat(),
  ];
  const forwarded = target && headers.read({ method, rawHeaders, peer: request.socket.remoteAddress }, target);
  if (forwarded?.url === undefined) throw fail('ERR_API_BAD_REQUEST', ['a call has no URL that a function can get']);
  const { url, hasBody } = forwarded;
  const id = randomUUID();
  return {
    request: { id, version, method, url, headers: forwarded.headers, hasBody },
    body: hasBody ? body : undefined,
  };
}

/** Aborted when nobody waits for the answer any more, or the gateway stops. */
function endOf(reply: FastifyReply, stopping: AbortSignal): AbortSignal {
  const gone = new AbortController();
  reply.raw.once('close', () => gone.abort(fail('ERR_CANCELLED', ['its client, which disconnected'])));
  const stop = new AbortController();
  const abort = (): void => stop.abort(fail('ERR_SCHED_CLOSED', []));
  if (stopping.aborted) abort();
  else stopping.addEventListener('abort', abort, { once: true, signal: gone.signal });
  return AbortSignal.any([gone.signal, stop.signal]);
}
