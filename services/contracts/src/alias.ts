/** A version that an alias names, and its part of the alias's calls. */
export interface AliasWeight {
  readonly version: number;
  /** Its part, in relation to the others' weights. */
  readonly weight: number;
}

/** A name for one version of a function, or for several that share its calls by their weights. */
export interface FunctionAlias {
  readonly name: string;
  /** Ascending by version, never empty. */
  readonly weights: readonly AliasWeight[];
  /** What of a request decides between several versions, so that equal requests get equal versions: see `stickyForm`. */
  readonly sticky: string;
  /** When it was set last, ISO 8601. */
  readonly updatedAt: string;
}

/** What an alias is set to. */
export interface AliasChange {
  readonly weights: readonly AliasWeight[];
  /** What it was before, when not given. */
  readonly sticky?: string | undefined;
}

/** The alias that calls without `@…` go to. */
export const LIVE_ALIAS = 'live';

/** Names of aliases: those of functions, without what looks like a version's number. */
export const aliasForm = /^(?!v[0-9]+$)[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?$/;

/** `header:<name>` or `cookie:<name>`. */
export const stickyForm = /^(?:header|cookie):[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}$/;

/** What decides unless an alias says otherwise. A request without it gets any of the versions, by their weights. */
export const STICKY_DEFAULT = 'header:hob-sticky';

/** The most versions that one alias names. */
export const ALIAS_VERSIONS_MAX = 10;
/** The largest weight of one version. */
export const ALIAS_WEIGHT_MAX = 1000;
