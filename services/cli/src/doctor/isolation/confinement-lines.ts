/** Lines 17, 18, 22 and 23: security modules, system calls, network. */
import { type HostSight, type Sight, statusField } from './sight.ts';
import { enforced, inEach, type Judge, missing, type Verdict, weaker, worst } from './verdict.ts';

/** What each version of Landlock added that hob uses. */
const LANDLOCK_USED_MIN = 2;
const LANDLOCK_SCOPES = 6;

/** Without containers: which modules are there to confine them. */
export function modulesOf(host: HostSight): Verdict {
  const { landlockAbi, apparmor, selinux, lacks } = host;
  if (lacks.length > 0) return missing(lacks.join('; '), 'one wall less than this host could have');
  const modules = [...(apparmor ? ['AppArmor'] : []), ...(selinux === 'enforcing' ? ['SELinux'] : [])];
  const landlock = landlockAbi >= LANDLOCK_USED_MIN ? [`Landlock ${landlockAbi}`] : [];
  const all = [...modules, ...landlock];
  const old = landlockAbi > 0 ? 'Landlock 1 is too old' : 'no Landlock';
  if (all.length === 0) return missing(`${old}, no AppArmor, no SELinux`, 'mounts and seccomp are the last walls');
  if (landlock.length === 0) return weaker(`${all.join(', ')}; ${old}`, 'the floor below the other walls is absent');
  if (selinux === 'permissive') return weaker(`${all.join(', ')}; SELinux is permissive`, 'SELinux only logs');
  return enforced(all.join(', '));
}

const modules: Judge = (sight) => {
  const labelled = inEach({ found: '', means: 'one wall less than this host could have' }, ({ apparmor, selinux }) => {
    if (sight.host.apparmor && apparmor !== 'hob-container (enforce)')
      return `AppArmor calls it ${apparmor || 'nothing'}`;
    if (sight.host.selinux && !selinux.includes(':hob_container_t:')) return `SELinux calls it ${selinux || 'nothing'}`;
    return undefined;
  })(sight);
  return worst(modulesOf(sight.host), labelled);
};

/** Whether the kernel has what the filter needs. */
export function filterOf({ seccompActions }: HostSight): Verdict {
  if (seccompActions.includes('kill_process')) return enforced('native/profiles/seccomp.profile');
  return missing('no seccomp filters, or no kill_process', 'every system call is allowed');
}

const filter: Judge = (sight) =>
  worst(
    filterOf(sight.host),
    inEach({ found: '', means: 'every system call is allowed' }, (container) =>
      statusField(container, 'Seccomp') === '2' ? undefined : 'no filter is installed',
    )(sight),
  );

/** Interfaces of a network namespace. */
function interfaces(netDev: string): string[] {
  return netDev
    .trimEnd()
    .split('\n')
    .slice(2)
    .map((line) => line.split(':')[0]?.trim() ?? '');
}

const network = inEach(
  { found: 'class none: loopback only', means: 'it reaches the network' },
  ({ netDev, sharedNamespaces }) => {
    if (sharedNamespaces.includes('net')) return "the host's network";
    const others = interfaces(netDev).filter((name) => name !== 'lo');
    return others.length === 0 ? undefined : others.join(', ');
  },
);

const sockets: Judge = (sight: Sight) => {
  const how = sight.host.landlockAbi >= LANDLOCK_SCOPES ? 'network namespace, root filesystem, Landlock' : undefined;
  return inEach(
    { found: how ?? 'network namespace, root filesystem', means: "it can connect to the host's services" },
    ({ sharedNamespaces }) => (sharedNamespaces.includes('net') ? "the host's abstract sockets" : undefined),
  )(sight);
};

export const confinementLines: Readonly<Record<number, Judge>> = { 17: modules, 18: filter, 22: network, 23: sockets };
