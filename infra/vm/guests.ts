/** The guests that tests run in: what `uname` and `/sys/kernel/security/lsm` are there, and the shell lines that make it so. */
import { basePolicy } from './selinux-policy.ts';

/** One kind of guest. Both have cgroup v2 with all controllers. */
export interface GuestKind {
  /** Tests find it in the environment as HOB_TEST_GUEST. */
  readonly name: 'apparmor' | 'selinux';
  /** What is added to the kernel's command line. */
  readonly kernelArguments: string;
  /** Files in /share. */
  readonly files: ReadonlyMap<string, string>;
  /** Shell lines that root runs first, in the repository's top folder. */
  readonly preparation: readonly string[];
}

export const guestKinds = {
  apparmor: {
    name: 'apparmor',
    kernelArguments: 'apparmor=1 security=apparmor',
    files: new Map(),
    preparation: ['grep -q apparmor /sys/kernel/security/lsm'],
  },
  selinux: {
    name: 'selinux',
    kernelArguments: 'selinux=1 security=selinux enforcing=0',
    files: new Map([['base.cil', basePolicy()]]),
    preparation: [
      'modules=$(ls native/profiles/selinux*.cil 2>/dev/null || true)',
      'secilc --output=/run/policy --filecontext=/run/file-contexts /share/base.cil $modules',
      // The kernel takes a policy in one piece only.
      'dd if=/run/policy of=/sys/fs/selinux/load bs=16M status=none',
      'echo 1 >/sys/fs/selinux/enforce',
    ],
  },
} as const satisfies Record<string, GuestKind>;
