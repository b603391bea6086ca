import {
  fail,
  type FunctionConfig,
  type FunctionSnapshot,
  type FunctionSummary,
  type FunctionVersion,
  type KeepAliveSnapshot,
  LIVE_ALIAS,
} from '@hob/contracts';
import type { Command } from 'commander';
import { humanBytes, table, withoutControls } from '../terminal.ts';
import type { Tools } from '../tools.ts';
import { weightsText } from './alias-text.ts';
import { complete } from './command.ts';
import { functionName } from './target.ts';
import { versionTable } from './versions.ts';

/** What the server says of one function. */
interface Description {
  readonly summary: FunctionSummary;
  readonly versions: readonly FunctionVersion[];
  readonly snapshot: readonly FunctionSnapshot[];
}

/** Adds `hob describe`. */
export function addDescribe(program: Command, tools: Tools): void {
  const command = program
    .command('describe')
    .description('Show a function: its configuration, versions and containers.')
    .argument('<name>', 'name of the function')
    .action((name: string, { json }: { json?: true }) => describe(tools, name, json === true));
  complete(command, [
    ['hob describe hello', 'everything about hello'],
    ["hob describe hello --json | jq '.summary.live.config'", 'the live configuration'],
  ]);
}

async function describe(tools: Tools, name: string, json: boolean): Promise<void> {
  const client = await tools.client();
  const answer = await client.json({ method: 'GET', path: `/v1/functions/${functionName(name)}` });
  if (json) return tools.terminal.json(answer);
  const { summary, versions, snapshot } = answer as Description;
  const shown = summary.live ?? versions.at(-1);
  if (shown === undefined) throw fail('ERR_CLI_BAD_ANSWER', [client.url, `${name} has no versions`]);
  const { config } = shown;
  const facts: [string, string][] = [
    ['name', summary.name],
    ['url', `${client.url}/fn/${summary.name}`],
    ['live', liveText(summary)],
    ['runtime', config.runtime],
    ['entry', config.entry],
    ['memory', `${config.memoryMb} MB`],
    ['cpu', config.cpu === 1 ? '1 core' : `${config.cpu} cores`],
    ['timeout', `${config.timeoutMs} ms`],
    ['concurrency', `${config.concurrency} in a container`],
    ['containers', `at most ${config.maxContainers}`],
    ['limits', limits(config)],
    ['seccomp', systemCalls(config)],
    ['auth', config.auth],
    ['env', Object.keys(config.env).join(' ') || '-'],
    ['secrets', config.secrets?.join(' ') || '-'],
  ];
  const width = Math.max(...facts.map(([key]) => key.length));
  const head = facts.map(([key, value]) => `${key.padEnd(width)}  ${withoutControls(value)}`).join('\n');
  return tools.terminal.result(`${head}\n\n${versionTable(versions, summary.aliases)}${usage(snapshot)}`);
}

function liveText({ live, aliases }: FunctionSummary): string {
  if (live === undefined) return 'none';
  const alias = aliases.find(({ name }) => name === LIVE_ALIAS);
  return alias === undefined ? String(live.version) : weightsText(alias);
}

/** The limits that most functions leave as they are. */
function limits(config: FunctionConfig): string {
  const { cpuMs, pids, nofile, tmpMb, io, responseBytesMax } = config;
  const rates = Object.entries(io ?? {}).map(([key, rate]) => `${key} ${rate}`);
  return [
    ...(cpuMs === undefined ? [] : [`${cpuMs} ms of CPU time`]),
    ...(pids === undefined ? [] : [`${pids} processes`]),
    `${nofile} descriptors`,
    `${tmpMb} MB in /tmp`,
    `responses of ${humanBytes(responseBytesMax)}`,
    ...rates,
  ].join(', ');
}

/** Which system calls end its containers. */
function systemCalls({ seccomp: { deny, allow, onViolation } = {} }: FunctionConfig): string {
  const rules = [
    ...(deny === undefined ? [] : [`denies ${deny.join(' ') || 'none'}`]),
    ...(allow === undefined ? [] : [`allows ${allow.join(' ') || 'none'} beside what the runtime needs`]),
    ...(onViolation === 'kill' ? ['violations end the container'] : []),
  ];
  return rules.join(', ') || '-';
}

function usage(containers: readonly FunctionSnapshot[]): string {
  if (containers.length === 0) return '';
  return `\n\n${containerTable(containers)}`;
}

/** Containers and waiting calls by version. */
export function containerTable(containers: readonly FunctionSnapshot[]): string {
  const rows = containers.map((each) => [
    `${each.function}@${each.version}`,
    ...[each.loading, each.idle, each.busy, each.waiting].map(String),
    `${each.cpuSeconds.toFixed(2)} s`,
    humanBytes(each.memoryBytes),
    keptTime(each.keepAlive),
  ]);
  return table(['FUNCTION', 'LOADING', 'IDLE', 'BUSY', 'WAITING', 'CPU', 'MEMORY', 'KEPT'], rows);
}

/** From when until when after a call. */
function keptTime({ preloadAfterMs, keepAliveMs, isLearned }: KeepAliveSnapshot): string {
  const [from, to] = [preloadAfterMs, preloadAfterMs + keepAliveMs].map((ms) => String(Number((ms / 1000).toFixed(1))));
  return `${preloadAfterMs === 0 ? '' : `${from}-`}${to} s${isLearned ? ', learned' : ''}`;
}
