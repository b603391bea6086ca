import type { FunctionAlias, FunctionSummary, FunctionVersion } from '@hob/contracts';
import type { Command } from 'commander';
import { humanBytes, table } from '../terminal.ts';
import type { Tools } from '../tools.ts';
import { shareText } from './alias-text.ts';
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
  const { aliases } = answer.summary;
  if (json) {
    return tools.terminal.json(
      answer.versions.map((version) => ({
        ...version,
        aliases: aliasesOf(version, aliases).map(({ name: alias }) => alias),
      })),
    );
  }
  return tools.terminal.result(versionTable(answer.versions, aliases));
}

/** Versions with the aliases that name them, and with the part of the calls that one gives to several. */
export function versionTable(versions: readonly FunctionVersion[], aliases: readonly FunctionAlias[]): string {
  const rows = versions.map((each) => {
    const { version, digest, bundleBytes, createdAt } = each;
    const names = aliasesOf(each, aliases).map((alias) => shareText(alias, version));
    return [String(version), names.join(', ') || '-', digest.slice(0, 12), humanBytes(bundleBytes), createdAt];
  });
  return table(['VERSION', 'ALIASES', 'DIGEST', 'SIZE', 'DEPLOYED'], rows);
}

/** The aliases that lead to a version. */
function aliasesOf({ version }: FunctionVersion, aliases: readonly FunctionAlias[]): FunctionAlias[] {
  return aliases.filter(({ weights }) => weights.some((each) => each.version === version));
}
