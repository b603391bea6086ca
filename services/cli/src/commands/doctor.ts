import type { Command } from 'commander';
import { systemPath, thisHost } from '../doctor/finding.ts';
import type { Finding, Host } from '../doctor/finding.ts';
import type { IsolationLine } from '../doctor/isolation/verdict.ts';
import { kernelChecks } from '../doctor/kernel-checks.ts';
import { networkChecks } from '../doctor/network-checks.ts';
import { programChecks } from '../doctor/program-checks.ts';
import { variable } from '../environment.ts';
import { libraryPaths, rootfsPath } from '../places.ts';
import type { Tools } from '../tools.ts';
import { complete } from './command.ts';

/** Adds `hob doctor`. */
export function addDoctor(program: Command, tools: Tools): void {
  const command = program
    .command('doctor')
    .description(
      'Check that this machine can run hob, and say what to do where it cannot. As root it makes two containers and looks at them. Needs no server.',
    )
    .action(({ json }: { json?: true }) => doctor(tools, json === true));
  complete(command, [
    ['hob doctor', 'one line for each thing; exit code 1 when something needed is missing'],
    ['hob doctor --json | jq \'.findings[] | select(.state != "ok")\'', 'only what is not well'],
    ['hob doctor --json | jq .isolation', 'each wall around containers, and where this host is weaker'],
  ]);
}

async function doctor(tools: Tools, json: boolean): Promise<void> {
  const { env, terminal } = tools;
  const rootfs = variable(env, 'HOB_ROOTFS') ?? rootfsPath;
  const host = thisHost(variable(env, 'PATH') ?? systemPath);
  const findings = [
    ...(await programChecks(host, {
      nodeVersion: process.versions.node,
      platform: `${process.platform}-${process.arch}`,
      dataDir: variable(env, 'HOB_DATA_DIR') ?? '/var/lib/hob',
      foreignRedis: variable(env, 'HOB_REDIS_URL') !== undefined,
      libraries: libraryPaths,
      rootfs,
    })),
    ...(await kernelChecks(host)),
    ...(await networkChecks(host)),
  ];
  const { lines, problem } = await isolation(host, rootfs);
  const healthy = findings.every(({ state }) => state !== 'missing');
  if (!healthy) tools.exitCode = 1;
  if (json) return terminal.json({ ok: healthy, findings, isolation: lines, isolationProblem: problem });
  for (const finding of findings) await terminal.result(line(tools, finding));
  for (const each of lines) await terminal.result(isolationLine(tools, each));
  terminal.note(problem === undefined ? summary(lines) : `no container could be made to look at: ${problem}`);
  const absent = findings.filter(({ state }) => state === 'missing').length;
  terminal.note(healthy ? 'hob can run here' : `hob cannot run here: ${absent} missing`);
}

/** The lines of the checklist; a problem in their place where this host cannot make a container. */
async function isolation(host: Host, rootfs: string): Promise<{ lines: IsolationLine[]; problem?: string }> {
  try {
    // It needs what is compiled and installed, which may be missing: that is told by the findings.
    const { probeIsolation } = await import('../doctor/isolation/probe.ts');
    return { lines: await probeIsolation(host, rootfs) };
  } catch (error) {
    return { lines: [], problem: error instanceof Error ? error.message : String(error) };
  }
}

/** How many lines are in each state, and what that is of. */
function summary(lines: readonly IsolationLine[]): string {
  const count = (state: IsolationLine['state']): number => lines.filter((each) => each.state === state).length;
  const rest = (['weaker', 'missing', 'unknown'] as const).filter((state) => count(state) > 0);
  const counted = ['enforced' as const, ...rest].map((state) => `${count(state)} ${state}`).join(', ');
  return `isolation, ${lines.length} lines: ${counted}`;
}

const stateColors = { enforced: 'green', weaker: 'yellow', missing: 'red', unknown: 'yellow' } as const;

function isolationLine({ terminal }: Tools, { line: number, title, state, found, means }: IsolationLine): string {
  const head = `${terminal.style(terminal.stdout, stateColors[state], state.padEnd(8))}  ${String(number).padStart(2)} ${title}: ${found}`;
  return means === undefined ? head : `${head}\n${' '.repeat(13)}→ ${means}`;
}

const colors = { ok: 'green', warning: 'yellow', missing: 'red' } as const;

function line({ terminal }: Tools, { id, state, found, remedy }: Finding): string {
  const head = `${terminal.style(terminal.stdout, colors[state], state.padEnd(7))}  ${id.padEnd(16)}  ${found}`;
  return remedy === undefined ? head : `${head}\n${' '.repeat(27)}→ ${remedy}`;
}
