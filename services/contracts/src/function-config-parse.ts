import { createRequire } from 'node:module';
import type * as ajv from 'ajv';
import { type EgressPolicy, formatEgressRule, parseEgressRule } from './egress.ts';
import { fail } from './hob-error.ts';
import { type FunctionConfig, functionConfigSchema } from './function-config.ts';
import { describeProblems, nearest } from './function-config-problems.ts';
import { type Problem, parseLocatedJson } from './located-json.ts';
import { describePathProblem } from './relative-path.ts';
import { runtimeCalls, systemCalls } from './system-calls.ts';

/** The largest hob.json, and the most that `env` may take as JSON, bytes of UTF-8. */
export const CONFIG_BYTES_MAX = 256 * 1024;

const NEEDED_CALL = 'is a system call that the runtime itself needs; it cannot be denied';

/** What `$schema` of a hob.json may point to: the schema as plain JSON, with what editors need to allow comments. */
export const functionConfigJsonSchema: Readonly<Record<string, unknown>> = Object.freeze({
  $schema: 'http://json-schema.org/draft-07/schema#',
  allowComments: true,
  allowTrailingCommas: true,
  ...withoutDefaultedRequired(),
});

/**
 * Reads a hob.json: JSON with comments and trailing commas.
 *
 * @param file what messages call the text, for example `hob.json`.
 * @returns the configuration with its defaults filled in, its paths and rules in their shortest form.
 * @throws ERR_CONFIG_SYNTAX with line and column; ERR_CONFIG_INVALID naming every problem, one a line, each with its
 *   place (`hob.json:4:15 memoryMb`) and what is accepted there.
 */
export function parseFunctionConfig(text: string, file: string): FunctionConfig {
  if (Buffer.byteLength(text) > CONFIG_BYTES_MAX) {
    throw fail('ERR_CONFIG_SYNTAX', [file, 1, 1, `the file is larger than ${CONFIG_BYTES_MAX} bytes`]);
  }
  const located = parseLocatedJson(text.replace(/^\uFEFF/, ''), file);
  const { config, problems } = check(located.value);
  refuse([...located.problems, ...problems.map((problem) => ({ ...problem, at: located.at(problem.path) }))]);
  return config;
}

/**
 * Checks a configuration that is no text any more, such as the one that a deploy carries.
 *
 * @param value anything; it is not changed.
 * @returns the configuration with its defaults filled in, its paths and rules in their shortest form.
 * @throws ERR_CONFIG_INVALID naming every problem, one a line, each with its place (`env.PATH`).
 */
export function checkFunctionConfig(value: unknown): FunctionConfig {
  const { config, problems } = check(value);
  refuse(problems);
  return config;
}

let compiled: ajv.ValidateFunction | undefined;

/**
 * Loaded and compiled when first needed: that takes tens of milliseconds, and most commands never check one. It would take twice
 * as long if the schema were checked each time.
 */
function validator(): ajv.ValidateFunction {
  if (compiled === undefined) {
    const { Ajv } = createRequire(import.meta.url)('ajv') as typeof ajv;
    const options = { allErrors: true, verbose: true, useDefaults: true, strict: true };
    compiled = new Ajv({ ...options, validateSchema: false, meta: false }).compile(functionConfigSchema);
  }
  return compiled;
}

/** `config` may be used only when there are no problems. */
function check(value: unknown): { readonly config: FunctionConfig; readonly problems: readonly Problem[] } {
  const config = copy(value) as FunctionConfig & { $schema?: string };
  const validate = validator();
  if (!validate(config)) return { config, problems: describeProblems(validate.errors ?? []) };
  delete config.$schema;
  const egress = readEgress(config.egress);
  const shortest = {
    ...config,
    entry: shorten(config.entry),
    assets: config.assets.map(shorten),
    egress: egress.policy,
  };
  return {
    config: shortest,
    problems: [
      ...checkPaths(shortest),
      ...checkReuse(shortest),
      ...checkMinWarm(shortest),
      ...checkEnv(shortest.env),
      ...checkSecrets(shortest),
      ...checkSystemCalls(shortest.seccomp),
      ...egress.problems,
    ],
  };
}

/** The value as far as it can be a configuration: filling in defaults must not change the caller's. */
function copy(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  const { env, assets, ...rest } = value as Record<string, unknown>;
  const result: Record<string, unknown> = { ...rest };
  if (env !== undefined)
    result['env'] = typeof env === 'object' && !Array.isArray(env) && env !== null ? { ...env } : env;
  if (assets !== undefined) result['assets'] = Array.isArray(assets) ? [...assets] : assets;
  return result;
}

function shorten(path: string): string {
  return path.replace(/^(?:\.\/+)+/, '').replace(/\/+$/, (slashes) => (slashes.length === path.length ? '/' : ''));
}

function checkPaths(config: FunctionConfig): Problem[] {
  const paths: [string, (string | number)[]][] = [
    [config.entry, ['entry']],
    ...config.assets.map((asset, index): [string, (string | number)[]] => [asset, ['assets', index]]),
  ];
  return paths.flatMap(([value, path]) => {
    const what = describePathProblem(value);
    return what === undefined ? [] : [{ path, what }];
  });
}

function checkReuse({ reuse, concurrency }: FunctionConfig): Problem[] {
  if (reuse !== 'never' || concurrency === 1) return [];
  return [
    { path: ['concurrency'], what: 'must be 1 when reuse is "never": a call shares its container with no other' },
  ];
}

function checkMinWarm({ minWarm = 0, maxContainers }: FunctionConfig): Problem[] {
  if (minWarm <= maxContainers) return [];
  return [{ path: ['minWarm'], what: `must not be above maxContainers, which is ${maxContainers}` }];
}

function checkEnv(env: FunctionConfig['env']): Problem[] {
  const problems: Problem[] = [];
  for (const [name, value] of Object.entries(env)) {
    if (name === '__proto__') problems.push({ path: ['env', name], what: 'is not allowed as a key' });
    if (value.includes('\0')) problems.push({ path: ['env', name], what: 'must not have a NUL character' });
  }
  const bytes = Buffer.byteLength(JSON.stringify(env));
  if (bytes > CONFIG_BYTES_MAX) {
    problems.push({ path: ['env'], what: `takes ${bytes} bytes as JSON, at most ${CONFIG_BYTES_MAX} are allowed` });
  }
  return problems;
}

function checkSecrets({ secrets = [], env }: FunctionConfig): Problem[] {
  return secrets.flatMap((name, index) => {
    const path = ['secrets', index];
    if (Object.hasOwn(env, name)) return [{ path, what: 'is a name of env too; it can be one of both only' }];
    if (name === '__proto__') return [{ path, what: 'is not allowed as a name' }];
    return secrets.indexOf(name) === index ? [] : [{ path, what: 'comes twice' }];
  });
}

function checkSystemCalls(rules: FunctionConfig['seccomp']): Problem[] {
  const problems: Problem[] = [];
  for (const list of ['allow', 'deny'] as const) {
    for (const [index, name] of (rules?.[list] ?? []).entries()) {
      const what = list === 'deny' && runtimeCalls.has(name) ? NEEDED_CALL : unknownCall(name);
      if (what !== undefined) problems.push({ path: ['seccomp', list, index], what });
    }
  }
  if (rules?.allow !== undefined && rules.deny !== undefined) {
    problems.push({ path: ['seccomp', 'deny'], what: 'cannot be set together with allow, which denies all others' });
  }
  return problems;
}

function unknownCall(name: string): string | undefined {
  if (systemCalls.has(name)) return undefined;
  const near = nearest(name, systemCalls);
  return `is no system call${near === undefined ? '' : `; did you mean "${near}"?`}`;
}

/** Each rule in its one form. */
function readEgress(policy: EgressPolicy): { readonly policy: EgressPolicy; readonly problems: readonly Problem[] } {
  if (typeof policy === 'string') return { policy, problems: [] };
  const problems: Problem[] = [];
  const rules = policy.map((text, index) => {
    const reading = parseEgressRule(text);
    if ('rule' in reading) return formatEgressRule(reading.rule);
    problems.push({ path: ['egress', index], what: reading.problem });
    return text;
  });
  return { policy: [...new Set(rules)], problems };
}

function refuse(problems: readonly Problem[]): void {
  const [first, ...others] = problems;
  if (first === undefined) return;
  const lines = [first.what, ...others.map((problem) => `${placeOf(problem)}: ${problem.what}`)];
  throw fail('ERR_CONFIG_INVALID', [placeOf(first), lines.join('\n')]);
}

/** `hob.json:4:15 memoryMb`, or `memoryMb`; the root has no path. */
function placeOf({ at, path }: Problem): string {
  const name = path.reduce<string>((whole, step) => {
    if (typeof step === 'number') return `${whole}[${step}]`;
    return whole === '' ? step : `${whole}.${step}`;
  }, '');
  return [at, name].filter((part) => part !== undefined && part !== '').join(' ') || 'configuration';
}

/** As hob.json is written by hand: what has a default need not be there. */
function withoutDefaultedRequired(): Record<string, unknown> {
  const { required, properties, ...rest } = functionConfigSchema;
  const needed = required.filter((key) => !('default' in properties[key]));
  return JSON.parse(JSON.stringify({ ...rest, required: needed, properties })) as Record<string, unknown>;
}
