import type { BundleFile, FunctionVersion } from '@hob/contracts';
import type { Command } from 'commander';
import { humanBytes, withoutControls } from '../terminal.ts';
import type { Tools } from '../tools.ts';
import { parseVersion } from './alias-text.ts';
import { complete } from './command.ts';
import { functionName } from './target.ts';

/** What the server says of one version. */
interface VersionAnswer {
  readonly version: FunctionVersion;
  readonly files: readonly BundleFile[];
}

/** One difference; a side that has nothing is left out. */
interface Change<T> {
  readonly key: string;
  readonly before?: T;
  readonly after?: T;
}

interface Difference {
  readonly config: readonly Change<unknown>[];
  readonly files: readonly Change<BundleFile>[];
}

/** Adds `hob diff`. */
export function addDiff(program: Command, tools: Tools): void {
  const command = program
    .command('diff')
    .description('Compare the configuration and the files of two versions.')
    .argument('<name>', 'name of the function')
    .argument('<before>', 'a version')
    .argument('<after>', 'another version')
    .action((name: string, before: string, after: string, { json }: { json?: true }) =>
      diff(tools, functionName(name), {
        before: parseVersion(before),
        after: parseVersion(after),
        json: json === true,
      }),
    );
  complete(command, [
    ['hob diff hello 7 8', 'what version 8 changed'],
    ["hob diff hello v7 v8 --json | jq '.files[].key'", 'the files only'],
  ]);
}

async function diff(
  tools: Tools,
  name: string,
  options: { readonly before: number; readonly after: number; readonly json: boolean },
): Promise<void> {
  const client = await tools.client();
  const read = (version: number): Promise<unknown> =>
    client.json({ method: 'GET', path: `/v1/functions/${name}/versions/${version}` });
  const [before, after] = (await Promise.all([read(options.before), read(options.after)])) as [
    VersionAnswer,
    VersionAnswer,
  ];
  const difference = compare(before, after);
  if (options.json) return tools.terminal.json(difference);
  const lines = [...difference.config.map(settingLines), ...difference.files.map(fileLines)].flat();
  if (lines.length === 0) return tools.terminal.note(`${name}@${options.before} and @${options.after} are equal`);
  return tools.terminal.result(withoutControls(lines.join('\n')));
}

function compare(before: VersionAnswer, after: VersionAnswer): Difference {
  return {
    config: changes(new Map(settingsOf(before)), new Map(settingsOf(after))),
    files: changes(byPath(before.files), byPath(after.files)),
  };
}

/** Each setting, with those of `env` by themselves. */
function settingsOf({ version }: VersionAnswer): [string, unknown][] {
  const { env, ...others } = version.config;
  return [
    ...Object.entries(others),
    ...Object.entries(env).map(([key, value]): [string, unknown] => [`env.${key}`, value]),
  ];
}

function byPath(files: readonly BundleFile[]): Map<string, BundleFile> {
  return new Map(files.map((file) => [file.path, file]));
}

function changes<T>(before: ReadonlyMap<string, T>, after: ReadonlyMap<string, T>): Change<T>[] {
  const keys = [...new Set([...before.keys(), ...after.keys()])].toSorted((a, b) => (a < b ? -1 : 1));
  return keys.flatMap((key) => {
    const [was, is] = [before.get(key), after.get(key)];
    if (JSON.stringify(was) === JSON.stringify(is)) return [];
    return [{ key, ...(was === undefined ? {} : { before: was }), ...(is === undefined ? {} : { after: is }) }];
  });
}

/** Values of `env` may be secrets: only JSON has them. */
function settingLines({ key, before, after }: Change<unknown>): string[] {
  const line = (sign: string, value: unknown): string =>
    `${sign} ${key}${key.startsWith('env.') ? '' : ` ${JSON.stringify(value)}`}`;
  return [...(before === undefined ? [] : [line('-', before)]), ...(after === undefined ? [] : [line('+', after)])];
}

function fileLines({ key, before, after }: Change<BundleFile>): string[] {
  const line = (sign: string, { bytes, sha256 }: BundleFile): string =>
    `${sign} file ${key}  ${humanBytes(bytes)}  ${sha256.slice(0, 12)}`;
  return [...(before === undefined ? [] : [line('-', before)]), ...(after === undefined ? [] : [line('+', after)])];
}
