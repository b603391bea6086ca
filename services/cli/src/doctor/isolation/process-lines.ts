/** Lines 1 to 6, 14 to 16 and 24 to 26: processes, their ids, rights, limits and ends. */
import type { ContainerSight } from './sight.ts';
import { statusField } from './sight.ts';
import { enforced, inEach, type Judge, missing, weaker, worst } from './verdict.ts';

const zygote: Judge = ({ zygote: { environment, inheritable } }) => {
  if (environment === '' && inheritable === 0)
    return enforced('its environment is empty, its descriptors close at exec');
  const what = environment === '' ? `${inheritable} of its descriptors stay open at exec` : 'it has an environment';
  return missing(what, 'a function may find there what is not its own');
};

/** The fields of /proc/<pid>/stat from the state on. */
function statFields({ stat }: ContainerSight): string[] {
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
}

const session = inEach(
  { found: 'leader of its own, no terminal, no signal blocked', means: "the host's terminal or signals reach it" },
  (container) => {
    const [, , , leader, terminal] = statFields(container);
    if (leader !== container.stat.split(' ')[0]) return `its session is ${leader}'s`;
    if (terminal !== '0') return `it has the terminal ${terminal}`;
    return /^0+$/.test(statusField(container, 'SigBlk')) ? undefined : 'signals are blocked';
  },
);

const limitsFirst = inEach(
  { found: 'cgroups, uid and limits are set before its first instruction', means: 'nothing bounds its start' },
  (container) => {
    const outside = container.cgroup.split('\n').filter((line) => /:(?:memory|pids|cpu|):\/$/.test(line));
    return outside.length === 0 ? undefined : `in the top cgroup of ${outside.join(', ')}`;
  },
);

const cgroupNamespace = inEach(
  { found: 'it begins at the container', means: 'the names of other cgroups can be read' },
  ({ sharedNamespaces }) => (sharedNamespaces.includes('cgroup') ? "the host's" : undefined),
);

const namespaces: Judge = (sight) => {
  const needed = inEach(
    { found: 'pid, mnt, net, uts, ipc, cgroup, user, time', means: 'it shares with the host what it must not' },
    ({ sharedNamespaces }) => sharedNamespaces.filter((name) => name !== 'time').join(', ') || undefined,
  )(sight);
  const shown = "its clocks since boot are the host's: how long that has been up can be read";
  const shares = sight.containers.some(({ sharedNamespaces }) => sharedNamespaces.includes('time'));
  if (shares) return worst(needed, weaker('no time namespace', shown));
  const isSet = sight.containers.every(({ timeOffsets }) => /^monotonic +(?:-?[1-9]|0 +[1-9])/m.test(timeOffsets));
  return isSet ? needed : worst(needed, weaker('a time namespace without offsets', shown));
};

const ids: Judge = (sight) => {
  const own = inEach(
    { found: 'a uid of its own, one-line maps, no namespace can be made', means: "it has the host's ids" },
    (container) => {
      const [id = '0'] = statusField(container, 'Uid').split('\t');
      if (id === '0') return 'it runs as uid 0';
      if (container.maps.some((map) => !map.endsWith(` ${id} 1`) || map.startsWith('0 '))) return 'its maps are wider';
      return container.setgroups === 'deny' ? undefined : 'groups can be set';
    },
  )(sight);
  const limits = sight.containers.map(({ userLimits }) => userLimits);
  const means = 'only seccomp and the lack of capabilities forbid to make namespaces';
  if (limits.includes(undefined)) return worst(own, weaker('user.max_*_namespaces not asked: no nsenter(1)', means));
  const open = limits.flatMap((each) => [...(each ?? [])]).filter(([name, n]) => name.endsWith('namespaces') && n > 0);
  return open.length === 0 ? own : worst(own, weaker(`${open[0]?.[0]} is ${open[0]?.[1]} inside`, means));
};

const capabilities = inEach(
  { found: 'none in any set, no group', means: 'the function has rights over the host' },
  (container) => {
    const sets = ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb'].filter(
      (name) => !/^0+$/.test(statusField(container, name)),
    );
    if (sets.length > 0) return `${sets.join(', ')} not empty`;
    return statusField(container, 'Groups') === '' ? undefined : 'it has groups';
  },
);

const loop = ['anon_inode:[eventpoll]', 'anon_inode:[eventfd]'];

const privileges = inEach(
  { found: 'no_new_privs, a new session keyring, its own descriptors only', means: 'a program could gain rights' },
  (container) => {
    if (statusField(container, 'NoNewPrivs') !== '1') return 'no_new_privs is not set';
    const expected = new Set(['pipe:[N]', 'socket:[N]', '', ...(container.kind === 'forked' ? loop : [])]);
    return container.descriptors.find((target) => !expected.has(target));
  },
);

/** Where a limit must be what it says: soft and hard. */
const limitRows: readonly (readonly [name: string, value: RegExp])[] = [
  ['Max core file size', /^1 +1$/],
  ['Max open files', /^\d+ +\d+$/],
  ['Max processes', /^\d+ +\d+$/],
  ['Max file size', /^\d+ +\d+$/],
  ['Max locked memory', /^65536 +65536$/],
  ['Max msgqueue size', /^0 +0$/],
  ['Max pending signals', /^1024 +1024$/],
];

const resourceLimits = inEach(
  { found: 'core 1, and bounds for files, processes, locked memory, queues, signals', means: 'it is not bounded' },
  ({ limits }) => {
    const wrong = limitRows.filter(([name, value]) => {
      const line = limits.split('\n').find((text) => text.startsWith(name)) ?? '';
      return !value.test(/^((?:\S+ +){2})/.exec(line.slice(name.length).trimStart())?.[1]?.trim() ?? '');
    });
    return wrong.length === 0 ? undefined : wrong.map(([name]) => name).join(', ');
  },
);

const death: Judge = ({ left, host }) => {
  if (left.length > 0) return missing(left.join(', '), 'what a function started may outlive it');
  const how = host.cgroups === 'v1' ? 'SIGKILL by pidfd to its pid 1' : 'cgroup.kill';
  return enforced(`${how}; nothing was left`);
};

export const processLines: Readonly<Record<number, Judge>> = {
  1: zygote,
  2: session,
  3: limitsFirst,
  4: cgroupNamespace,
  5: namespaces,
  6: ids,
  14: capabilities,
  15: privileges,
  16: resourceLimits,
  24: death,
  25: () => enforced('by the scheduler and by "hob logs", the same on every host'),
  26: () => enforced('by the runtime, the same on every host'),
};
