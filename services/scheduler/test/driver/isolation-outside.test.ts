/** What the host sees of a container: the same for one that was forked and for one that executes a program. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { functionConfigSchema } from '@hob/contracts';
import type { ContainerProcess } from '../../src/container-driver.ts';
import { detectCgroups } from '../../src/driver/cgroup-host.ts';
import { driverDefaults } from '../../src/driver/driver-options.ts';
import { HostDriver } from '../../src/driver/host-driver.ts';
import { driverOptions, evaluate, kindOf, shellProgram } from './real-driver.ts';

const MiB = 1024 * 1024;
const runtimes = { forked: 'nodejs24.x', executed: 'shell' } as const;

// One driver for all tests: a zygote takes long to boot.
let driver: HostDriver;
before(async () => {
  driver = await HostDriver.open(driverOptions({ programs: { shell: shellProgram('exec sleep 1000') } }));
});
after(() => driver.close());

/** Makes a container that waits: the shell, once it has parked, by becoming a program that has no descriptors of its own. */
async function withContainer(
  runtime: string,
  use: (container: ContainerProcess, zygotePid: number) => Promise<void> | void,
): Promise<void> {
  const container = await driver.create({ ...kindOf(128), runtime });
  try {
    while (procFile(container, 'comm') === 'sh') {
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    await use(container, driver.zygotes()[0]?.pid ?? 0);
  } finally {
    container.kill();
    await container.exited;
  }
}

function procFile(container: ContainerProcess, name: string): string {
  return readFileSync(`/proc/${container.pid}/${name}`, 'utf8').trim();
}

for (const [path, runtime] of Object.entries(runtimes)) {
  test(`${path}: a container has a uid of its own, no capability, no new privileges and a seccomp filter`, async () => {
    await withContainer(runtime, (container) => {
      const status = procFile(container, 'status');
      const field = (name: string): string => new RegExp(`^${name}:[ \\t]*(.*)$`, 'm').exec(status)?.[1] ?? '';
      const uid = Number(field('Uid').split('\t')[0]);
      assert.ok(uid >= driverDefaults.hostUidFirst && uid < driverDefaults.hostUidFirst + driverDefaults.hostUids);
      assert.equal(field('Uid'), `${uid}\t${uid}\t${uid}\t${uid}`);
      assert.equal(field('Gid'), `${uid}\t${uid}\t${uid}\t${uid}`);
      assert.equal(field('Groups').trim(), '');
      for (const set of ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb'])
        assert.equal(field(set), '0000000000000000');
      assert.equal(field('NoNewPrivs'), '1');
      assert.equal(field('Seccomp'), '2');
      assert.equal(procFile(container, 'uid_map').split(/\s+/).join(' '), `1000 ${uid} 1`);
      assert.equal(procFile(container, 'gid_map').split(/\s+/).join(' '), `1000 ${uid} 1`);
      assert.equal(procFile(container, 'setgroups'), 'deny');
      assert.equal(procFile(container, 'oom_score_adj'), '500');
    });
  });

  test(`${path}: a container shares no namespace with the host or its zygote, and leads a session`, async () => {
    await withContainer(runtime, (container, zygotePid) => {
      for (const kind of ['pid', 'mnt', 'net', 'uts', 'ipc', 'cgroup', 'user', 'time']) {
        const own = readlinkSync(`/proc/${container.pid}/ns/${kind}`);
        for (const other of ['self', zygotePid]) assert.notEqual(own, readlinkSync(`/proc/${other}/ns/${kind}`), kind);
      }
      const [, , group, session] = procFile(container, 'stat').split(') ')[1]?.split(' ') ?? [];
      assert.deepEqual([group, session], [String(container.pid), String(container.pid)]);
    });
  });

  test(`${path}: in a container no namespace can be made, and inotify is bounded, by the kernel's own limits`, async () => {
    await withContainer(runtime, (container) => {
      const files = readdirSync('/proc/sys/user').filter((name) => /namespaces$|^max_inotify/.test(name));
      const paths = files.map((name) => `/proc/sys/user/${name}`);
      // A process that visits the user namespace sees its limits.
      const args = ['--target', String(container.pid), '--user', '--preserve-credentials', 'grep', '-H', '', ...paths];
      const lines = execFileSync('nsenter', args, { encoding: 'utf8' }).trim().split('\n');
      assert.equal(lines.length, files.length);
      for (const line of lines) {
        const [file = '', limit] = line.split(':');
        if (file.endsWith('namespaces')) assert.equal(limit, '0', file);
        else assert.ok(Number(limit) <= 8192, line);
      }
    });
  });

  test(`${path}: a container sees only its own mounts, all but /tmp and /dev/shm read-only`, async () => {
    await withContainer(runtime, (container) => {
      const mounts = procFile(container, 'mountinfo').split('\n');
      const seen = mounts.map((line) => [line.split(' ')[4], line.split(' ')[5]?.split(',').slice(0, 4).join()]);
      assert.deepEqual(seen, [
        ['/', 'ro,nosuid,nodev,relatime'],
        ['/proc', 'rw,nosuid,nodev,noexec'],
        ['/dev', 'ro,nosuid,noexec,relatime'],
        ['/dev/shm', 'rw,nosuid,nodev,noexec'],
        ['/tmp', 'rw,nosuid,nodev,noexec'],
      ]);
      assert.match(mounts[1] ?? '', /subset=pid/);
      assert.match(mounts[1] ?? '', /hidepid=(?:2|invisible)/);
    });
  });

  test(`${path}: a container has no descriptor but its pipes, its frames and its event loop`, async () => {
    await withContainer(runtime, async (container) => {
      const dir = `/proc/${container.pid}/fd`;
      const look = (): string[] => readdirSync(dir).map((fd) => readlinkSync(`${dir}/${fd}`).replace(/\d+/, 'N'));
      let kinds: string[] | undefined;
      // The dynamic linker of a program that was just executed is not done while it has a library open, or closes one meanwhile.
      while (kinds === undefined || kinds.some((kind) => kind.includes('.so'))) {
        await new Promise((resolve) => setTimeout(resolve, 1));
        try {
          kinds = look();
        } catch {
          kinds = undefined;
        }
      }
      const loop = ['anon_inode:[eventpoll]', 'anon_inode:[eventfd]'];
      const allowed = new Set(['pipe:[N]', 'socket:[N]', ...(path === 'forked' ? loop : [])]);
      for (const kind of kinds) assert.ok(allowed.has(kind), kind);
      assert.equal(kinds.filter((kind) => kind.startsWith('socket')).length, 1);
    });
  });

  test(`${path}: the limits of a container are set from the start`, async () => {
    await withContainer(runtime, (container) => {
      const limits = procFile(container, 'limits');
      const expected = {
        'Max core file size': 1,
        'Max open files': driverDefaults.nofileMax,
        'Max processes': 2 * functionConfigSchema.properties.pids.maximum,
        'Max file size': driverDefaults.fileBytesMax,
        'Max locked memory': 65536,
        'Max msgqueue size': 0,
        'Max pending signals': 1024,
      };
      for (const [name, value] of Object.entries(expected)) {
        assert.match(limits, new RegExp(`^${name} +${value} +${value} `, 'm'));
      }
      for (const [file, value] of Object.entries(cgroupValues())) {
        assert.equal(readFileSync(cgroupFile(container, file), 'utf8').trim(), String(value), file);
      }
    });
  });

  test(`${path}: a container is in the cgroups that limit it, and in a cgroup namespace that begins there`, async () => {
    await withContainer(runtime, (container) => {
      const name = `hob/${driverOptions().instance}/${container.id}`;
      const all = procFile(container, 'cgroup').split('\n');
      const host = detectCgroups();
      const needed = host.version === 2 ? [''] : ['memory', 'pids', 'cpu', 'cpuacct', 'devices'];
      if (host.version === 1 && host.unified !== undefined) needed.push('');
      for (const controller of needed) {
        const line = all.find((each) => each.split(':')[1]?.split(',').includes(controller));
        assert.ok(line?.endsWith(name), `${controller}: ${line}`);
      }
      // A visitor of the namespace, whose own cgroup is elsewhere, sees that as beside or above the root.
      const args = ['--target', String(container.pid), '--cgroup', 'cat', '/proc/self/cgroup'];
      assert.match(execFileSync('nsenter', args, { encoding: 'utf8' }), /^0?\d*:[^:]*:\/\.\./m);
    });
  });
}

/** Files of a container's cgroups, with what is in them. */
function cgroupValues(): Readonly<Record<string, string | number>> {
  const host = detectCgroups();
  const everywhere = { 'pids.max': driverDefaults.pidsMax };
  const v1 = {
    'memory.limit_in_bytes': 128 * MiB,
    'memory.memsw.limit_in_bytes': 128 * MiB,
    'cpu.cfs_quota_us': 100_000,
    'devices.list': ['c 1:3 rwm', 'c 1:5 rwm', 'c 1:7 rwm', 'c 1:8 rwm', 'c 1:9 rwm'].join('\n'),
  };
  const v2 = { 'memory.max': 128 * MiB, 'memory.swap.max': 0, 'memory.oom.group': 1, 'cpu.max': '100000 100000' };
  const unified = { 'cgroup.max.descendants': 0, 'cgroup.freeze': 0 };
  if (host.version === 2) return { ...everywhere, ...v2, ...unified };
  return { ...everywhere, ...v1, ...(host.unified === undefined ? {} : unified) };
}

function cgroupFile({ id }: ContainerProcess, file: string): string {
  const host = detectCgroups();
  const below = `hob/${driverOptions().instance}/${id}/${file}`;
  if (host.version === 2) return `${host.mount}/${below}`;
  const controller = file.split('.')[0] as 'memory';
  return `${controller.startsWith('cgroup') ? host.unified : host.mounts.get(controller)}/${below}`;
}

test('the clocks of a container start near zero, and its timers go on', async () => {
  // The zygote is older than the container by this.
  await withContainer(runtimes.forked, () => new Promise((resolve) => setTimeout(resolve, 1500)));
  await withContainer(runtimes.forked, async (container) => {
    const body = `const os = await import('node:os');
      const started = [process.hrtime()[0], os.uptime()];
      const waits = await Promise.all([1, 20, 40].map((ms) => {
        const start = performance.now();
        return new Promise((resolve) => setTimeout(() => resolve(performance.now() - start >= ms - 1), ms));
      }));
      return JSON.stringify([...started, ...waits]);`;
    const [monotonic, uptime, ...waits] = JSON.parse(await evaluate(container, body)) as number[];
    assert.ok(Number(monotonic) < 30 && Number(uptime) < 30, `${monotonic} ${uptime}`);
    assert.deepEqual(waits, [true, true, true]);
  });
});
