import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { fail, type FunctionConfig, type FunctionVersion, parseFunctionConfig } from '@hob/contracts';
import type { Command } from 'commander';
import type { ApiClient } from '../api-client.ts';
import { bundleUpload } from '../multipart-upload.ts';
import { humanBytes } from '../terminal.ts';
import type { Tools } from '../tools.ts';
import { complete } from './command.ts';

/** Uploading and checking a bundle of the largest size over a slow line. */
const DEPLOY_TIMEOUT_MS = 600_000;

/** Adds `hob deploy`. */
export function addDeploy(program: Command, tools: Tools): void {
  const command = program
    .command('deploy')
    .description('Bundle functions and make each a new version, which is live once it has loaded.')
    .argument('[folder...]', 'folders with a hob.json', ['.'])
    .option('--no-live', 'only make the version: no alias names it, and it is called by its number')
    .action((folders: string[], options: DeployOptions) => deploy(tools, folders, options));
  complete(command, [
    ['hob deploy', 'the function in this folder'],
    ['hob deploy functions/examples/*', 'several, one after the other'],
    ['hob deploy --no-live', 'to be tried by "hob invoke <name>@<version>" first'],
    ["hob deploy --json | jq '.[0].version'", 'the number of the new version'],
  ]);
}

interface DeployOptions {
  readonly json?: true;
  readonly live: boolean;
}

async function deploy(tools: Tools, folders: readonly string[], { json, live }: DeployOptions): Promise<void> {
  const client = await tools.client();
  const deployed: object[] = [];
  for (const folder of folders) {
    const { version, warnings } = await deployOne(tools, client, { folder: resolve(folder), live });
    const { name, digest, bundleBytes } = version;
    const url = `${client.url}/fn/${name}${live ? '' : `@${version.version}`}`;
    deployed.push({ ...version, url, warnings });
    if (json) continue;
    const label = tools.terminal.style(tools.terminal.stdout, 'bold', `${name}@${version.version}`);
    await tools.terminal.result(`${label}  ${digest.slice(0, 12)}  ${humanBytes(bundleBytes)}  ${url}`);
  }
  if (json) await tools.terminal.json(deployed);
}

interface Deployed {
  readonly version: FunctionVersion;
  readonly warnings: readonly string[];
}

async function deployOne(
  tools: Tools,
  client: ApiClient,
  { folder, live }: { readonly folder: string; readonly live: boolean },
): Promise<Deployed> {
  const { terminal } = tools;
  const config = await readConfig(folder);
  // Loaded only here: esbuild takes longer to load than most commands take.
  const { build } = await import('@hob/builder');
  await using bundle = await terminal.progress(`bundling ${config.name}`, () => build(folder, config));
  for (const warning of bundle.warnings) {
    terminal.note(`${terminal.style(terminal.stderr, 'yellow', 'warning:')} ${warning}`);
  }
  const upload = bundleUpload({ config, manifest: bundle.manifest }, bundle.folder);
  const version = await terminal.progress(`uploading ${config.name}`, () =>
    client.json({
      method: 'POST',
      path: `/v1/functions/${config.name}/versions${live ? '' : '?live=false'}`,
      ...upload,
      headTimeoutMs: DEPLOY_TIMEOUT_MS,
    }),
  );
  return { version: version as FunctionVersion, warnings: bundle.warnings };
}

/** @throws ERR_CONFIG_NOT_FOUND, ERR_CONFIG_SYNTAX, ERR_CONFIG_INVALID */
async function readConfig(folder: string): Promise<FunctionConfig> {
  const file = join(folder, 'hob.json');
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    throw code === 'ENOENT' || code === 'ENOTDIR' ? fail('ERR_CONFIG_NOT_FOUND', [folder], { cause }) : cause;
  }
  return parseFunctionConfig(text, file);
}
