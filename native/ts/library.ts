import { fail } from '@hob/contracts';
import koffi, { type LibraryHandle } from 'koffi';
import { checked, type ParameterType, errnoName, stepName } from './errors.ts';

const STEP_BYTES = 64;
const CGROUPS_MAX = 8;
const LOOP_FDS_MAX = 48;

/** What a container is made of: `struct hob_spec` of native/include/hob.h, where each field is described. */
export interface ContainerSpec {
  readonly root: string;
  readonly hostname: string;
  readonly cgroupDirs: readonly string[];
  readonly cgroup2Dir?: string | undefined;
  readonly netns: string;
  readonly hostUid: number;
  readonly insideUid: number;
  readonly tmpBytes: number;
  readonly tmpInodes: number;
  readonly shmBytes: number;
  readonly nofileMax: number;
  readonly nprocMax: number;
  readonly fileBytesMax: number;
  readonly clockStartNs: number;
  readonly tcpAllowed: boolean;
  readonly apparmorProfile?: string | undefined;
  readonly selinuxContext?: string | undefined;
  readonly selinuxFiles?: string | undefined;
  readonly framesFd: number;
  readonly loopFds: readonly number[];
  readonly noticesFd: number;
}

/** `struct hob_limits`: limits that a container got at its fork, given anew. 0 leaves one as it is. */
export interface NewLimits {
  readonly nofileMax: number;
  readonly tmpBytes: number;
  readonly tmpInodes: number;
  readonly hostUid: number;
}

/** `struct hob_server`: what a zygote forks containers with, of which its host says only what differs. */
export interface ZygoteServer extends Pick<ContainerSpec, 'insideUid' | 'clockStartNs' | 'framesFd' | 'loopFds'> {
  /** The stream that requests come over, see `fork-request.ts`. */
  readonly control: number;
  /** Takes the host's descriptors, and brings those that a request needs. */
  readonly channel: number;
  readonly filter: SeccompFilter;
}

/** What a program is executed with, in a container. */
export interface SpawnParts {
  readonly spec: ContainerSpec;
  readonly filter: SeccompFilter;
  /** The zygote's end of the channel that takes the host's descriptors. */
  readonly channel: number;
  readonly serial: number;
}

/** A program that a container executes: `struct hob_program`. */
export interface ContainerProgram {
  /** The program's absolute path inside, and its arguments. */
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Its working directory. */
  readonly folder: string;
}

/** Descriptors that came with a number; the receiver owns them. */
export interface ReceivedFds {
  readonly serial: number;
  readonly fds: readonly number[];
}

/** A compiled seccomp filter. */
export type SeccompFilter = { readonly __filter: never };

/** libhob, as native/include/hob.h describes it; a negative result is thrown as ERR_NATIVE_SYSCALL with its step. */
export interface Native {
  loadFilter(path: string): SeccompFilter;
  /**
   * Forks containers as the host asks. A child that cannot enter its container ends by itself.
   *
   * @param buffer for requests.
   * @returns true in each child, which is inside its container then; the text of a request that is for no fork; undefined
   *   when the host is gone.
   */
  serve(server: ZygoteServer, buffer: Buffer): string | true | undefined;
  /** Makes a container that executes a program. @returns the program's pid. */
  spawn(parts: SpawnParts, program: ContainerProgram): number;
  /** @param base absolute path; @param path below it. */
  mount(pid: number, base: string, path: string, target: string): void;
  limit(pid: number, limits: NewLimits): void;
  /** @returns two connected sockets, of packets or of a stream; the caller owns them. */
  channel(kind: 'packets' | 'stream'): [number, number];
  /** @returns a connected, non-blocking stream socket; the caller owns it. */
  connect(path: string): number;
  /** @returns the uid of whoever connected the other end. */
  peerUid(socket: number): number;
  /** Sends copies of 1 to 3 descriptors. */
  send(channel: number, serial: number, fds: readonly number[]): void;
  /** @returns undefined when nothing waits there; null when the other end is closed. */
  receive(channel: number, count: number): ReceivedFds | undefined | null;
  /** @returns the status as of wait(2), or undefined while the child runs. */
  reap(pid: number): number | undefined;
  /** SIGKILL to a child that is not reaped yet. */
  kill(pid: number): void;
  /** @returns the version of Landlock that the kernel offers; 0 for none. */
  landlockAbi(): number;
  /** @returns whether systemd left a cgroup to its processes. */
  isDelegated(cgroup: string): boolean;
  /** @returns undefined when another process holds the lock. */
  lock(path: string): number | undefined;
  /** Gives the C library's free memory back to the kernel. */
  trim(): void;
  /** Has the caller's memory in huge pages, for forks to be quicker. @returns how many it got. */
  gather(): number;
  close(fd: number): void;
  exit(code: number): never;
}

const specType = koffi.struct('hob_spec', {
  root: 'const char *',
  hostname: 'const char *',
  cgroup_dirs: koffi.array('const char *', CGROUPS_MAX),
  cgroup2_dir: 'const char *',
  netns: 'const char *',
  host_uid: 'uint32_t',
  inside_uid: 'uint32_t',
  tmp_bytes: 'uint64_t',
  tmp_inodes: 'uint64_t',
  shm_bytes: 'uint64_t',
  nofile_max: 'uint64_t',
  nproc_max: 'uint64_t',
  file_bytes_max: 'uint64_t',
  clock_start_ns: 'uint64_t',
  tcp_allowed: 'uint32_t',
  apparmor_profile: 'const char *',
  selinux_context: 'const char *',
  selinux_files: 'const char *',
  frames_fd: 'int32_t',
  loop_fds: koffi.array('int32_t', LOOP_FDS_MAX),
  notices_fd: 'int32_t',
});

const limitsType = koffi.struct('hob_limits', {
  nofile_max: 'uint64_t',
  tmp_bytes: 'uint64_t',
  tmp_inodes: 'uint64_t',
  host_uid: 'uint32_t',
});

const programType = koffi.struct('hob_program', {
  argv: 'const char **',
  envp: 'const char **',
  folder: 'const char *',
});

const serverType = koffi.struct('hob_server', {
  control: 'int32_t',
  channel: 'int32_t',
  filter: 'void *',
  clock_start_ns: 'uint64_t',
  inside_uid: 'uint32_t',
  frames_fd: 'int32_t',
  loop_fds: koffi.array('int32_t', LOOP_FDS_MAX),
});

const replyType = koffi.struct('hob_reply', { channel: 'int32_t', serial: 'uint32_t' });

function toProgram({ argv, env, folder }: ContainerProgram): Record<string, unknown> {
  const envp = Object.entries(env).map(([name, value]) => `${name}=${value}`);
  return { argv: [...argv, null], envp: [...envp, null], folder };
}

/** A list as C has it: behind its last entry is a filler. */
function padded<T>(list: readonly T[], length: number, filler: T): T[] {
  if (list.length >= length) throw fail('ERR_NATIVE_SYSCALL', ['spec', 'E2BIG']);
  return Array.from({ length }, (_, i) => list[i] ?? filler);
}

function toStruct(spec: ContainerSpec): Record<string, unknown> {
  return {
    root: spec.root,
    hostname: spec.hostname,
    cgroup_dirs: padded<string | null>(spec.cgroupDirs, CGROUPS_MAX, null),
    cgroup2_dir: spec.cgroup2Dir ?? null,
    netns: spec.netns,
    host_uid: spec.hostUid,
    inside_uid: spec.insideUid,
    tmp_bytes: spec.tmpBytes,
    tmp_inodes: spec.tmpInodes,
    shm_bytes: spec.shmBytes,
    nofile_max: spec.nofileMax,
    nproc_max: spec.nprocMax,
    file_bytes_max: spec.fileBytesMax,
    clock_start_ns: spec.clockStartNs,
    tcp_allowed: spec.tcpAllowed ? 1 : 0,
    apparmor_profile: spec.apparmorProfile ?? null,
    selinux_context: spec.selinuxContext ?? null,
    selinux_files: spec.selinuxFiles ?? null,
    frames_fd: spec.framesFd,
    loop_fds: padded(spec.loopFds, LOOP_FDS_MAX, -1),
    notices_fd: spec.noticesFd,
  };
}

const EAGAIN = -11;
const ENODATA = -61;

/** Loads libhob. @param path absolute path of libhob.so; see `paths.ts`. */
export function loadNative(path: string): Native {
  const library = koffi.load(path);
  const bind = (name: string, result: string, parameters: ParameterType[]): ((...args: unknown[]) => number) =>
    library.func(name, result, parameters);
  const mount = bind('hob_mount', 'int', ['int', 'const char *', 'const char *', 'const char *', 'uint8_t *']);
  const limit = bindLimit(library);
  const connect = bind('hob_connect', 'int', ['const char *']);
  const peer = bind('hob_peer', 'int', ['int', 'uint32_t *']);
  const send = bind('hob_send', 'int', ['int', 'uint32_t', 'int32_t *', 'uint32_t']);
  const receive = bind('hob_receive', 'int', ['int', 'uint32_t *', 'int32_t *', 'uint32_t']);
  const reap = bind('hob_reap', 'int', ['int', 'int32_t *']);
  const lock = bind('hob_lock', 'int', ['const char *']);
  const close = bind('hob_close', 'int', ['int']);
  const trim = bind('hob_trim', 'void', []);
  const gather = bind('hob_gather', 'int', []);
  const exit = bind('hob_exit', 'void', ['int']);

  // One buffer for every call: results are read before the next one.
  const step = Buffer.alloc(STEP_BYTES);
  const withStep = (result: number): number => {
    if (result >= 0) return result;
    throw fail('ERR_NATIVE_SYSCALL', [stepName(step), errnoName(result)]);
  };

  return {
    loadFilter: bindLoadFilter(library, step),
    serve: bindServe(library),
    spawn: bindSpawn(library, step, withStep),
    mount: (pid, base, path, target) => void withStep(mount(pid, base, path, target, step)),
    limit: (pid, limits) => void withStep(limit(pid, limits, step)),
    channel: bindChannel(library),
    connect: (path) => checked('connect', connect(path)),
    peerUid(fd) {
      const uid = new Uint32Array(1);
      checked('peer', peer(fd, uid));
      return uid[0] as number;
    },
    send: (fd, serial, fds) => void checked('send', send(fd, serial, Int32Array.from(fds), fds.length)),
    receive(fd, count) {
      const serial = new Uint32Array(1);
      const fds = new Int32Array(count);
      const result: number = receive(fd, serial, fds, count);
      if (result === EAGAIN) return undefined;
      if (result === ENODATA) return null;
      checked('receive', result);
      return { serial: serial[0] as number, fds: [...fds] };
    },
    reap(pid) {
      const status = new Int32Array(1);
      return checked('reap', reap(pid, status)) === 0 ? undefined : status[0];
    },
    ...bindHost(library),
    lock(file) {
      const result: number = lock(file);
      return result === EAGAIN ? undefined : checked('lock', result);
    },
    trim: () => void trim(),
    gather: () => checked('gather', gather()),
    close: (fd) => void checked('close', close(fd)),
    exit: (code): never => {
      exit(code);
      throw fail('ERR_INTERNAL', []);
    },
  };
}

function bindLoadFilter(library: LibraryHandle, step: Buffer): Native['loadFilter'] {
  const load = library.func('hob_filter_load', 'int', [
    'const char *',
    koffi.inout(koffi.pointer('void *')),
    'uint8_t *',
  ]);
  return (profile) => {
    const ret: [SeccompFilter | null] = [null];
    const result: number = load(profile, ret, step);
    if (result < 0) checked(stepName(step), result);
    return ret[0] as SeccompFilter;
  };
}

function bindChannel(library: LibraryHandle): Native['channel'] {
  const channel = library.func('hob_channel', 'int', ['int', 'int32_t *']);
  return (kind) => {
    const fds = new Int32Array(2);
    checked('channel', channel(kind === 'stream' ? 1 : 0, fds));
    return [fds[0] as number, fds[1] as number];
  };
}

function bindLimit(library: LibraryHandle): (pid: number, limits: NewLimits, step: Buffer) => number {
  const limit: (...args: unknown[]) => number = library.func('hob_limit', 'int', [
    'int',
    koffi.pointer(limitsType),
    'uint8_t *',
  ]);
  return (pid, { nofileMax, tmpBytes, tmpInodes, hostUid }, step) =>
    limit(pid, { nofile_max: nofileMax, tmp_bytes: tmpBytes, tmp_inodes: tmpInodes, host_uid: hostUid }, step);
}

function bindServe(library: LibraryHandle): Native['serve'] {
  const call = library.func('hob_serve', 'int', [koffi.pointer(serverType), 'uint8_t *', 'uint32_t']);
  return ({ control, channel, filter, insideUid, clockStartNs, framesFd, loopFds }, buffer) => {
    const server = {
      ...{ control, channel, filter, clock_start_ns: clockStartNs, inside_uid: insideUid, frames_fd: framesFd },
      loop_fds: padded(loopFds, LOOP_FDS_MAX, -1),
    };
    const result: number = call(server, buffer, buffer.byteLength);
    if (result === 0) return true;
    if (result === ENODATA) return undefined;
    return buffer.toString('utf8', 0, checked('serve', result));
  };
}

function bindSpawn(library: LibraryHandle, step: Buffer, withStep: (result: number) => number): Native['spawn'] {
  const call = library.func('hob_spawn', 'int', [
    koffi.pointer(specType),
    'void *',
    koffi.pointer(programType),
    koffi.pointer(replyType),
    'uint8_t *',
  ]);
  return ({ spec, filter, channel, serial }, program) =>
    withStep(call(toStruct(spec), filter, toProgram(program), { channel, serial }, step) as number);
}

/** What tells of this host, and ends a process of it. */
function bindHost(library: LibraryHandle): Pick<Native, 'kill' | 'landlockAbi' | 'isDelegated'> {
  const kill = library.func('hob_kill', 'int', ['int']);
  const landlockAbi = library.func('hob_landlock_abi', 'int', []);
  const isDelegated = library.func('hob_is_delegated', 'int', ['const char *']);
  return {
    kill: (pid) => void checked('kill', kill(pid) as number),
    landlockAbi: () => checked('landlock', landlockAbi() as number),
    isDelegated: (cgroup) => isDelegated(cgroup) === 1,
  };
}
