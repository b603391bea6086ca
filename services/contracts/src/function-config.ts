import type { XStatic } from 'typebox/schema';

const kebab = '^[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?$';

/** A rate of reads or writes, for each block device. */
function ioRate<const Minimum extends number>(what: string, minimum: Minimum) {
  return {
    type: 'integer',
    minimum,
    maximum: 1_000_000_000_000,
    description: `${what} on each block device in a second.`,
  } as const;
}

const destination = {
  type: 'string',
  maxLength: 2048,
  pattern: '^(?:[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?|https?://[!-~]+)$',
} as const;

/** The memory classes that zygotes are made for, MB. A function gets the largest class that is not above its `memoryMb`. */
export const memoryClassesMb = [128, 192, 256, 384, 512, 768, 1024, 1536, 2048, 3072, 4096, 6144, 8192] as const;

/** The largest memory class that is not above `memoryMb`. */
export function memoryClassMb(memoryMb: number): number {
  return memoryClassesMb.findLast((classMb) => classMb <= memoryMb) ?? memoryClassesMb[0];
}

/** Names of secrets: those of environment variables. */
export const secretForm = /^[A-Za-z_][A-Za-z0-9_]{0,127}$/;

const systemCallList = {
  type: 'array',
  items: { type: 'string', minLength: 1, maxLength: 32 },
  maxItems: 512,
} as const;

/**
 * The schema of hob.json: the one source of its defaults, ranges, types and documentation. Plain JSON Schema (draft 7),
 * because every `hob` command loads this file and a schema library takes a hundred milliseconds to load.
 */
export const functionConfigSchema = {
  type: 'object',
  title: 'hob.json',
  description: 'Configuration of one hob function.',
  additionalProperties: false,
  required: [
    'name',
    'runtime',
    'entry',
    'memoryMb',
    'cpu',
    'timeoutMs',
    'concurrency',
    'maxContainers',
    'env',
    'auth',
    'assets',
    'egress',
    'nofile',
    'tmpMb',
    'responseBytesMax',
  ],
  properties: {
    $schema: { type: 'string', description: 'Where editors find this schema.', maxLength: 2048 },
    name: {
      type: 'string',
      pattern: kebab,
      description: 'Name of the function: 1 to 63 lower-case letters, digits and hyphens, starting with a letter.',
    },
    runtime: { type: 'string', enum: ['nodejs24.x'], default: 'nodejs24.x', description: 'Language runtime.' },
    entry: {
      type: 'string',
      minLength: 1,
      maxLength: 1024,
      default: 'index.ts',
      description: "The file whose exports are the handler, relative to the function's folder.",
    },
    memoryMb: {
      type: 'integer',
      minimum: 128,
      maximum: 8192,
      default: 256,
      description: 'Memory limit, MB; swap is off.',
    },
    cpu: {
      type: 'number',
      minimum: 0.05,
      maximum: 64,
      default: 1,
      description: 'CPU bandwidth in cores; may be fractional.',
    },
    timeoutMs: {
      type: 'integer',
      minimum: 10,
      maximum: 900_000,
      default: 30_000,
      description: 'Wall-clock time that one invocation may take, ms.',
    },
    concurrency: {
      type: 'integer',
      minimum: 1,
      maximum: 1000,
      default: 1,
      description: 'How many invocations one container may serve at the same time.',
    },
    maxContainers: {
      type: 'integer',
      minimum: 1,
      maximum: 1000,
      default: 16,
      description: 'How many containers of one version may exist at the same time.',
    },
    minWarm: {
      type: 'integer',
      minimum: 0,
      maximum: 1000,
      description:
        'How many containers of the live version are kept loaded, whether calls come or not; none when it is not given.',
    },
    keepAliveMs: {
      type: 'integer',
      minimum: 0,
      maximum: 86_400_000,
      description: "How long an idle container is kept, ms; the server's decision when it is not given.",
    },
    reuse: {
      type: 'string',
      enum: ['always', 'never'],
      description:
        'Whether a container serves further calls: "never" gives each call a fresh one, which ends with it, and needs a ' +
        'concurrency of 1; always when it is not given.',
    },
    env: {
      type: 'object',
      patternProperties: { '^[A-Za-z_][A-Za-z0-9_]{0,127}$': { type: 'string', maxLength: 32_768 } },
      additionalProperties: false,
      maxProperties: 128,
      default: {},
      description: 'Environment variables of the function.',
    },
    secrets: {
      type: 'array',
      items: {
        type: 'string',
        pattern: secretForm.source,
        description: 'Name of a secret: 1 to 128 letters, digits and underscores, not starting with a digit.',
      },
      maxItems: 64,
      description: 'Names of secrets that the function gets as environment variables; none when it is not given.',
    },
    auth: {
      type: 'string',
      enum: ['open', 'token'],
      default: 'open',
      description: 'Who may call it over /fn: everybody, or only callers with a token.',
    },
    assets: {
      type: 'array',
      items: { type: 'string', minLength: 1, maxLength: 1024 },
      default: [],
      maxItems: 64,
      description: "Files, folders or globs copied beside the code, relative to the function's folder.",
    },
    egress: {
      anyOf: [
        { type: 'string', enum: ['none', 'public'] },
        { type: 'array', items: { type: 'string', minLength: 1, maxLength: 300 }, maxItems: 64 },
      ],
      default: 'none',
      description:
        'What the function may reach over the network: nothing, the public internet, or a list of host:port, host ' +
        '(a name, also with a leading *.), address[:port] and network[:port].',
    },
    cpuMs: {
      type: 'integer',
      minimum: 10,
      maximum: 57_600_000,
      description: 'CPU time that one invocation may use, ms; no limit but the others when it is not given.',
    },
    pids: {
      type: 'integer',
      minimum: 16,
      maximum: 4096,
      description: "Processes and threads that a container may have; the server's setting, 128, when it is not given.",
    },
    nofile: {
      type: 'integer',
      minimum: 64,
      maximum: 65_536,
      default: 1024,
      description: 'Descriptors that each process of a container may have open.',
    },
    tmpMb: {
      type: 'integer',
      minimum: 1,
      maximum: 8192,
      default: 64,
      description: 'Size of /tmp, MB. What is in it counts to the memory.',
    },
    tmpFiles: {
      type: 'integer',
      minimum: 16,
      maximum: 2_097_152,
      description: 'Files and folders that /tmp may hold; 256 for each MB when it is not given.',
    },
    io: {
      type: 'object',
      additionalProperties: false,
      properties: {
        readBytesPerSecond: ioRate('Bytes that may be read', 4096),
        writeBytesPerSecond: ioRate('Bytes that may be written', 4096),
        readsPerSecond: ioRate('Reads', 1),
        writesPerSecond: ioRate('Writes', 1),
      },
      description: 'What a container may do to each block device in a second; no limit when it is not given.',
    },
    responseBytesMax: {
      type: 'integer',
      minimum: 0,
      maximum: 1_099_511_627_776,
      default: 1_073_741_824,
      description: 'The largest body of a response, bytes.',
    },
    logBytesPerSecond: {
      type: 'integer',
      minimum: 1,
      maximum: 1_000_000_000,
      description:
        "Bytes of output that a container may give in a second, more is dropped; the server's setting, 4 MiB, when it is not given.",
    },
    abortGraceMs: {
      type: 'integer',
      minimum: 0,
      maximum: 900_000,
      description:
        'ctx.signal is aborted this long before the deadline, ms; a tenth of timeoutMs, at most a second, when it is not given.',
    },
    seccomp: {
      type: 'object',
      additionalProperties: false,
      properties: {
        deny: { ...systemCallList, description: 'System calls that end the container.' },
        allow: {
          ...systemCallList,
          description:
            'The only system calls that do not end the container, beside those that the runtime itself needs.',
        },
        onViolation: {
          type: 'string',
          enum: ['errno', 'kill'],
          description: 'What a call that no function may make does: it fails with EPERM, or ends the container.',
        },
      },
      description:
        'Which system calls end the container, beside what hob itself refuses every function; none when it is not given.',
    },
    delivery: {
      type: 'string',
      enum: ['at-least-once', 'at-most-once'],
      description:
        'What becomes of an asynchronous call, or of one with an idempotency key, that was cut in its middle: it is made again, or, with ' +
        '"at-most-once", given up; at least once when it is not given.',
    },
    async: {
      type: 'object',
      additionalProperties: false,
      properties: {
        maxAttempts: {
          type: 'integer',
          minimum: 1,
          maximum: 100,
          description: 'How often an event is tried before it is a dead letter; 3 when it is not given.',
        },
        maxAgeMs: {
          type: 'integer',
          minimum: 1000,
          maximum: 1_209_600_000,
          description:
            'No attempt begins later than this after the event was accepted, ms; six hours when it is not given.',
        },
        backoffMs: {
          type: 'integer',
          minimum: 1,
          maximum: 3_600_000,
          description:
            'The longest pause before the second attempt, ms; it doubles with each one; a second when it is not given.',
        },
        backoffMaxMs: {
          type: 'integer',
          minimum: 1,
          maximum: 86_400_000,
          description: 'The longest pause before any attempt, ms; five minutes when it is not given.',
        },
        onSuccess: {
          ...destination,
          description: 'Function or http(s) URL that is told of a success; none when it is not given.',
        },
        onFailure: {
          ...destination,
          description: 'Function or http(s) URL that is told of a dead letter; none when it is not given.',
        },
      },
      description: 'How asynchronous calls are tried again; as its settings say when it is not given.',
    },
    schedule: {
      type: 'array',
      maxItems: 32,
      items: {
        type: 'object',
        additionalProperties: false,
        required: ['name'],
        properties: {
          name: { type: 'string', pattern: kebab, description: 'Name of the schedule.' },
          cron: {
            type: 'string',
            minLength: 1,
            maxLength: 200,
            description: 'Five fields, or six with seconds in front.',
          },
          timezone: { type: 'string', minLength: 1, maxLength: 64, description: 'Of cron; UTC when it is not given.' },
          everyMs: { type: 'integer', minimum: 1000, maximum: 31_536_000_000, description: 'A fixed rate, ms.' },
          at: { type: 'string', maxLength: 64, description: 'Once, at this time: ISO 8601.' },
          method: { type: 'string', pattern: '^[A-Z]{1,20}$', description: 'HTTP method; POST when it is not given.' },
          path: {
            type: 'string',
            pattern: '^/[!-~]*$',
            maxLength: 2048,
            description: 'Path and query; / when it is not given.',
          },
          body: { type: 'string', maxLength: 65_536, description: 'Body of the call; none when it is not given.' },
        },
      },
      description: 'When the live version is called by itself, asynchronously; never when it is not given.',
    },
  },
} as const;

/** `seccomp` of hob.json. */
export type SystemCallRules = Readonly<XStatic<typeof functionConfigSchema.properties.seccomp>>;

type AsyncConfig = Readonly<XStatic<typeof functionConfigSchema.properties.async>>;
type Destinations = 'onSuccess' | 'onFailure';

/** `async` of hob.json with its defaults. */
export interface AsyncPolicy extends Required<Omit<AsyncConfig, Destinations>>, Pick<AsyncConfig, Destinations> {
  /** No attempt follows one that may have reached the function. */
  readonly isOnce?: true;
}

/** What `async` and `delivery` of hob.json say, or their defaults. */
export function asyncPolicy(config: Pick<FunctionConfig, 'async' | 'delivery'>): AsyncPolicy {
  const policy = { maxAttempts: 3, maxAgeMs: 21_600_000, backoffMs: 1000, backoffMaxMs: 300_000, ...config.async };
  return isOnce(config) ? { ...policy, isOnce: true } : policy;
}

/** Whether a call that was cut in its middle is given up, and not made again. */
export function isOnce({ delivery }: Pick<FunctionConfig, 'delivery'>): boolean {
  return delivery === 'at-most-once';
}

/** A checked configuration with every default filled in. */
export type FunctionConfig = Readonly<Omit<XStatic<typeof functionConfigSchema>, '$schema'>>;
