import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { TemporaryFolder } from '../../support/temporary-folder.ts';
import { needProgram, peerEnvironment, versionOf } from '../tools.ts';
import { type OciLimits, writeOciBundle } from './oci-bundle.ts';
import type { RunTimes } from './run-times.ts';

const CGROUPS = '/sys/fs/cgroup';
/** On hybrid hosts crun 1.8 insists on dropping controllers that this tree does not have, and fails. */
const HYBRID = `${CGROUPS}/unified`;

/**
 * crun, running one container after another with hob's own isolation.
 *
 * It is started by a runner in a mount namespace of its own, where the hybrid cgroup tree, if there is one, is covered.
 */
export class Crun implements AsyncDisposable {
  readonly name: string;
  readonly #program: string;
  readonly #folder: TemporaryFolder;
  readonly #runner: ChildProcess;
  readonly #answers: AsyncIterator<string>;
  readonly #id = `hob-bench-${process.pid}`;
  readonly #treesWithHob = cgroupTrees().filter((tree) => existsSync(join(tree, 'hob')));

  private constructor(program: string, folder: TemporaryFolder, runner: ChildProcess) {
    this.#program = program;
    this.#folder = folder;
    this.#runner = runner;
    if (runner.stdout === null) throw new Error('the runner has no standard output');
    this.#answers = createInterface({ input: runner.stdout })[Symbol.asyncIterator]();
    this.name = versionOf(program).replace('version ', '');
  }

  /**
   * @param args the program to run inside and its arguments.
   * @returns crun, which has run once, or why this host has none that works.
   */
  static async create(args: readonly string[], limits: Omit<OciLimits, 'cgroupsPath'>) {
    const crun = await needProgram('crun');
    if ('missing' in crun) return crun;
    const folder = await TemporaryFolder.create('crun');
    const self = new Crun(crun.path, folder, startRunner());
    try {
      await writeOciBundle(folder.path, args, { ...limits, cgroupsPath: `/hob/${self.#id}` });
      await self.run();
      return self;
    } catch (error) {
      await self[Symbol.asyncDispose]();
      return { missing: error instanceof Error ? error.message : String(error) };
    }
  }

  /** Runs a container to its end. @throws Error with crun's words when it failed. */
  async run(): Promise<RunTimes & { readonly firstByteMs: number }> {
    const state = join(this.#folder.path, 'state');
    const options = ['--root', state, '--cgroup-manager=cgroupfs', 'run', '--bundle', this.#folder.path, this.#id];
    this.#runner.stdin?.write(`${JSON.stringify([this.#program, ...options])}\n`);
    const answer = await this.#answers.next();
    if (answer.done === true) throw new Error('the runner ended');
    const times: RunTimes = JSON.parse(answer.value);
    const { firstByteMs, exitCode, said } = times;
    if (exitCode !== 0 || firstByteMs === undefined) throw new Error(`crun failed (${exitCode}): ${said.trim()}`);
    return { ...times, firstByteMs };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#runner.stdin?.end();
    if (this.#runner.exitCode === null && this.#runner.signalCode === null) await once(this.#runner, 'exit');
    removeCgroups(this.#id, this.#treesWithHob);
    await this.#folder[Symbol.asyncDispose]();
  }
}

function startRunner(): ChildProcess {
  const cover = existsSync(HYBRID) ? `mount -t tmpfs tmpfs ${HYBRID} && ` : '';
  const script = `${cover}exec "$0" "$1"`;
  const runner = join(import.meta.dirname, 'runner.ts');
  const args = ['--mount', '--propagation', 'private', '/bin/sh', '-c', script, process.execPath, runner];
  return spawn('unshare', args, { env: peerEnvironment, stdio: ['pipe', 'pipe', 'inherit'] });
}

/** Roots of the cgroup trees: one on hosts with v2 only, else one for each controller of v1. */
function cgroupTrees(): string[] {
  const below = readdirSync(CGROUPS, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  return existsSync(`${CGROUPS}/cgroup.procs`) ? [CGROUPS] : below.map(({ name }) => join(CGROUPS, name));
}

/** crun enters trees that hob does not use, and leaves the parent of its container's cgroup there. */
function removeCgroups(id: string, treesWithHob: readonly string[]): void {
  for (const tree of cgroupTrees()) {
    const hob = join(tree, 'hob');
    if (existsSync(join(hob, id))) rmdirSync(join(hob, id));
    if (existsSync(hob) && !treesWithHob.includes(tree)) rmdirSync(hob);
  }
}
