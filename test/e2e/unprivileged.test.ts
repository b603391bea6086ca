import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, existsSync, lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { chmod, mkdir } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { dropPath } from '@hob/native';
import { execa } from 'execa';
import { exampleFolder } from '../support/example.ts';
import { freePort } from '../support/free-port.ts';
import { hobProgram, HobServer, repository, serveProgram } from '../support/hob-server.ts';
import { cgroupFolders, cgroupName, mounts } from '../support/host-census.ts';
import { call } from '../support/http-call.ts';
import { enterWorldOfOwn, outside } from '../support/outside.ts';
import { descendants, isRunning, serverPid, statusField } from '../support/processes.ts';
import { TemporaryFolder } from '../support/temporary-folder.ts';
import { until } from '../support/until.ts';

/** Where a host has no user called hob. */
const UID = 1_999_999;
const capabilitySets = ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb'];

/** What a process may do, as the kernel says. */
function privileges(pid: number) {
  return {
    ids: ['Uid', 'Gid'].map((name) => statusField(pid, name)),
    groups: statusField(pid, 'Groups'),
    capabilities: capabilitySets.map((set) => BigInt(`0x${statusField(pid, set)}`)),
    noNewPrivileges: statusField(pid, 'NoNewPrivs'),
  };
}

function assertUnprivileged(pid: number, uid: string): void {
  const same = Array.from({ length: 4 }).fill(uid).join('\t');
  assert.deepEqual(privileges(pid), {
    ids: [same, same],
    groups: '',
    capabilities: capabilitySets.map(() => 0n),
    noNewPrivileges: '1',
  });
}

/** Every file below a folder that does not belong to a user. */
function foreign(folder: string, uid: number): string[] {
  const paths = readdirSync(folder, { recursive: true, encoding: 'utf8' }).map((name) => join(folder, name));
  return [folder, ...paths].filter((path) => lstatSync(path).uid !== uid);
}

/** '' when it has ended meanwhile. */
function userOf(pid: number): string {
  return existsSync(`/proc/${pid}/status`) ? (statusField(pid, 'Uid').split('\t')[0] ?? '') : '';
}

/** '' when it has ended meanwhile. */
function programOf(pid: number): string {
  try {
    return readlinkSync(`/proc/${pid}/exe`);
  } catch {
    return '';
  }
}

test('hob serve of root serves as a user that has no privilege and can gain none', async () => {
  await using hob = await HobServer.create();
  await hob.deploy(exampleFolder('hello'));
  assert.equal((await hob.fn('hello')).status, 200);
  const server = serverPid(hob.pid);
  const uid = userOf(server);
  assert.notEqual(uid, '0');
  assertUnprivileged(server, uid);
  const family = descendants(hob.pid);
  const redis = family.filter((seen) => seen.parentPid === server);
  assert.equal(redis.length, 1);
  for (const { pid } of redis) assertUnprivileged(pid, uid);
  const roots = descendants(hob.pid).filter(({ pid }) => userOf(pid) === '0');
  assert.ok(roots.length > 0);
  // Zygotes, and what they have just forked, run in the root filesystem's Node; nothing else of hob's is root.
  for (const { pid } of roots) assert.match(programOf(pid), /^(?:\/.*\/\.hob\/rootfs\/.*\/usr\/local\/bin\/node)?$/);
  assert.deepEqual(foreign(hob.dataDir, Number(uid)), []);
  assert.equal(lstatSync(hob.dataDir).mode & 0o777, 0o700);
});

test('hob serve ends with a word and leaves nothing when its server is killed, and starts again', async () => {
  const mountsBefore = mounts();
  await using hob = await HobServer.create();
  await hob.deploy(exampleFolder('hello'));
  const [family, cgroups] = [descendants(hob.pid), cgroupName(hob.pid)];
  const ended = hob.ended();
  process.kill(serverPid(hob.pid), 'SIGKILL');
  assert.equal(await ended, 1);
  assert.match(hob.output, /the server was ended by a signal/);
  await until('everything is gone', () => !family.some(isRunning));
  assert.deepEqual(cgroupFolders(cgroups), []);
  assert.deepEqual(mounts(), mountsBefore);
  await hob.start();
  assert.equal((await hob.fn('hello', { body: '{"name":"again"}' })).status, 200);
});

test("hob serve takes over a data folder that was root's, with all that is in it", async () => {
  await using hob = await HobServer.create();
  await hob.deploy(exampleFolder('hello'));
  assert.equal(await hob.stop(), 0, hob.output);
  for (const path of foreign(hob.dataDir, 0)) chownSync(path, 0, 0);
  assert.deepEqual(foreign(hob.dataDir, 0), []);
  await hob.start();
  assert.equal((await hob.fn('hello')).status, 200);
  assert.deepEqual(foreign(hob.dataDir, Number(userOf(serverPid(hob.pid)))), []);
});

/** What the launcher's unit leaves it, as setpriv(1) names it. */
function launcherCapabilities(): string[] {
  const unit = readFileSync(join(repository, 'infra/systemd/hob-launcher@.service'), 'utf8');
  const lines = [...unit.matchAll(/^CapabilityBoundingSet=(.*)$/gm)].map(([, names = '']) => names);
  const names = lines.flatMap((line) => line.split(' '));
  assert.ok(names.length > 0 && names.length < 20);
  return names.map((name) => name.replace('CAP_', '+').toLowerCase());
}

/** What systemd does for the launcher: it listens, and starts one for each connection, one at a time, with its capabilities. */
class LauncherSocket implements AsyncDisposable {
  readonly #server: Server;
  readonly #env: Record<string, string>;
  #launcher: ChildProcess | undefined;
  #ended: Promise<unknown> = Promise.resolve();
  output = '';

  private constructor(env: Record<string, string>) {
    this.#env = env;
    this.#server = createServer({ pauseOnConnect: true }, (socket) => this.#accept(socket));
  }

  static async listen(path: string, env: Record<string, string>): Promise<LauncherSocket> {
    const listener = new LauncherSocket(env);
    listener.#server.listen(path);
    await once(listener.#server, 'listening');
    await chmod(path, 0o660);
    chownSync(path, 0, UID);
    return listener;
  }

  get pid(): number {
    return this.#launcher?.pid ?? 0;
  }

  /** Resolved when the launcher that was started last has ended. */
  async ended(): Promise<void> {
    await this.#ended;
  }

  #accept(socket: Socket): void {
    if (this.#launcher !== undefined) {
      socket.destroy();
      return;
    }
    const bounds = ['--inh-caps=-all', `--bounding-set=-all,${launcherCapabilities().join(',')}`];
    const launcher = spawn('setpriv', [...bounds, process.execPath, serveProgram, 'launcher'], {
      env: this.#env,
      stdio: ['ignore', 'pipe', 'pipe', socket],
    });
    socket.destroy(); // the launcher has its own copy
    this.#launcher = launcher;
    for (const stream of [launcher.stdout, launcher.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => (this.output += text));
    }
    this.#ended = once(launcher, 'exit').then(() => (this.#launcher = undefined));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close();
    await this.#ended;
  }
}

/** A `hob serve` without privileges, as a service manager starts it. */
async function startUnprivileged(folders: readonly string[], env: Record<string, string>, uid = UID) {
  const command = [
    String(uid),
    String(uid),
    'no-ports',
    repository,
    ...folders,
    '--',
    process.execPath,
    serveProgram,
    'serve',
  ];
  const child = spawn(dropPath, command, { env, stdio: ['ignore', 'pipe', 'pipe'] });
  const ended = once(child, 'exit') as Promise<[number | null]>;
  const seen = { output: '' };
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => (seen.output += text));
  }
  return { child, ended, seen };
}

test('hob serve without privileges serves by a launcher that is a service of its own, and has what its unit leaves it', async () => {
  await using _world = await enterWorldOfOwn();
  await using folder = await TemporaryFolder.create('units');
  const [dataDir, run, home] = ['data', 'run', 'home'].map((name) => join(folder.path, name)) as [
    string,
    string,
    string,
  ];
  for (const path of [dataDir, run, home]) await mkdir(path, { mode: path === dataDir ? 0o700 : 0o755 });
  chownSync(dataDir, UID, UID);
  const socketPath = join(run, 'launcher.sock');
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const env = {
    PATH: '/usr/bin:/bin',
    HOME: home,
    HOB_USER: String(UID),
    HOB_LISTEN: `127.0.0.1:${port}`,
    HOB_DATA_DIR: dataDir,
    HOB_LAUNCHER: socketPath,
  };
  await using socket = await LauncherSocket.listen(socketPath, env);
  const ready = () =>
    until(`${url}/readyz answers 200`, async () => {
      const answer = await call(`${url}/readyz`).catch(() => undefined);
      return answer?.status === 200;
    });

  const stranger = await startUnprivileged([dataDir, run], env, UID - 1);
  assert.equal((await stranger.ended)[0], 1, 'the socket is closed to others');
  assert.equal(socket.pid, 0);

  const first = await startUnprivileged([dataDir, run], env);
  await ready();
  assertUnprivileged(first.child.pid ?? 0, String(UID));
  const token = /token: (\S+)/.exec(first.seen.output)?.[1] ?? '';
  assert.match(readFileSync(join(home, '.config/hob/token'), 'utf8'), new RegExp(token), "root's commands have it");
  const headers = { authorization: `Bearer ${token}` };
  assert.equal((await call(`${url}/v1/functions`, { headers })).status, 200);
  await until('containers are parked', async () => {
    const stats = await call(`${url}/v1/stats`, { headers });
    return /"parked":[1-9]/.test(stats.body.toString());
  });
  // Outbound network takes most of what the launcher may do.
  const reach = join(repository, 'test/functions/reach');
  await execa(process.execPath, [hobProgram, 'deploy', reach], {
    env: { ...env, HOB_URL: url, HOB_TOKEN: token },
    extendEnv: false,
  });
  const reached = await call(`${url}/fn/reach/?url=http://${outside.web}/`);
  assert.equal(reached.body.toString(), `web ${outside.host}`);
  const family = descendants(socket.pid);
  const cgroups = cgroupName(socket.pid);
  first.child.kill('SIGKILL');
  await socket.ended();
  assert.deepEqual(family.filter(isRunning), []);
  assert.deepEqual(cgroupFolders(cgroups), []);

  const second = await startUnprivileged([dataDir, run], env);
  await ready();
  process.kill(socket.pid, 'SIGKILL');
  assert.equal((await second.ended)[0], 1);
  assert.match(second.seen.output, /there is no launcher any more/);

  const third = await startUnprivileged([dataDir, run], env);
  await ready();
  third.child.kill('SIGTERM');
  assert.equal((await third.ended)[0], 0, third.seen.output);
  await socket.ended();
  assert.deepEqual(cgroupFolders(cgroups), []);
  assert.equal(existsSync(join(dataDir, 'redis', 'redis.sock')), false);
});
