import koffi from 'koffi';
import { checked, stepName } from './errors.ts';

const STEP_BYTES = 64;
const FILTER_BYTES_MAX = 32_768;
const CALLS_MAX = 1024;
/** Bytes of `struct hob_notice`. */
const NOTICE_BYTES = 8;

/** Which system calls a filter notifies the host of: `struct hob_notices` of native/include/hob-notices.h. */
export interface FilterNotices {
  readonly calls: readonly string[];
  readonly callsKept: boolean;
  readonly dangerous: boolean;
}

/** A container made a system call that its filter notifies of. */
export interface Notice {
  readonly serial: number;
  /** Number of the system call. */
  readonly call: number;
}

/** A thread of libhob's that waits for notices. */
export type NoticeWatch = { readonly __watch: never };

/** The part of libhob that only the host needs: filters with notices, and the watch over the containers that have them. */
export interface Filters {
  /** @returns a filter for a `ContainerRequest`. @throws ERR_NATIVE_SYSCALL */
  compile(profile: string, notices: FilterNotices): Buffer;
  /** The name of a system call; undefined for a number that none has. */
  callName(call: number): string | undefined;
  /** Starts a watch. `decodeNotices` reads what comes out of the descriptor, which the caller owns. */
  openWatch(): { readonly watch: NoticeWatch; readonly noticesFd: number };
  /** Takes ownership of `noticesFd`, also when it fails. @param learns the calls pass, and are remembered. */
  add(watch: NoticeWatch, container: { serial: number; noticesFd: number; learns: boolean }): void;
  /** @returns the numbers of the calls that passed, ascending; or of the one that there was a notice of. */
  remove(watch: NoticeWatch, serial: number): number[];
  /** Ends the thread: the watch is not to be used any more. */
  closeWatch(watch: NoticeWatch): void;
}

const noticesType = koffi.struct('hob_notices', { calls: 'const char *', calls_kept: 'int32_t', dangerous: 'int32_t' });
const retPointer = koffi.inout(koffi.pointer('void *'));

/** Loads this part of libhob. @param path absolute path of libhob.so; see `paths.ts`. */
export function loadFilters(path: string): Filters {
  const library = koffi.load(path);
  const load = library.func('hob_filter_load_notices', 'int', [
    'const char *',
    koffi.pointer(noticesType),
    retPointer,
    'uint8_t *',
  ]);
  const write = library.func('hob_filter_write', 'int', ['void *', 'uint8_t *', 'uint32_t']);
  const free = library.func('hob_filter_free', 'void', ['void *']);
  const name = library.func('hob_call_name', 'int', ['int', 'uint8_t *']);
  const open = library.func('hob_watch_open', 'int', [retPointer, 'int32_t *', 'uint8_t *']);
  const add = library.func('hob_watch_add', 'int', ['void *', 'uint32_t', 'int', 'int']);
  const remove = library.func('hob_watch_remove', 'int', ['void *', 'uint32_t', 'uint8_t *']);
  const close = library.func('hob_watch_close', 'void', ['void *']);
  // One buffer for every call: results are read before the next one.
  const step = Buffer.alloc(STEP_BYTES);
  const withStep = (result: number): number => (result < 0 ? checked(stepName(step), result) : result);

  return {
    compile(profile, { calls, callsKept, dangerous }) {
      const ret: [unknown] = [null];
      const notices = { calls: calls.join(' '), calls_kept: Number(callsKept), dangerous: Number(dangerous) };
      withStep(load(profile, notices, ret, step) as number);
      const code = Buffer.alloc(FILTER_BYTES_MAX);
      const bytes = write(ret[0], code, code.byteLength) as number;
      free(ret[0]);
      return Buffer.from(code.subarray(0, checked('filter', bytes)));
    },
    callName: (call) => (name(call, step) === 0 ? stepName(step) : undefined),
    openWatch() {
      const ret: [unknown] = [null];
      const fds = new Int32Array(1);
      withStep(open(ret, fds, step) as number);
      return { watch: ret[0] as NoticeWatch, noticesFd: fds[0] as number };
    },
    add(watch, { serial, noticesFd, learns }) {
      checked('watch', add(watch, serial, noticesFd, Number(learns)) as number);
    },
    remove(watch, serial) {
      const bits = Buffer.alloc(CALLS_MAX / 8);
      checked('watch', remove(watch, serial, bits) as number);
      return Array.from({ length: CALLS_MAX }, (_, call) => call).filter(
        (call) => ((bits[call >> 3] as number) >> (call & 7)) & 1,
      );
    },
    closeWatch: (watch) => void close(watch),
  };
}

/** Reads what a watch wrote. @returns the notices, and how many bytes they took: the rest belongs to the next one. */
export function decodeNotices(bytes: Buffer): { readonly notices: Notice[]; readonly bytesTaken: number } {
  const count = Math.floor(bytes.byteLength / NOTICE_BYTES);
  const notices = Array.from({ length: count }, (_, index) => {
    const at = index * NOTICE_BYTES;
    return { serial: bytes.readUInt32LE(at), call: bytes.readInt32LE(at + 4) };
  });
  return { notices, bytesTaken: count * NOTICE_BYTES };
}
