import {
  ALIAS_VERSIONS_MAX,
  ALIAS_WEIGHT_MAX,
  aliasForm,
  type DeadLetter,
  type FunctionAlias,
  type FunctionSnapshot,
  type FunctionSummary,
  type FunctionVersion,
  functionConfigJsonSchema,
  type InvocationRecord,
  invocationStatuses,
  logChannels,
  type LogLine,
  type SchedulerSnapshot,
  stickyForm,
} from '@hob/contracts';
import { Type } from 'typebox';
import { PROBLEM_TYPE } from './problem.ts';

const count = (description: string) => Type.Integer({ minimum: 0, description });
const object = <P extends Parameters<typeof Type.Object>[0]>(properties: P, description: string) =>
  Type.Object(properties, { description });

const nameParameter = Type.String({ maxLength: 63, description: 'Name of the function.' });

/** What every route may answer with. */
export const problemAnswer = {
  description: 'An error.',
  content: { [PROBLEM_TYPE]: { schema: Type.Ref('Problem') } },
};

/** Parameters of every route that speaks of one function. */
export const functionParams = Type.Object({ name: nameParameter });

/** Parameters of every route that speaks of one version. */
export const versionParams = Type.Object({ name: nameParameter, version: Type.Integer({ minimum: 1 }) });

/** Parameters of every route that speaks of one alias. */
export const aliasParams = Type.Object({
  name: nameParameter,
  alias: Type.String({ maxLength: 63, description: 'Name of the alias.' }),
});

/** Parameters of every route that speaks of one secret. */
export const secretParams = Type.Object({
  name: nameParameter,
  secret: Type.String({ maxLength: 128, description: 'Name of the secret: that of its environment variable.' }),
});

/** Parameters of the routes that speak of one invocation. */
export const invocationParams = Type.Object({
  id: Type.String({ maxLength: 64, description: "The invocation's id, as `hob-invocation-id` gave it." }),
});

/** Parameters of the routes that speak of one schedule. */
export const scheduleParams = Type.Object({
  function: nameParameter,
  schedule: Type.String({ maxLength: 63, description: 'Name of the schedule.' }),
});

/** Query of the list of dead letters. */
export const deadLetterQuery = Type.Object(
  {
    function: Type.Optional(nameParameter),
    limit: Type.Integer({ minimum: 1, maximum: 1000, default: 50, description: 'How many.' }),
  },
  { additionalProperties: false },
);

/** Which dead letters something is done to. */
export const deadLetterChoice = Type.Object(
  {
    ids: Type.Optional(Type.Array(Type.String({ maxLength: 64 }), { minItems: 1, maxItems: 1000 })),
    function: Type.Optional(nameParameter),
    all: Type.Optional(Type.Literal(true)),
  },
  { additionalProperties: false, description: 'One of the three.' },
);

/** Query of the log route. */
export const logsQuery = (tailMax: number) =>
  Type.Object(
    {
      tail: Type.Integer({ minimum: 0, maximum: tailMax, default: 100, description: 'How many of the last lines.' }),
      channel: Type.Optional(
        Type.Union(
          logChannels.map((channel) => Type.Literal(channel)),
          { description: 'Only lines of one channel; `denied` has what the function may not reach.' },
        ),
      ),
      follow: Type.Boolean({ default: false, description: 'Go on with new lines until the client disconnects.' }),
    },
    { additionalProperties: false },
  );

/** An error, RFC 9457. */
const problem = Type.Object(
  {
    type: Type.String({ description: 'urn:hob:error: and the code.' }),
    title: Type.String(),
    status: Type.Integer({ minimum: 400, maximum: 599 }),
    detail: Type.String(),
    code: Type.String({ pattern: '^ERR_[A-Z_]+$', description: 'Permanent: match this.' }),
    retry: Type.Union([Type.Literal('never'), Type.Literal('same-request'), Type.Literal('after-backoff')], {
      description: 'What to do next.',
    }),
    instance: Type.Optional(Type.String({ description: "The invocation's id." })),
    failure: Type.Optional(
      Type.Object(
        { name: Type.String(), message: Type.String(), stack: Type.String() },
        { description: 'What the function threw; only for callers with a token.' },
      ),
    ),
  },
  { $id: 'Problem', description: 'An error, RFC 9457.' },
);

/** A function's configuration, as hob.json has it; its `$schema` names no dialect here. */
const config = Type.Unsafe<FunctionVersion['config']>({
  type: 'object',
  description: 'The configuration; /schema/hob.json has its schema.',
  properties: functionConfigJsonSchema['properties'],
});

/** An immutable version of a function. */
const functionVersion = Type.Unsafe<FunctionVersion>(
  Type.Object(
    {
      name: nameParameter,
      version: Type.Integer({ minimum: 1 }),
      digest: Type.String({ pattern: '^[0-9a-f]{64}$', description: 'SHA-256 of the bundle.' }),
      config,
      bundleBytes: count('Size of all files of the bundle together, bytes.'),
      hasAssets: Type.Boolean({ description: 'The bundle has files beside its code and source map.' }),
      createdAt: Type.String({ description: 'ISO 8601.' }),
    },
    { $id: 'FunctionVersion', description: 'An immutable version of a function.' },
  ),
);

const aliasWeights = Type.Array(
  Type.Object({
    version: Type.Integer({ minimum: 1 }),
    weight: Type.Integer({
      minimum: 1,
      maximum: ALIAS_WEIGHT_MAX,
      default: 100,
      description: "The version's part of the calls, in relation to the others' weights.",
    }),
  }),
  { minItems: 1, maxItems: ALIAS_VERSIONS_MAX, description: 'The versions that share the calls.' },
);
const sticky = Type.String({
  pattern: stickyForm.source,
  description:
    'header:<name> or cookie:<name>: requests with equal values get the same version. header:hob-sticky, unless it was set.',
});

/** Body of the route that sets an alias. */
export const aliasBody = Type.Object(
  { weights: aliasWeights, sticky: Type.Optional(sticky) },
  { description: 'What it names from now on.', propertyNames: { enum: ['weights', 'sticky'] } },
);

/** A name for versions of a function. */
const functionAlias = Type.Unsafe<FunctionAlias>(
  Type.Object(
    {
      name: Type.String({ pattern: aliasForm.source }),
      weights: aliasWeights,
      sticky,
      updatedAt: Type.String({ description: 'ISO 8601.' }),
    },
    { $id: 'FunctionAlias', description: 'A name for one version of a function, or for several by their weights.' },
  ),
);

/** A function as the list shows it. */
const functionSummary = Type.Unsafe<FunctionSummary>(
  Type.Object(
    {
      name: nameParameter,
      live: Type.Optional(Type.Ref('FunctionVersion')),
      versions: Type.Array(Type.Integer({ minimum: 1 }), { description: 'Every version that exists, ascending.' }),
      aliases: Type.Array(Type.Ref('FunctionAlias'), { description: 'In the order of their names.' }),
    },
    { $id: 'FunctionSummary', description: 'A function.' },
  ),
);

/** Containers and waiting calls of one version. */
const functionSnapshot = Type.Unsafe<FunctionSnapshot>(
  Type.Object(
    {
      function: nameParameter,
      version: Type.Integer({ minimum: 1 }),
      loading: count('Containers that load the code.'),
      idle: count('Containers that wait for a call.'),
      busy: count('Containers that serve a call.'),
      waiting: count('Calls that wait for a container.'),
      cpuSeconds: Type.Number({ description: 'CPU time of living containers, seconds.' }),
      memoryBytes: Type.Number({ description: 'Memory of living containers, bytes.' }),
      keepAlive: object(
        {
          preloadAfterMs: Type.Number({
            description:
              'When a container is loaded for the next call, from the last one on, ms; 0: idle ones are kept.',
          }),
          keepAliveMs: Type.Number({ description: 'How long a container is then kept, ms.' }),
          isLearned: Type.Boolean({ description: "It follows from the function's calls." }),
        },
        'When it is kept loaded.',
      ),
    },
    { $id: 'FunctionSnapshot', description: 'Containers and waiting calls of one version.' },
  ),
);

const pool = object(
  {
    runtime: Type.String(),
    memoryMb: count('Memory class, MB.'),
    network: Type.String({ description: 'Network class: `none` or `egress`.' }),
    creating: count('Containers being made.'),
    parked: count('Containers that hold no function yet.'),
    target: count('How many parked ones are aimed at.'),
    min: count('The fewest that are aimed at, as far as there is memory.'),
    max: count('The most that are aimed at.'),
    claimsPerSecondShort: Type.Number({ description: 'Claims a second, in the last tenth of the window.' }),
    claimsPerSecondLong: Type.Number({ description: 'Claims a second, in all of the window.' }),
    burst: count('The most claims of the window that came within one replacement.'),
    createMs: Type.Number({
      description: 'Making a container takes this long, ms: the median of the last ones.',
    }),
    refillDelayMs: Type.Number({ description: 'Pause between a claim and making the replacement, ms.' }),
    parallel: count('How many are made at the same time.'),
    containerBytes: Type.Number({ description: 'Memory of one parked container, bytes.' }),
  },
  'Parked containers of one runtime, memory class and network class.',
);

const memory = object(
  {
    totalBytes: Type.Number({ description: "The host's, or the limit of the cgroups that hob is in." }),
    availableBytes: Type.Number({ description: 'What could be had without swapping.' }),
    parkedBytes: Type.Number({ description: 'What parked containers take.' }),
    pressurePercent: Type.Optional(
      Type.Number({
        description: 'Part of the time with something waiting for memory; not there on a kernel without it.',
      }),
    ),
    sharePercent: Type.Number({
      description: 'How much may be in use, by whatever it is, for containers to be parked.',
    }),
    pressurePercentMax: Type.Number({ description: 'The pressure at which none is parked.' }),
    budgetBytes: Type.Number({ description: 'What parked containers may take.' }),
  },
  'Memory, as it bounds the pools.',
);

const zygote = object(
  {
    runtime: Type.String(),
    memoryMb: count('Memory class, MB.'),
    pid: count('Process id on the host.'),
    restarts: count('How often it was started anew.'),
  },
  'A booted runtime that containers are forked from.',
);

/** What the whole server does at one moment. */
const serverStats = Type.Unsafe<SchedulerSnapshot & { readonly gateway: { readonly requestsInFlight: number } }>(
  Type.Object(
    {
      pools: Type.Array(pool),
      memory: Type.Optional(memory),
      functions: Type.Array(Type.Ref('FunctionSnapshot')),
      zygotes: Type.Array(zygote),
      gateway: object({ requestsInFlight: count('HTTP requests being served, this one too.') }, 'The gateway.'),
    },
    { $id: 'ServerStats', description: 'What the server does now.' },
  ),
);

/** One line of a function's output. */
const logLine = Type.Unsafe<LogLine>(
  Type.Object(
    {
      timeMs: Type.Number({ description: 'Wall clock, ms since the epoch.' }),
      function: nameParameter,
      version: Type.Integer({ minimum: 1 }),
      invocationId: Type.String({ description: 'Empty when the line belongs to no single invocation.' }),
      channel: Type.Union(logChannels.map((channel) => Type.Literal(channel))),
      line: Type.String(),
    },
    { $id: 'LogLine', description: 'One line of output.' },
  ),
);

const flatHeaders = Type.Array(Type.String(), { description: 'Flat list: name, value, …' });

/** What a function answered to an asynchronous call. */
const keptAnswer = object(
  {
    status: Type.Integer(),
    headers: flatHeaders,
    body: Type.String({ description: 'The body, or its beginning.' }),
    encoding: Type.Union([Type.Literal('utf8'), Type.Literal('base64')]),
    bodyBytes: count('Of the whole body.'),
    isCut: Type.Boolean({ description: 'The body was larger than what is kept of it.' }),
  },
  'Of the last attempt that the function answered.',
);

const recordProperties = {
  id: Type.String(),
  function: nameParameter,
  version: Type.Optional(Type.Integer({ minimum: 1, description: 'The version that the caller named.' })),
  status: Type.Union(
    invocationStatuses.map((status) => Type.Literal(status)),
    { description: 'failed: the last attempt failed, and another one will come; dead: it was given up.' },
  ),
  attempts: count('Attempts that have begun.'),
  maxAttempts: count('Attempts that it may have.'),
  createdAt: Type.String({ description: 'ISO 8601.' }),
  nextAttemptAt: Type.Optional(Type.String({ description: 'When the next attempt may begin, ISO 8601.' })),
  endedAt: Type.Optional(Type.String({ description: 'ISO 8601.' })),
  result: Type.Optional(keptAnswer),
  error: Type.Optional(object({ code: Type.String(), message: Type.String() }, 'Why the last attempt failed.')),
  receipt: Type.Optional(Type.Object({}, { description: 'What the last attempt took.' })),
};

/** An asynchronous invocation. */
const invocationRecord = Type.Unsafe<InvocationRecord>(
  Type.Object(recordProperties, { $id: 'Invocation', description: 'An asynchronous invocation.' }),
);

const { body, encoding, bodyBytes } = keptAnswer.properties;
const eventRequest = object(
  { method: Type.String(), url: Type.String(), headers: flatHeaders, body, encoding, bodyBytes },
  'What it would call.',
);

/** An event that was given up. */
const deadLetter = Type.Unsafe<DeadLetter>(
  Type.Object(
    { ...recordProperties, request: eventRequest },
    { $id: 'DeadLetter', description: 'An event that was given up.' },
  ),
);

/** Everything that has a name in the OpenAPI document. */
export const namedSchemas = [
  problem,
  functionVersion,
  functionAlias,
  functionSummary,
  functionSnapshot,
  serverStats,
  logLine,
  invocationRecord,
  deadLetter,
] as const;
