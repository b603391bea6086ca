import { type AliasWeight, aliasForm, fail, type FunctionAlias, LIVE_ALIAS } from '@hob/contracts';
import { functionName } from './target.ts';

/** What an alias names, in words: `7`, or `7 (95 %), 8 (5 %)`. */
export function weightsText({ weights }: Pick<FunctionAlias, 'weights'>): string {
  const sum = weights.reduce((total, { weight }) => total + weight, 0);
  if (weights.length === 1) return String(weights[0]?.version);
  return weights.map(({ version, weight }) => `${version} (${percent(weight, sum)})`).join(', ');
}

/** What an alias gives to one of its versions, in words: `live`, or `live (95 %)` when it has others. */
export function shareText({ name, weights }: FunctionAlias, version: number): string {
  const sum = weights.reduce((total, { weight }) => total + weight, 0);
  const own = weights.find((each) => each.version === version)?.weight ?? 0;
  return weights.length === 1 ? name : `${name} (${percent(own, sum)})`;
}

function percent(weight: number, sum: number): string {
  return `${Number(((100 * weight) / sum).toFixed(1))} %`;
}

/** Reads `8`, `v8` or `v7=95,v8=5`. @throws ERR_CLI_USAGE */
export function parseWeights(text: string): AliasWeight[] {
  const parts = text.split(',');
  return parts.map((part) => {
    const [, version, weight] = /^v?([1-9][0-9]{0,9})(?:=([1-9][0-9]{0,3}))?$/.exec(part.trim()) ?? [];
    if (version === undefined || (weight === undefined && parts.length > 1)) {
      throw fail('ERR_CLI_USAGE', [`"${text}" is neither a version such as 8 nor weights such as v7=95,v8=5`]);
    }
    return { version: Number(version), weight: Number(weight ?? 100) };
  });
}

/** Reads the number of a version: `8` or `v8`. @throws ERR_CLI_USAGE */
export function parseVersion(text: string): number {
  const [, version] = /^v?([1-9][0-9]{0,9})$/.exec(text) ?? [];
  if (version === undefined) throw fail('ERR_CLI_USAGE', [`"${text}" is no version: a number such as 8`]);
  return Number(version);
}

/** Reads `name` or `name:alias`; without an alias it is the live one. @throws ERR_CLI_USAGE */
export function parseAliasTarget(text: string): { readonly name: string; readonly alias: string } {
  const [name = '', alias = LIVE_ALIAS, ...more] = text.split(':');
  if (more.length > 0 || !aliasForm.test(alias)) {
    throw fail('ERR_CLI_USAGE', [`"${text}" is neither a function nor function:alias`]);
  }
  return { name: functionName(name), alias };
}
