import type { Command } from 'commander';
import { thisHost } from '../doctor/finding.ts';
import type { Finding } from '../doctor/finding.ts';
import { kernelChecks } from '../doctor/kernel-checks.ts';
import { programChecks } from '../doctor/program-checks.ts';
import { variable } from '../environment.ts';
import { libraryPaths, rootfsPath } from '../places.ts';
import type { Tools } from '../tools.ts';
import { complete } from './command.ts';

const PATH_DEFAULT = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** Adds `hob doctor`. */
export function addDoctor(program: Command, tools: Tools): void {
  const command = program
    .command('doctor')
    .description('Check that this machine can run hob, and say what to do where it cannot. Needs no server.')
    .action(({ json }: { json?: true }) => doctor(tools, json === true));
  complete(command, [
    ['hob doctor', 'one line for each thing; exit code 1 when something needed is missing'],
    ['hob doctor --json | jq \'.findings[] | select(.state != "ok")\'', 'only what is not well'],
  ]);
}

async function doctor(tools: Tools, json: boolean): Promise<void> {
  const { env, terminal } = tools;
  const host = thisHost(variable(env, 'PATH') ?? PATH_DEFAULT);
  const findings = [
    ...(await programChecks(host, {
      nodeVersion: process.versions.node,
      platform: `${process.platform}-${process.arch}`,
      dataDir: variable(env, 'HOB_DATA_DIR') ?? '/var/lib/hob',
      foreignRedis: variable(env, 'HOB_REDIS_URL') !== undefined,
      libraries: libraryPaths,
      rootfs: variable(env, 'HOB_ROOTFS') ?? rootfsPath,
    })),
    ...(await kernelChecks(host)),
  ];
  const healthy = findings.every(({ state }) => state !== 'missing');
  if (!healthy) tools.exitCode = 1;
  if (json) return terminal.json({ ok: healthy, findings });
  for (const finding of findings) await terminal.result(line(tools, finding));
  const absent = findings.filter(({ state }) => state === 'missing').length;
  terminal.note(healthy ? 'hob can run here' : `hob cannot run here: ${absent} missing`);
}

const colors = { ok: 'green', warning: 'yellow', missing: 'red' } as const;

function line({ terminal }: Tools, { id, state, found, remedy }: Finding): string {
  const head = `${terminal.style(terminal.stdout, colors[state], state.padEnd(7))}  ${id.padEnd(16)}  ${found}`;
  return remedy === undefined ? head : `${head}\n${' '.repeat(27)}→ ${remedy}`;
}
