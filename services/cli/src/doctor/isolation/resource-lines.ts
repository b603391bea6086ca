/** Lines 19 to 21: cgroups. */
import type { ContainerSight, HostSight, Sight } from './sight.ts';
import { enforced, inEach, type Judge, missing, type Verdict, weaker, worst } from './verdict.ts';

const besideSystemd = weaker(
  "hob's cgroups are beside systemd's own",
  'systemd may move or remove them; run hob as a service with Delegate=yes, as in infra/systemd',
);

/** The first file that does not hold what it must. */
function wrongFile(container: ContainerSight, files: Readonly<Record<string, RegExp>>): string | undefined {
  for (const [name, value] of Object.entries(files)) {
    const text = container.cgroupFiles.get(name);
    if (text === undefined) return `no ${name}`;
    if (!value.test(text)) return `${name} is ${text.replaceAll('\n', ', ')}`;
  }
  return undefined;
}

function lacksFile({ containers }: Sight, name: string): boolean {
  return containers.some(({ cgroupFiles }) => !cgroupFiles.has(name));
}

const unbounded = 'one container can take what others need';

const version2: Judge = (sight) => {
  const { host } = sight;
  if (host.cgroups !== 'v2') return enforced('this host has v1: see 20');
  const needed = inEach({ found: 'memory, swap, CPU, processes, block devices', means: unbounded }, (container) =>
    wrongFile(container, {
      'memory.max': /^\d+$/,
      'memory.oom.group': /^1$/,
      'cpu.max': /^\d+ \d+$/,
      'pids.max': /^\d+$/,
      'cgroup.max.descendants': /^0$/,
    }),
  )(sight);
  const more: Verdict[] = [];
  if (host.swap && lacksFile(sight, 'memory.swap.max'))
    more.push(weaker('swap is not counted', 'it may be swapped out'));
  if (lacksFile(sight, 'io.max')) more.push(weaker('no io controller', 'the limits on block devices have no effect'));
  if (host.besideSystemd) more.push(besideSystemd);
  return worst(needed, ...more);
};

const version1: Judge = (sight) => {
  const { host } = sight;
  if (host.cgroups === 'v2') return enforced('this host has v2: see 19');
  const needed = inEach(
    { found: 'memory, swap, CPU, processes, devices, block devices', means: unbounded },
    (container) =>
      wrongFile(container, {
        'memory.limit_in_bytes': /^\d{1,15}$/,
        'cpu.cfs_quota_us': /^\d+$/,
        'pids.max': /^\d+$/,
        'devices.list': /^(?:c 1:[35789] rwm\n?){5}$/,
      }),
  )(sight);
  const more: Verdict[] = [];
  if (lacksFile(sight, 'memory.memsw.limit_in_bytes'))
    more.push(weaker('swap is not counted', 'it may be swapped out'));
  if (lacksFile(sight, 'blkio.throttle.read_bps_device')) {
    more.push(weaker('no blkio controller', 'the limits on block devices have no effect'));
  }
  if (host.cgroups === 'v1') more.push(weaker('no v2 tree beside it', 'a container is killed by its pid 1 alone'));
  return worst(needed, ...more);
};

/** Without containers: which controllers there are. */
export function controllersOf(host: HostSight): Verdict {
  if (host.cgroups === undefined) return missing('no cgroups', unbounded);
  return enforced(host.cgroups);
}

const kernelMemory: Judge = ({ containers }) => {
  const limits = containers.map(({ userLimits }) => userLimits);
  if (limits.includes(undefined)) {
    return weaker('inotify not asked: no nsenter(1)', 'watches may be bounded by the host only');
  }
  const wide = limits.some((each) => (each?.get('max_inotify_watches') ?? Infinity) > 8192);
  if (wide) return weaker('inotify is bounded by the host only', 'watches of one container count against none');
  return enforced('files in memory, pipes and sockets are charged; inotify, mounts and queues are capped');
};

export const resourceLines: Readonly<Record<number, Judge>> = { 19: version2, 20: version1, 21: kernelMemory };
