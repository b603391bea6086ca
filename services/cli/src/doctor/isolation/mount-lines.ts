/** Lines 7 to 13: the root filesystem. */
import { type ContainerSight, mountsOf } from './sight.ts';
import { inEach, type Judge } from './verdict.ts';

const expectedMounts = ['/', '/proc', '/dev', '/dev/shm', '/tmp'];
const expectedDevices = ['full c 1:7', 'null c 1:3', 'random c 1:8', 'urandom c 1:9', 'zero c 1:5'];
const expectedNames = ['bin', 'dev', 'etc', 'lib', 'lib64', 'proc', 'sbin', 'tmp', 'usr', 'var'];

/** The mount points for which something is not so. */
function pointsWhere(container: ContainerSight, isWrong: (point: string, options: ReadonlySet<string>) => boolean) {
  const wrong = mountsOf(container).filter(({ point, options }) => isWrong(point, options));
  return wrong.length === 0 ? undefined : wrong.map(({ point }) => point).join(', ');
}

const propagation = inEach(
  { found: 'private, mounted by descriptor', means: 'mounts inside could appear on the host' },
  (container) =>
    mountsOf(container)
      .flatMap(({ point, ties }) => ties.map((tie) => `${point} ${tie}`))
      .join(', ') || undefined,
);

const root = inEach(
  { found: "read-only, of hob's own copies, nosuid, nodev, noexec where nothing runs", means: 'its files can change' },
  (container) =>
    pointsWhere(container, (point, options) => {
      if (!options.has('nosuid')) return true;
      if (point !== '/dev' && !options.has('nodev')) return true;
      if (point !== '/' && !options.has('noexec')) return true;
      return (point === '/' || point === '/dev') && !options.has('ro');
    }),
);

const writable = inEach(
  { found: '/tmp and /dev/shm, sized, charged to its memory', means: 'it can fill what is not bounded' },
  (container) =>
    pointsWhere(container, (point, options) => {
      if (point !== '/tmp' && point !== '/dev/shm') return false;
      const keys = [...options].map((option) => option.split('=')[0]);
      return !keys.includes('size') || !keys.includes('nr_inodes');
    }),
);

const devices = inEach(
  { found: 'null, zero, full, random, urandom', means: 'it reaches devices of the host' },
  ({ devices: found }) => (found.join() === expectedDevices.join() ? undefined : found.join(', ') || 'none'),
);

const proc = inEach(
  { found: 'its own processes only; no /sys', means: 'it can read about the host, and write to its kernel' },
  (container) => {
    const options = mountsOf(container).find(({ point }) => point === '/proc')?.options;
    if (!options?.has('subset=pid')) return '/proc is whole';
    if (!options.has('hidepid=invisible') && !options.has('hidepid=2')) return "others' processes are shown";
    return container.rootNames.includes('sys') ? 'there is a /sys' : undefined;
  },
);

const oldRoot = inEach(
  { found: 'detached; the mounts are as expected', means: 'files of the host are within reach' },
  (container) => {
    const points = mountsOf(container).map(({ point }) => point);
    return points.join() === expectedMounts.join() ? undefined : points.join(', ');
  },
);

const ownFiles = inEach(
  { found: "hob's own /etc and hostname, nothing else of the host's", means: 'it learns about the host' },
  ({ rootNames, sharedNamespaces }) => {
    if (sharedNamespaces.includes('uts')) return "the host's name";
    const others = rootNames.filter((name) => !expectedNames.includes(name));
    return others.length === 0 && rootNames.length > 0 ? undefined : others.join(', ') || 'its root cannot be read';
  },
);

export const mountLines: Readonly<Record<number, Judge>> = {
  7: propagation,
  8: root,
  9: writable,
  10: devices,
  11: proc,
  12: oldRoot,
  13: ownFiles,
};
