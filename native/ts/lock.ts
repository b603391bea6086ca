import { libraryPath } from './paths.ts';
import { loadNative, type Native } from './library.ts';

let native: Native | undefined;

/** libhob of this package, loaded at the first call. */
export function hostNative(): Native {
  return (native ??= loadNative(libraryPath));
}

/** A held lock. The kernel also releases it when this process, and each that inherited the descriptor, has ended. */
export interface FileLock {
  /** The open file. */
  readonly fd: number;
  release(): void;
}

/**
 * Takes a lock on a file, which is made if need be.
 *
 * @returns undefined when another process holds it.
 * @throws ERR_NATIVE_SYSCALL
 */
export function tryLock(path: string): FileLock | undefined {
  const fd = hostNative().lock(path);
  return fd === undefined ? undefined : { fd, release: () => hostNative().close(fd) };
}
