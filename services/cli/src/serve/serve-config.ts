import { fail } from '@hob/contracts';
import { gatewayLimitsSchema } from '@hob/gateway/limits';
import { queueConfigSchema } from '@hob/queue/config';
import { PREFIX_DEFAULT, redisPrefixPattern, RedisTarget } from '@hob/redis/target';
import { egressOptionsSchema, schedulerConfigSchema } from '@hob/scheduler/config';
import { type Static, Type, type TSchema } from 'typebox';
import { Check } from 'typebox/value';
import { LISTEN_DEFAULT, parseListen } from '../address.ts';
import { type Environment, variable } from '../environment.ts';
import { rootfsPath } from '../places.ts';

const serverSchema = Type.Object(
  {
    listen: Type.String({
      default: LISTEN_DEFAULT,
      description: 'Address to listen on: host:port, [::1]:port, or a port alone for 127.0.0.1.',
    }),
    dataDir: Type.String({
      default: '/var/lib/hob',
      pattern: '^/',
      description: 'Folder for everything that lasts: bundles, the private Redis, hashes of tokens. An absolute path.',
    }),
    redisUrl: Type.Optional(
      Type.String({
        description:
          'A Redis in place of the private one: redis://…, redis+sentinel://…, redis+cluster://…, rediss for TLS, unix://… or a path.',
      }),
    ),
    redisPrefix: Type.String({
      default: PREFIX_DEFAULT,
      pattern: redisPrefixPattern,
      description:
        'What keys and channels begin with there, for several hobs on one Redis: 1 to 64 letters, digits, dots, hyphens, underscores.',
    }),
    versionsKept: Type.Integer({
      default: 10,
      minimum: 1,
      maximum: 1000,
      description:
        'How many of the last versions of a function stay, beside those that an alias names or would after a rollback.',
    }),
    rootfs: Type.String({
      default: rootfsPath,
      pattern: '^/',
      description: 'Root filesystem of containers. An absolute path.',
    }),
    user: Type.Optional(
      Type.String({
        pattern: '^(?:[a-z_][a-z0-9_-]{0,31}|[1-9][0-9]{0,8})$',
        description:
          'User that serves when root starts hob, by name or number. Without it: hob, where there is such a user, else 1999999.',
      }),
    ),
    launcher: Type.String({
      default: '/run/hob/launcher.sock',
      pattern: '^(?:/|inherited$)',
      description: "Socket of the launcher, for a hob serve that is not root's. An absolute path.",
    }),
    strict: Type.Boolean({
      default: false,
      description:
        'Do not start where a line of the isolation checklist is missing; "hob doctor" shows them. The same as --strict.',
    }),
    workers: Type.Integer({
      minimum: 1,
      maximum: 64,
      default: 1,
      description: 'Processes that the gateway runs as, from 2 on beside the server. The same as --workers.',
    }),
    logLevel: Type.Union(
      (['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const).map((level) => Type.Literal(level)),
      { default: 'info', description: 'How much the server logs.' },
    ),
  },
  { additionalProperties: false, description: 'Settings of the server.' },
);

/** Every setting of `hob serve`, in groups by the part that they are for. */
export const serveConfigSchema = Type.Object(
  {
    server: serverSchema,
    scheduler: schedulerConfigSchema,
    queue: queueConfigSchema,
    egress: egressOptionsSchema,
    gateway: gatewayLimitsSchema,
  },
  { additionalProperties: false },
);

/** The checked settings, every default filled in. */
export type ServeConfig = Static<typeof serveConfigSchema>;

/** One setting: where it comes from and where it goes. */
export interface Setting {
  readonly group: keyof ServeConfig;
  readonly key: string;
  /** Its environment variable. */
  readonly name: string;
  readonly schema: TSchema & SettingSchema;
}

/** What is used of a setting's JSON schema. */
interface SettingSchema {
  readonly type?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly default?: unknown;
  readonly description?: string;
  readonly pattern?: string;
  readonly anyOf?: readonly { readonly const: unknown }[];
  readonly enum?: readonly unknown[];
  readonly items?: SettingSchema;
}

/** Both the scheduler and the gateway have a `keepAliveMs`: the gateway's variables begin with HOB_HTTP_. */
const prefixes: Readonly<Record<keyof ServeConfig, string>> = {
  server: 'HOB_',
  scheduler: 'HOB_',
  queue: 'HOB_ASYNC_',
  egress: 'HOB_EGRESS_',
  gateway: 'HOB_HTTP_',
};

/** Every setting in the order of the schema. A variable's name is made from its key by one rule. */
export const settings: readonly Setting[] = (['server', 'scheduler', 'queue', 'egress', 'gateway'] as const).flatMap(
  (group) =>
    Object.entries(serveConfigSchema.properties[group].properties).map(([key, schema]) => {
      const name = `${prefixes[group]}${key.replaceAll(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`;
      return { group, key, name, schema: schema as TSchema & SettingSchema };
    }),
);

/** Variables that begin with HOB_ and are no settings of the server. */
const otherVariables = new Set([
  'HOB_TOKEN',
  'HOB_SECRET_KEY',
  'HOB_SECRET_KEY_PREVIOUS',
  'HOB_WEBHOOK_SECRET',
  'HOB_URL',
  'HOB_DEBUG',
]);

/** What is in a setting, in words: `a whole number from 1 to 10`. */
export function acceptedValues(schema: SettingSchema): string {
  const { type, minimum, maximum, items, pattern } = schema;
  const choices = choicesOf(schema);
  if (choices !== undefined) return `one of ${choices.join(', ')}`;
  if (type === 'array') return `a list with commas: each ${acceptedValues(items ?? {})}`;
  if (type === 'boolean') return 'true or false';
  if (type === 'integer') return `a whole number from ${minimum ?? 0} to ${maximum ?? Number.MAX_SAFE_INTEGER}`;
  return pattern === '^/' ? 'an absolute path' : 'text in the form that "hob serve --help" tells';
}

function choicesOf(schema: SettingSchema): readonly unknown[] | undefined {
  return schema.enum ?? schema.anyOf?.map((each) => each.const);
}

/**
 * Makes the configuration from the environment.
 *
 * @throws ERR_CONFIG_INVALID with every bad variable, one a line.
 */
export function readServeConfig(env: Environment): ServeConfig {
  const groups: { readonly [group in keyof ServeConfig]: Record<string, unknown> } = {
    server: {},
    scheduler: {},
    queue: {},
    egress: {},
    gateway: {},
  };
  const problems: (readonly [place: string, problem: string])[] = [];
  for (const { group, key, name, schema } of settings) {
    const text = variable(env, name);
    const value = text === undefined ? schema.default : valueOf(text, schema);
    if (value === undefined && text === undefined) continue;
    if (value === undefined || !Check(schema, value)) {
      problems.push([name, `must be ${acceptedValues(schema)}, not "${text}"`]);
    }
    groups[group][key] = value;
  }
  const [first, ...more] = problems;
  if (first !== undefined) {
    const rest = more.map(([place, problem]) => `\n${place}: ${problem}`).join('');
    throw fail('ERR_CONFIG_INVALID', [first[0], `${first[1]}${rest}`]);
  }
  const config: unknown = groups;
  if (!Check(serveConfigSchema, config)) throw fail('ERR_INTERNAL', []);
  parseListen(config.server.listen, 'HOB_LISTEN');
  foreignRedis(config);
  return config;
}

/**
 * The operator's Redis, where there is one.
 *
 * @throws ERR_CONFIG_INVALID with nothing of the URL in it; for a prefix without a URL, too, as what is in the private Redis would seem to
 *   be gone.
 */
export function foreignRedis({ server }: ServeConfig): RedisTarget | undefined {
  const { redisUrl, redisPrefix } = server;
  if (redisUrl !== undefined) return RedisTarget.parse(redisUrl, redisPrefix);
  if (redisPrefix === PREFIX_DEFAULT) return undefined;
  throw fail('ERR_CONFIG_INVALID', ['HOB_REDIS_PREFIX', 'is for a Redis of yours: set HOB_REDIS_URL too']);
}

/** The settings as a log may have them: without passwords. */
export function shownConfig(config: ServeConfig): object {
  return { ...config, server: { ...config.server, redisUrl: foreignRedis(config) } };
}

function valueOf(text: string, schema: SettingSchema): unknown {
  if (schema.type === 'array') return text.split(',').map((item) => valueOf(item.trim(), schema.items ?? {}));
  if (schema.type === 'boolean') return text === 'true' ? true : text === 'false' ? false : undefined;
  const [first] = choicesOf(schema) ?? [];
  const numeric = schema.type === 'integer' || schema.type === 'number' || typeof first === 'number';
  if (!numeric) return text;
  return /^-?\d+(?:\.\d+)?$/.test(text) ? Number(text) : undefined;
}

/** Variables that look like settings and are none: most likely misspelt. */
export function unknownVariables(env: Environment): string[] {
  const known = new Set([...otherVariables, ...settings.map(({ name }) => name)]);
  return Object.keys(env).filter((name) => name.startsWith('HOB_') && !known.has(name));
}
