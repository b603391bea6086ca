import type { FunctionAlias, FunctionSummary, FunctionVersion } from '@hob/contracts';
import type { Command } from 'commander';
import { humanBytes, table } from '../terminal.ts';
import type { Tools } from '../tools.ts';
import { complete } from './command.ts';
import { functionName } from './target.ts';

/** Adds `hob versions`. */
export function addVersions(program: Command, tools: Tools): void {
  const command = program
    .command('versions')
    .description('List the versions of a function, and the aliases that name them.')
    .argument('<name>', 'name of the function')
    .action((name: string, { json }: { json?: true }) => versions(tools, functionName(name), json === true));
  complete(command, [
    ['hob versions hello', 'number, aliases, digest, size, time'],
    ["hob versions hello --json | jq '.[-1].version'", 'the last one'],
  ]);
}

async function versions(tools: Tools, name: string, json: boolean): Promise<void> {
  const client = await tools.client();
  const answer = (await client.json({ method: 'GET', path: `/v1/functions/${name}` })) as {
    readonly summary: FunctionSummary;
    readonly versions: readonly FunctionVersion[];
  };
  const rows = answer.versions.map((version) => ({ ...version, aliases: aliasesOf(version, answer.summary.aliases) }));
  if (json) return tools.terminal.json(rows);
  return tools.terminal.result(versionTable(rows));
}

/** What `versionTable` shows of a version. */
type VersionRow = FunctionVersion & { readonly aliases: readonly string[] };

/** Versions with the aliases that name them. */
export function versionTable(versions: readonly VersionRow[]): string {
  const rows = versions.map(({ version, aliases, digest, bundleBytes, createdAt }) => {
    return [String(version), aliases.join(' ') || '-', digest.slice(0, 12), humanBytes(bundleBytes), createdAt];
  });
  return table(['VERSION', 'ALIASES', 'DIGEST', 'SIZE', 'DEPLOYED'], rows);
}

/** Names of the aliases that lead to a version. */
export function aliasesOf({ version }: FunctionVersion, aliases: readonly FunctionAlias[]): string[] {
  return aliases.filter(({ weights }) => weights.some((each) => each.version === version)).map(({ name }) => name);
}
