/** What kind of host this is, as far as results depend on it. */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { release } from 'node:os';
import { hostNative } from '@hob/native';
import { detectCgroups } from '@hob/scheduler';
import type { HostFacet } from './attempt.ts';

/** Older ones are not used. */
const LANDLOCK_ABI_MIN = 2;

function textOf(path: string): string {
  return existsSync(path) ? readFileSync(path, 'utf8').trim() : '';
}

/** The security module that confines programs, if there is one. */
function securityModule(): 'apparmor' | 'selinux' | 'no-lsm' {
  if (textOf('/sys/module/apparmor/parameters/enabled') === 'Y') return 'apparmor';
  return textOf('/sys/fs/selinux/enforce') === '1' ? 'selinux' : 'no-lsm';
}

function isHybrid(): boolean {
  return / - cgroup2 /.test(readFileSync('/proc/self/mountinfo', 'utf8'));
}

/**
 * The name of this kind of host, for the columns of the table, such as `cgroup-hybrid, no-lsm`.
 */
export function hostKind(): string {
  const cgroups = detectCgroups().version === 2 ? 'cgroup-v2' : isHybrid() ? 'cgroup-hybrid' : 'cgroup-v1';
  return `${cgroups}, ${securityModule()}`;
}

function kernelBefore(major: number, minor: number): boolean {
  const [ownMajor = 0, ownMinor = 0] = release().split('.').map(Number);
  return ownMajor < major || (ownMajor === major && ownMinor < minor);
}

/** @param i386 a static program that makes a call of i386: where the kernel knows these, it ends by itself. */
export function hostFacets(i386: string | undefined): ReadonlySet<HostFacet> {
  const facets = new Set<HostFacet>([detectCgroups().version === 2 ? 'cgroup-v2' : 'cgroup-v1', securityModule()]);
  if (hostNative().landlockAbi() < LANDLOCK_ABI_MIN) facets.add('no-landlock');
  // Checks of truncate(2) came in another order.
  if (kernelBefore(6, 12)) facets.add('before-linux-6.12');
  if (!existsSync('/proc/net/ip_tables_names')) facets.add('no-ip-tables');
  if (process.arch === 'arm64') facets.add('arm64');
  if (i386 !== undefined && spawnSync(i386).status !== 0) facets.add('no-i386');
  return facets;
}
