import { constants } from 'node:os';
import { fail } from '@hob/contracts';
import koffi, { type LibraryHandle } from 'koffi';

const STEP_BYTES = 64;
const CGROUPS_MAX = 8;
const LOOP_FDS_MAX = 48;

/** What a container is made of: `struct hob_spec` of native/include/hob.h, where each field is described. */
export interface ContainerSpec {
  readonly root: string;
  readonly hostname: string;
  readonly cgroupDirs: readonly string[];
  readonly cgroup2Dir: string | undefined;
  readonly hostUid: number;
  readonly insideUid: number;
  readonly tmpBytes: number;
  readonly tmpInodes: number;
  readonly shmBytes: number;
  readonly nofileMax: number;
  readonly nprocMax: number;
  readonly fileBytesMax: number;
  readonly loopFds: readonly number[];
}

/** `struct hob_limits`: limits that a container got at its fork, given anew. 0 leaves one as it is. */
export interface NewLimits {
  readonly nofileMax: number;
  readonly tmpBytes: number;
  readonly tmpInodes: number;
  readonly hostUid: number;
}

/** The host's ends of a container's descriptors; the receiver owns them. */
export interface ContainerEnds {
  readonly serial: number;
  readonly framesFd: number;
  readonly stdoutFd: number;
  readonly stderrFd: number;
}

/** The descriptors of a forked child, to be given to `enter`. */
export type ChildPipes = Int32Array;

/** A compiled seccomp filter. */
export type SeccompFilter = { readonly __filter: never };

/** libhob, as native/include/hob.h describes it; a negative result is thrown as ERR_NATIVE_SYSCALL with its step. */
export interface Native {
  loadFilter(path: string): SeccompFilter;
  /** @returns the child's pid, or 0 in the child. */
  fork(spec: ContainerSpec, channel: number, serial: number, retPipes: ChildPipes): number;
  enter(spec: ContainerSpec, filter: SeccompFilter, pipes: ChildPipes): void;
  settle(spec: ContainerSpec): void;
  mount(pid: number, source: string, target: string): void;
  limit(pid: number, limits: NewLimits): void;
  /** @returns two connected sockets; the caller owns them. */
  channel(): [number, number];
  /** @returns undefined when nothing waits there, or the zygote is gone. */
  receive(channel: number): ContainerEnds | undefined;
  /** @returns the status as of wait(2), or undefined while the child runs. */
  reap(pid: number): number | undefined;
  /** @returns undefined when another process holds the lock. */
  lock(path: string): number | undefined;
  close(fd: number): void;
  exit(code: number): never;
  /** Makes the event loop usable in a forked child: uv_loop_fork(3). */
  forkLoop(): void;
}

const specType = koffi.struct('hob_spec', {
  root: 'const char *',
  hostname: 'const char *',
  cgroup_dirs: koffi.array('const char *', CGROUPS_MAX),
  cgroup2_dir: 'const char *',
  host_uid: 'uint32_t',
  inside_uid: 'uint32_t',
  tmp_bytes: 'uint64_t',
  tmp_inodes: 'uint64_t',
  shm_bytes: 'uint64_t',
  nofile_max: 'uint64_t',
  nproc_max: 'uint64_t',
  file_bytes_max: 'uint64_t',
  loop_fds: koffi.array('int32_t', LOOP_FDS_MAX),
});

const limitsType = koffi.struct('hob_limits', {
  nofile_max: 'uint64_t',
  tmp_bytes: 'uint64_t',
  tmp_inodes: 'uint64_t',
  host_uid: 'uint32_t',
});

function toStruct(spec: ContainerSpec): Record<string, unknown> {
  if (spec.cgroupDirs.length >= CGROUPS_MAX || spec.loopFds.length >= LOOP_FDS_MAX) {
    throw fail('ERR_NATIVE_SYSCALL', ['spec', 'E2BIG']);
  }
  const pad = <T>(list: readonly T[], length: number, filler: T): T[] =>
    Array.from({ length }, (_, i) => list[i] ?? filler);
  return {
    root: spec.root,
    hostname: spec.hostname,
    cgroup_dirs: pad<string | null>(spec.cgroupDirs, CGROUPS_MAX, null),
    cgroup2_dir: spec.cgroup2Dir ?? null,
    host_uid: spec.hostUid,
    inside_uid: spec.insideUid,
    tmp_bytes: spec.tmpBytes,
    tmp_inodes: spec.tmpInodes,
    shm_bytes: spec.shmBytes,
    nofile_max: spec.nofileMax,
    nproc_max: spec.nprocMax,
    file_bytes_max: spec.fileBytesMax,
    loop_fds: pad(spec.loopFds, LOOP_FDS_MAX, -1),
  };
}

type ParameterType = string | ReturnType<typeof koffi.pointer> | ReturnType<typeof koffi.inout>;

const EAGAIN = -11;
const ENODATA = -61;

const errnoNames = new Map(Object.entries(constants.errno).map(([name, number]) => [number, name]));

/** The name of an error that a call gave as -errno. */
function errnoName(result: number): string {
  return errnoNames.get(-result) ?? `errno ${-result}`;
}

/** Throws what a call without a step gave, or passes its result on. */
function checked(step: string, result: number): number {
  if (result < 0) throw fail('ERR_NATIVE_SYSCALL', [step, errnoName(result)]);
  return result;
}

/** Loads libhob. @param path absolute path of libhob.so; see `paths.ts`. */
export function loadNative(path: string): Native {
  const library = koffi.load(path);
  const bind = (name: string, result: string, parameters: ParameterType[]): ((...args: unknown[]) => number) =>
    library.func(name, result, parameters);
  const spec = koffi.pointer(specType);
  const filterLoad = bind('hob_filter_load', 'int', [
    'const char *',
    koffi.inout(koffi.pointer('void *')),
    'uint8_t *',
  ]);
  const fork = bind('hob_fork', 'int', [spec, 'int', 'uint32_t', 'int32_t *', 'uint8_t *']);
  const enter = bind('hob_enter', 'int', [spec, 'void *', 'int32_t *', 'uint8_t *']);
  const settle = bind('hob_settle', 'int', [spec, 'uint8_t *']);
  const mount = bind('hob_mount', 'int', ['int', 'const char *', 'const char *', 'uint8_t *']);
  const limit = bindLimit(library);
  const receive = bind('hob_receive', 'int', ['int', 'uint32_t *', 'int32_t *']);
  const reap = bind('hob_reap', 'int', ['int', 'int32_t *']);
  const lock = bind('hob_lock', 'int', ['const char *']);
  const close = bind('hob_close', 'int', ['int']);
  const exit = bind('hob_exit', 'void', ['int']);

  // One buffer for every call: results are read before the next one.
  const step = Buffer.alloc(STEP_BYTES);
  const withStep = (result: number): number => {
    if (result >= 0) return result;
    const name = step.subarray(0, step.indexOf(0)).toString();
    throw fail('ERR_NATIVE_SYSCALL', [name, errnoName(result)]);
  };

  return {
    loadFilter(profile) {
      const ret: [SeccompFilter | null] = [null];
      withStep(filterLoad(profile, ret, step));
      return ret[0] as SeccompFilter;
    },
    fork: (what, fd, serial, retPipes) => withStep(fork(toStruct(what), fd, serial, retPipes, step)),
    enter: (what, filter, pipes) => void withStep(enter(toStruct(what), filter, pipes, step)),
    settle: (what) => void withStep(settle(toStruct(what), step)),
    mount: (pid, source, target) => void withStep(mount(pid, source, target, step)),
    limit: (pid, limits) => void withStep(limit(pid, limits, step)),
    channel: bindChannel(library),
    receive(fd) {
      const serial = new Uint32Array(1);
      const ends = new Int32Array(3);
      const result: number = receive(fd, serial, ends);
      if (result === EAGAIN || result === ENODATA) return undefined;
      checked('receive', result);
      const [framesFd = -1, stdoutFd = -1, stderrFd = -1] = ends;
      return { serial: serial[0] as number, framesFd, stdoutFd, stderrFd };
    },
    reap(pid) {
      const status = new Int32Array(1);
      return checked('reap', reap(pid, status)) === 0 ? undefined : status[0];
    },
    lock(file) {
      const result: number = lock(file);
      return result === EAGAIN ? undefined : checked('lock', result);
    },
    close: (fd) => void checked('close', close(fd)),
    exit: (code): never => {
      exit(code);
      throw fail('ERR_INTERNAL', []);
    },
    forkLoop: bindForkLoop(),
  };
}

function bindChannel(library: LibraryHandle): () => [number, number] {
  const channel = library.func('hob_channel', 'int', ['int32_t *']);
  return () => {
    const fds = new Int32Array(2);
    checked('channel', channel(fds));
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

/** libuv is part of the node binary, which exports its functions. */
function bindForkLoop(): () => void {
  const self = koffi.load(null);
  const loop: unknown = self.func('void *uv_default_loop()')();
  const loopFork = self.func('int uv_loop_fork(void *)');
  return () => void checked('uv_loop_fork', loopFork(loop));
}
