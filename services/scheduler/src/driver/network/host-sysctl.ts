import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { fail } from '@hob/contracts';

const FOLDER = '/proc/sys/net';

/** A setting of the network namespace that the calling thread is in. @param name such as `ipv4/ip_forward`. */
export function readNetSetting(name: string): string | undefined {
  try {
    return readFileSync(`${FOLDER}/${name}`, 'utf8').trim();
  } catch {
    return undefined; // not in this kernel
  }
}

/** @throws ERR_NATIVE_SYSCALL */
export function writeNetSetting(name: string, value: string): void {
  try {
    writeFileSync(`${FOLDER}/${name}`, value);
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? String(cause);
    throw fail('ERR_NATIVE_SYSCALL', [`net/${name}`, code], { cause });
  }
}

/** Whether the namespace that the calling thread is in has IPv6 at all. */
export function hasIpv6(): boolean {
  return existsSync(`${FOLDER}/ipv6`);
}
