import type { FunctionAlias } from '@hob/contracts';
import type { Command } from 'commander';
import { table } from '../terminal.ts';
import type { Tools } from '../tools.ts';
import { parseAliasTarget, parseWeights, weightsText } from './alias-text.ts';
import { complete } from './command.ts';
import { functionName } from './target.ts';

/** Loading a container of each version, on a host that is full. */
const SET_TIMEOUT_MS = 960_000;

interface Options {
  readonly json?: true;
  readonly sticky?: string;
}

/** Adds `hob alias` with its parts, and `hob rollback`. */
export function addAlias(program: Command, tools: Tools): void {
  const alias = program.command('alias').description('Name versions, and share calls between them.');
  const set = alias
    .command('set')
    .description('Set or make an alias, once its versions have loaded.')
    .argument('<name[:alias]>', 'function and alias; the alias "live" when none is given')
    .argument('<versions>', 'a version, or several with weights: v7=95,v8=5')
    .option('--sticky <source>', 'header:<name> or cookie:<name>, of which equal values get equal versions')
    .action((target: string, versions: string, options: Options) => setAlias(tools, { target, versions, options }));
  complete(set, [
    ['hob alias set hello 7', 'calls without @… get version 7'],
    ['hob alias set hello v7=95,v8=5', '5 % of the calls get version 8'],
    ['hob alias set hello:beta 8', 'version 8 is called by /fn/hello@beta'],
    ['hob alias set hello v7=50,v8=50 --sticky cookie:session', 'each session stays with one version'],
  ]);
  const ls = alias
    .command('ls')
    .description('List the aliases of a function.')
    .argument('<name>', 'name of the function')
    .action((name: string, { json }: Options) => list(tools, functionName(name), json === true));
  complete(ls, [['hob alias ls hello', 'what each alias names']]);
  const rm = alias
    .command('rm')
    .description('Remove an alias.')
    .argument('<name:alias>', 'function and alias')
    .action((target: string, { json }: Options) => remove(tools, target, json === true));
  complete(rm, [['hob alias rm hello:beta', '/fn/hello@beta is no more']]);
}

/** Adds `hob rollback`. */
export function addRollback(program: Command, tools: Tools): void {
  const command = program
    .command('rollback')
    .description('Make the version live again that was live before; once more, it goes further back.')
    .argument('<name>', 'name of the function')
    .action((name: string, { json }: Options) => rollBack(tools, functionName(name), json === true));
  complete(command, [['hob rollback hello', 'undoes the last deploy or "hob alias set"']]);
}

async function setAlias(
  tools: Tools,
  given: { readonly target: string; readonly versions: string; readonly options: Options },
): Promise<void> {
  const { name, alias } = parseAliasTarget(given.target);
  const { json, sticky } = given.options;
  const body = { weights: parseWeights(given.versions), ...(sticky === undefined ? {} : { sticky }) };
  const client = await tools.client();
  const set = (await tools.terminal.progress(`setting ${name}:${alias}`, () =>
    client.json({
      method: 'PUT',
      path: `/v1/functions/${name}/aliases/${alias}`,
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
      headTimeoutMs: SET_TIMEOUT_MS,
    }),
  )) as FunctionAlias;
  await tell(tools, name, { alias: set, json: json === true });
}

async function list(tools: Tools, name: string, json: boolean): Promise<void> {
  const client = await tools.client();
  const aliases = (await client.json({ method: 'GET', path: `/v1/functions/${name}/aliases` })) as FunctionAlias[];
  if (json) return tools.terminal.json(aliases);
  if (aliases.length === 0) return tools.terminal.note(`${name} has no alias: no version was made live yet`);
  const rows = aliases.map((alias) => [alias.name, weightsText(alias), alias.sticky, alias.updatedAt]);
  return tools.terminal.result(table(['ALIAS', 'VERSIONS', 'STICKY', 'SET'], rows));
}

async function remove(tools: Tools, target: string, json: boolean): Promise<void> {
  const { name, alias } = parseAliasTarget(target);
  const client = await tools.client();
  await client.json({ method: 'DELETE', path: `/v1/functions/${name}/aliases/${alias}` });
  if (json) return tools.terminal.json({ removed: `${name}:${alias}` });
  return tools.terminal.result(`removed ${name}:${alias}`);
}

async function rollBack(tools: Tools, name: string, json: boolean): Promise<void> {
  const client = await tools.client();
  const alias = (await client.json({ method: 'POST', path: `/v1/functions/${name}/rollback` })) as FunctionAlias;
  await tell(tools, name, { alias, json });
}

async function tell(
  tools: Tools,
  name: string,
  set: { readonly alias: FunctionAlias; readonly json: boolean },
): Promise<void> {
  const { alias, json } = set;
  if (json) return tools.terminal.json(alias);
  return tools.terminal.result(`${name}:${alias.name}  ${weightsText(alias)}`);
}
