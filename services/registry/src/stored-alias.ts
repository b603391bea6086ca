import {
  ALIAS_VERSIONS_MAX,
  ALIAS_WEIGHT_MAX,
  type AliasChange,
  aliasForm,
  type AliasWeight,
  fail,
  type FunctionAlias,
  STICKY_DEFAULT,
  stickyForm,
} from '@hob/contracts';

/** How many former states of an alias are remembered for `rollback`. */
const PREVIOUS_MAX = 20;
/** Of the only version of an alias. */
export const WHOLE_WEIGHT = 100;

/** An alias as Redis has it, in its hash under its name. */
export interface StoredAlias extends Omit<FunctionAlias, 'name'> {
  /** The weights that it had before, the last ones last. */
  readonly previous: readonly (readonly AliasWeight[])[];
}

/** Reads an alias as Redis has it. @throws when it is none. */
export function readStoredAlias(json: string): StoredAlias {
  const { weights, sticky, updatedAt, previous } = JSON.parse(json) as StoredAlias;
  return { weights: checkWeights(weights), sticky, updatedAt, previous };
}

/** What a change makes of an alias; its former weights are remembered. @throws ERR_API_BAD_REQUEST */
export function changed(name: string, before: StoredAlias | undefined, change: AliasChange): StoredAlias {
  if (!aliasForm.test(name)) {
    throw fail('ERR_API_BAD_REQUEST', [
      `"${name}" is no name of an alias: 1 to 63 lower-case letters, digits and hyphens, starting with a letter, not v1, v2, …`,
    ]);
  }
  const sticky = change.sticky ?? before?.sticky ?? STICKY_DEFAULT;
  if (!stickyForm.test(sticky)) {
    throw fail('ERR_API_BAD_REQUEST', [`"${sticky}" is neither header:<name> nor cookie:<name>`]);
  }
  const weights = checkWeights(change.weights);
  const isMove = before !== undefined && JSON.stringify(weights) !== JSON.stringify(before.weights);
  const previous = isMove ? [...before.previous, before.weights].slice(-PREVIOUS_MAX) : (before?.previous ?? []);
  return { weights, sticky, updatedAt: new Date().toISOString(), previous };
}

/**
 * What an alias was before it was set last; the state that it has now is forgotten.
 *
 * @param exists whether a version is still there.
 * @returns undefined when there is nothing to go back to.
 */
export function rolledBack(before: StoredAlias, exists: (version: number) => boolean): StoredAlias | undefined {
  const at = before.previous.findLastIndex((weights) => weights.every(({ version }) => exists(version)));
  const weights = before.previous[at];
  if (weights === undefined) return undefined;
  return { ...before, weights, updatedAt: new Date().toISOString(), previous: before.previous.slice(0, at) };
}

function checkWeights(weights: readonly AliasWeight[]): AliasWeight[] {
  const ascending = weights
    .map(({ version, weight }) => ({ version, weight }))
    .toSorted((a, b) => a.version - b.version);
  if (ascending.length === 0 || ascending.length > ALIAS_VERSIONS_MAX) {
    throw fail('ERR_API_BAD_REQUEST', [`an alias names 1 to ${ALIAS_VERSIONS_MAX} versions, not ${ascending.length}`]);
  }
  for (const [at, { version, weight }] of ascending.entries()) {
    if (version === ascending[at - 1]?.version) throw fail('ERR_API_BAD_REQUEST', [`version ${version} comes twice`]);
    if (!Number.isInteger(weight) || weight < 1 || weight > ALIAS_WEIGHT_MAX) {
      throw fail('ERR_API_BAD_REQUEST', [
        `the weight of version ${version} is not a whole number from 1 to ${ALIAS_WEIGHT_MAX}`,
      ]);
    }
  }
  return ascending;
}
