import type { ErrorObject } from 'ajv';
import { functionConfigSchema } from './function-config.ts';
import type { Problem } from './located-json.ts';

interface SchemaWords {
  readonly type?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly maxItems?: number;
  readonly maxProperties?: number;
  readonly pattern?: string;
  readonly description?: string;
  readonly enum?: readonly unknown[];
  readonly properties?: Readonly<Record<string, unknown>>;
  readonly patternProperties?: Readonly<Record<string, unknown>>;
  readonly anyOf?: readonly SchemaWords[];
}

/** Says in words what the validator found, one problem for each place, in the order of finding. */
export function describeProblems(errors: readonly ErrorObject[]): Problem[] {
  const problems = new Map<string, Problem>();
  for (const error of withoutBranches(errors)) {
    const problem = describe(error);
    const key = JSON.stringify(problem.path);
    if (!problems.has(key)) problems.set(key, problem);
  }
  return [...problems.values()];
}

/**
 * A value of several accepted forms has errors of each form. When one has been taken for such a form and has a fault
 * inside, only that counts; else only that none was met.
 */
function withoutBranches(errors: readonly ErrorObject[]): ErrorObject[] {
  const choices = errors.filter(({ keyword }) => keyword === 'anyOf').map(({ instancePath }) => instancePath);
  return errors.filter(({ keyword, instancePath }) => {
    if (!choices.includes(instancePath)) return true;
    return keyword === 'anyOf' && !errors.some((each) => each.instancePath.startsWith(`${instancePath}/`));
  });
}

function describe(error: ErrorObject): Problem {
  const { keyword, params, data } = error;
  const path = pointerSteps(error.instancePath);
  const schema = (error.parentSchema ?? {}) as SchemaWords;
  if (keyword === 'additionalProperties') {
    const key = String(params['additionalProperty']);
    return {
      path: [...path, key],
      what: schema.properties ? unknownSetting(key, schema.properties) : unknownName(schema),
    };
  }
  if (keyword === 'required') {
    const key = String(params['missingProperty']);
    const words = functionConfigSchema.properties[key as keyof typeof functionConfigSchema.properties];
    return { path: [...path, key], what: `is missing; it ${expectation(words)}` };
  }
  return { path, what: keyword === 'type' ? `${expectation(schema)}, not ${kindOf(data)}` : expectation(schema) };
}

/** What a schema accepts: `must be an integer from 128 to 8192`. */
function expectation(schema: SchemaWords): string {
  if (schema.anyOf !== undefined) {
    return schema.anyOf.map((form, at) => expectation(form).replace(at === 0 ? '' : /^must be /, '')).join(' or ');
  }
  if (schema.enum !== undefined) return `must be ${schema.enum.map((one) => JSON.stringify(one)).join(' or ')}`;
  if (schema.type === 'integer') return `must be an integer from ${schema.minimum} to ${schema.maximum}`;
  if (schema.type === 'number') return `must be a number from ${schema.minimum} to ${schema.maximum}`;
  if (schema.type === 'array') return `must be a list of at most ${schema.maxItems} strings`;
  if (schema.type === 'string') return stringExpectation(schema);
  return `must be an object${schema.maxProperties === undefined ? '' : ` with at most ${schema.maxProperties} keys`}`;
}

function stringExpectation(schema: SchemaWords): string {
  // A description ends in the pattern's meaning: "Name of the function: 1 to 63 lower-case letters …."
  if (schema.pattern !== undefined) return `must be ${schema.description?.split(': ').at(-1)?.replace(/\.$/, '')}`;
  return `must be a string of ${schema.minLength ?? 0} to ${schema.maxLength} characters`;
}

function unknownSetting(key: string, properties: Readonly<Record<string, unknown>>): string {
  const known = Object.keys(properties);
  const near = nearest(key, known);
  if (near !== undefined) return `is no setting; did you mean "${near}"?`;
  return `is no setting; there are ${known.filter((name) => name !== '$schema').join(', ')}`;
}

function unknownName(schema: SchemaWords): string {
  if (schema.properties !== undefined) return `is no setting; there are ${Object.keys(schema.properties).join(', ')}`;
  return `is not accepted as a name; it must match ${Object.keys(schema.patternProperties ?? {}).join(' or ')}`;
}

/** Strings are not repeated: one may be a secret that slipped into the wrong place. */
function kindOf(value: unknown): string {
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'a list';
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}

/** Settings that are lists. A name of `env` may be equal, but nothing is below it. */
const listNames: ReadonlySet<string> = new Set(['assets', 'deny', 'allow', 'egress', 'secrets']);

/** The steps of a JSON pointer; array indexes become numbers. */
function pointerSteps(pointer: string): (string | number)[] {
  const steps = pointer.split('/').slice(1);
  return steps.map((step, index) => {
    if (index > 0 && listNames.has(steps[index - 1] ?? '')) return Number(step);
    return step.replaceAll('~1', '/').replaceAll('~0', '~');
  });
}

/** The known word that a misspelt one is most likely to mean; undefined when none is near. */
export function nearest(word: string, known: Iterable<string>): string | undefined {
  let best: { readonly name: string; readonly distance: number } | undefined;
  // Only the start counts: the words are short, and distance takes time in proportion to both lengths.
  const typed = word.slice(0, 64).toLowerCase();
  for (const name of known) {
    const distance = editDistance(typed, name.toLowerCase());
    if (distance <= Math.max(1, Math.floor(name.length / 3)) && distance < (best?.distance ?? Infinity)) {
      best = { name, distance };
    }
  }
  return best?.name;
}

/** Levenshtein distance. */
function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i += 1) {
    const row = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const substitution = (previous[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      row.push(Math.min((previous[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, substitution));
    }
    previous = row;
  }
  return previous.at(-1) ?? 0;
}
