import { dirname } from 'node:path';
import { humanBytes } from '../terminal.ts';
import { type Finding, type Host, missing, ok, warning } from './finding.ts';

/** What the checks of programs and files look at. */
export interface ProgramPlaces {
  readonly nodeVersion: string;
  readonly platform: string;
  readonly dataDir: string;
  /** True when HOB_REDIS_URL names a Redis, so that no private one is needed. */
  readonly foreignRedis: boolean;
  /** Made by the set-up: the native libraries, and the root filesystem of containers. */
  readonly libraries: readonly string[];
  readonly rootfs: string;
}

const FREE_BYTES_MIN = 1024 ** 3;
const setUp = 'run "npm start" once in the repository';

/** What must be installed and built. */
export async function programChecks(host: Host, places: ProgramPlaces): Promise<Finding[]> {
  return [
    platform(places),
    node(places),
    await redis(host, places),
    libseccomp(host),
    nativeLibrary(host, places),
    rootfs(host, places),
    dataFolder(host, places),
  ];
}

function platform({ platform: name }: ProgramPlaces): Finding {
  if (name === 'linux-x64' || name === 'linux-arm64') return ok('platform', name);
  return missing('platform', name, 'hob runs on Linux on x64 and arm64');
}

function node({ nodeVersion }: ProgramPlaces): Finding {
  const [major = 0, minor = 0] = nodeVersion.split('.').map(Number);
  if (major > 24 || (major === 24 && minor >= 12)) return ok('node', nodeVersion);
  return missing('node', nodeVersion, 'run hob as "npx hob", which goes on in the Node that the repository pins');
}

async function redis(host: Host, { foreignRedis }: ProgramPlaces): Promise<Finding> {
  if (foreignRedis) return ok('redis-server', 'not needed: HOB_REDIS_URL is set');
  const path = host.which('redis-server');
  if (path === undefined) return missing('redis-server', 'not installed', 'apt-get install redis-server');
  const { output } = await host.run(path, ['--version']);
  const version = /\bv=(\d+)(\.[\d.]+)/.exec(output);
  const found = `${path} ${version === null ? '' : `${version[1]}${version[2]}`}`.trim();
  if (Number(version?.[1]) >= 6) return ok('redis-server', found);
  return missing('redis-server', found, 'install Redis 6 or newer');
}

const libraryFolders = ['/lib', '/usr/lib', '/lib64', '/usr/lib64', '/usr/local/lib'];
const triplets = ['', '/x86_64-linux-gnu', '/aarch64-linux-gnu'];

function libseccomp(host: Host): Finding {
  const paths = libraryFolders.flatMap((folder) => triplets.map((triplet) => `${folder}${triplet}/libseccomp.so.2`));
  const path = paths.find((each) => host.exists(each));
  if (path !== undefined) return ok('libseccomp', path);
  return missing('libseccomp', 'not installed', 'apt-get install libseccomp2');
}

function nativeLibrary(host: Host, { libraries }: ProgramPlaces): Finding {
  const absent = libraries.filter((path) => !host.exists(path));
  if (absent.length === 0) return ok('libhob', libraries.map((path) => path).join(', '));
  return missing('libhob', `${absent.join(', ')} not built`, setUp);
}

function rootfs(host: Host, { rootfs: path }: ProgramPlaces): Finding {
  // "current" names a folder, as a link or as a file.
  if (host.exists(path)) return ok('rootfs', path);
  return missing('rootfs', `${path} not built`, setUp);
}

function dataFolder(host: Host, { dataDir }: ProgramPlaces): Finding {
  let existing = dataDir;
  while (!host.exists(existing) && existing !== dirname(existing)) existing = dirname(existing);
  const free = host.freeBytes(existing);
  const found = `${dataDir}${existing === dataDir ? '' : ' (not there yet)'}, ${humanBytes(free ?? 0)} free`;
  if (free !== undefined && free >= FREE_BYTES_MIN) return ok('data-folder', found);
  return warning('data-folder', found, 'make room, or set HOB_DATA_DIR to a folder with at least 1 GB free');
}
