/* System calls that no container needs: each is named by the checklist as denied. */
#include <linux/close_range.h>
#include <linux/keyctl.h>
#include <linux/memfd.h>
#include <linux/perf_event.h>
#include <linux/sched.h>

#include "attack.h"

/* Bytes for calls that fill a structure, or read one that is all 0. */
static char scratch[4096];

/* The mount calls, old and new. */
TRY(mount_tmpfs, mount, "none", "/tmp", "tmpfs", 0, 0)
TRY(mount_proc, mount, "none", "/tmp", "proc", 0, 0)
TRY(mount_cgroup, mount, "none", "/tmp", "cgroup", 0, "release_agent=/tmp/x,none,name=x")
TRY(mount_bind, mount, "/dev/null", "/tmp", 0, 4096 /* MS_BIND */, 0)
TRY(remount_root, mount, "none", "/", 0, 4128 /* MS_REMOUNT | MS_BIND */, 0)
TRY(make_shared, mount, "none", "/", 0, 1 << 20 /* MS_SHARED */, 0)
TRY(umount_proc, umount2, "/proc", 2 /* MNT_DETACH */)
TRY(pivot_root, pivot_root, ".", ".")
TRY(chroot, chroot, "/tmp")
TRY(fsopen, fsopen, "ext4", 0)
TRY(fsconfig, fsconfig, 0, 0, "source", "/tmp", 0)
TRY(fsmount, fsmount, 0, 0, 0)
TRY(fspick, fspick, AT_FDCWD, "/", 0)
TRY(open_tree, open_tree, AT_FDCWD, "/", 1)
TRY(move_mount, move_mount, AT_FDCWD, "/tmp", AT_FDCWD, "/proc", 0)
TRY(mount_setattr, mount_setattr, AT_FDCWD, "/", 0, scratch, 32)

/* Namespaces. */
TRY(unshare_user, unshare, CLONE_NEWUSER)
TRY(unshare_mount, unshare, CLONE_NEWNS)
TRY(unshare_net, unshare, CLONE_NEWNET)
TRY(clone_user, clone, CLONE_NEWUSER | 17)
TRY(clone_pid, clone, CLONE_NEWPID | 17)
TRY(clone_time, clone, CLONE_NEWTIME)
TRY(clone3, clone3, scratch, 64)
TRY(setns, setns, 0, CLONE_NEWUSER)

/* Files past the root filesystem. */
TRY(name_to_handle_at, name_to_handle_at, AT_FDCWD, "/", scratch, scratch + 64, 0)
TRY(open_by_handle_at, open_by_handle_at, AT_FDCWD, scratch, O_RDONLY)
TRY(fanotify_init, fanotify_init, 0, O_RDONLY)
TRY(set_file_capability, setxattr, "/tmp", "security.capability", scratch, 20, 0)

/* Other processes' insides. */
TRY(ptrace_attach, ptrace, 16 /* PTRACE_ATTACH */, 1)
TRY(ptrace_traceme, ptrace, 0)
TRY(process_vm_readv, process_vm_readv, 1, scratch, 1, scratch, 1, 0)
TRY(process_vm_writev, process_vm_writev, 1, scratch, 1, scratch, 1, 0)
TRY(process_madvise, process_madvise, 0, scratch, 1, 0, 0)
TRY(kcmp, kcmp, 1, 1, 0, 0, 0)
TRY(pidfd_getfd, pidfd_getfd, 0, 0, 0)

/* Programs in the kernel, and helpers of races. */
TRY(bpf, bpf, 0, scratch, 64)
TRY(perf_event_open, perf_event_open, scratch, 0, -1, -1, 0)
TRY(userfaultfd, userfaultfd, 0)
TRY(io_uring_setup, io_uring_setup, 1, scratch)
TRY(io_uring_enter, io_uring_enter, 0, 1, 0, 0, 0, 0)
TRY(io_uring_register, io_uring_register, 0, 0, 0, 0)
TRY(memfd_secret, memfd_secret, 0)
TRY(splice, splice, 0, 0, 1, 0, 1, 0)
TRY(vmsplice, vmsplice, 1, scratch, 1, 0)
TRY(tee, tee, 0, 1, 1, 0)

/* Keyrings. */
TRY(add_key, add_key, "user", "x", scratch, 1, KEY_SPEC_SESSION_KEYRING)
TRY(request_key, request_key, "user", "x", 0, KEY_SPEC_SESSION_KEYRING)
TRY(keyctl, keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 0)

/* The machine. */
TRY(init_module, init_module, scratch, 1, "")
TRY(finit_module, finit_module, 0, "", 0)
TRY(delete_module, delete_module, "x", 0)
TRY(kexec_load, kexec_load, 0, 0, 0, 0)
#ifdef SYS_kexec_file_load
TRY(kexec_file_load, kexec_file_load, 0, 0, 0, "", 0)
#endif
TRY(reboot, reboot, 0xfee1dead, 672274793, 0x89abcdef, 0)
TRY(swapon, swapon, "/tmp/x", 0)
TRY(swapoff, swapoff, "/tmp/x")
TRY(acct, acct, "/tmp/x")
TRY(quotactl, quotactl, 0x800002, "/dev/sda", 0, scratch)
TRY(quotactl_fd, quotactl_fd, 0, 0x800002, 0, scratch)
TRY(syslog, syslog, 3 /* read all */, scratch, 64)
TRY(settimeofday, settimeofday, scratch, 0)
TRY(clock_settime, clock_settime, 0, scratch)
TRY(clock_adjtime, clock_adjtime, 0, scratch)
TRY(adjtimex, adjtimex, scratch)
TRY(sethostname, sethostname, "x", 1)
TRY(setdomainname, setdomainname, "x", 1)
TRY(vhangup, vhangup, 0)
TRY(mbind, mbind, 0, 4096, 0, 0, 0, 0)
TRY(set_mempolicy, set_mempolicy, 0, 0, 0)
TRY(get_mempolicy, get_mempolicy, 0, 0, 0, 0, 0)
TRY(migrate_pages, migrate_pages, 0, 8, scratch, scratch)
TRY(move_pages, move_pages, 0, 1, scratch, scratch, scratch + 64, 0)
TRY(mq_open, mq_open, "x", O_CREAT | O_RDWR, 0600, 0)
TRY(landlock_create_ruleset, landlock_create_ruleset, 0, 0, 1 /* version */)
TRY(seccomp_call, seccomp, 2 /* SECCOMP_GET_ACTION_AVAIL */, 0, scratch)
TRY(personality_set, personality, 0x0040000 /* ADDR_NO_RANDOMIZE */)
TRY(prctl_set_mm, prctl, 35 /* PR_SET_MM */, 8, 0)
TRY(prctl_seccomp, prctl, 22 /* PR_SET_SECCOMP */, 1)
TRY(sched_setscheduler, sched_setscheduler, 0, 1 /* SCHED_FIFO */, scratch)
TRY(ioprio_set, ioprio_set, 1, 0, (1 << 13) | 0 /* IOPRIO_CLASS_RT */)
TRY(unknown_call, unknown, 0)

/* Where the kernel knows them and these headers may not. */
TRY(statmount, statmount, scratch, scratch, sizeof scratch, 0)
TRY(listmount, listmount, scratch, scratch, 8, 0)

#if defined(__x86_64__)
TRY(iopl, iopl, 3)
TRY(ioperm, ioperm, 0x70, 1, 1)
TRY(modify_ldt, modify_ldt, 1, scratch, 16)
TRY(uselib, uselib, "/tmp/x")
TRY(ustat, ustat, 0, scratch)
TRY(sysfs, sysfs, 3)

/* getpid by the calls of i386, where 20 is something that the filter may allow under another number. */
ATTEMPT(foreign_call) {
        long result;
        __asm__ volatile("int $0x80" : "=a"(result) : "a"(20) : "memory", "cc");
        return result;
}

/* getpid by the x32 numbers. */
ATTEMPT(x32_call) {
        return raw_syscall((const long[]) { 0x40000000 + SYS_getpid, 0, 0, 0, 0, 0, 0 });
}
#endif
