import type { MemorySnapshot, SchedulerSnapshot } from '@hob/contracts';
import type { Command } from 'commander';
import { table } from '../terminal.ts';
import type { Tools } from '../tools.ts';
import { complete } from './command.ts';
import { containerTable } from './describe.ts';

/** Adds `hob stats`. */
export function addStats(program: Command, tools: Tools): void {
  const command = program
    .command('stats')
    .description('Show what runs now: pools, containers of functions, zygotes.')
    .action(({ json }: { json?: true }) => stats(tools, json === true));
  complete(command, [
    ['hob stats', 'pools, functions and zygotes'],
    ["hob stats --json | jq '.pools[].parked'", 'parked containers of each pool'],
  ]);
}

async function stats(tools: Tools, json: boolean): Promise<void> {
  const client = await tools.client();
  const answer = await client.json({ method: 'GET', path: '/v1/stats' });
  if (json) return tools.terminal.json(answer);
  const { pools, memory, functions, zygotes } = answer as SchedulerSnapshot;
  const poolRows = pools.map((pool) => [
    pool.runtime,
    `${pool.memoryMb} MB`,
    pool.network,
    ...[pool.creating, pool.parked, pool.target, pool.min, pool.max].map(String),
    pool.claimsPerSecondShort.toFixed(1),
  ]);
  const zygoteRows = zygotes.map((zygote) => [
    zygote.runtime,
    `${zygote.memoryMb} MB`,
    String(zygote.pid),
    String(zygote.restarts),
  ]);
  const parts = [
    table(['POOL', 'MEMORY', 'NETWORK', 'CREATING', 'PARKED', 'TARGET', 'MIN', 'MAX', 'CLAIMS/S'], poolRows),
    ...(memory ? [memoryTable(memory)] : []),
    containerTable(functions),
    table(['ZYGOTE', 'MEMORY', 'PID', 'RESTARTS'], zygoteRows),
  ];
  return tools.terminal.result(parts.join('\n\n'));
}

function memoryTable(memory: MemorySnapshot): string {
  const { totalBytes, availableBytes, parkedBytes, budgetBytes, pressurePercent } = memory;
  const megabytes = (bytes: number): string => `${Math.round(bytes / 2 ** 20)} MB`;
  const pressure = pressurePercent === undefined ? 'not told by this kernel' : `${pressurePercent} %`;
  const row = [...[totalBytes, availableBytes, parkedBytes, budgetBytes].map(megabytes), pressure];
  return table(['HOST MEMORY', 'AVAILABLE', 'PARKED', 'PARKED MAX', 'PRESSURE'], [row]);
}
