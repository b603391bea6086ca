/* From root to nobody in particular. */
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/keyctl.h>
#include <linux/securebits.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "internal.h"

int set_resource_limits(const struct hob_spec *spec) {
        const struct {
                __rlimit_resource_t resource;
                uint64_t value;
        } limits[] = {
                /* Not 0: with a pipe in core_pattern 0 still runs the host's handler as root, 1 does not. */
                { RLIMIT_CORE, 1 },
                { RLIMIT_NOFILE, spec->nofile_max },
                { RLIMIT_NPROC, spec->nproc_max },
                { RLIMIT_FSIZE, spec->file_bytes_max },
                { RLIMIT_MEMLOCK, 65536 },
                { RLIMIT_MSGQUEUE, 0 },
                { RLIMIT_SIGPENDING, 1024 },
        };
        for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
                struct rlimit limit = { .rlim_cur = limits[i].value, .rlim_max = limits[i].value };
                if (setrlimit(limits[i].resource, &limit) < 0)
                        return -errno;
        }
        return 0;
}

int become_user(const struct hob_spec *spec) {
        const uid_t id = spec->host_uid;
        /* Not by libc, whose functions would tell every thread to do the same: it still lists those of the zygote. */
        if (syscall(SYS_setgroups, 0, NULL) < 0 || syscall(SYS_setresgid, id, id, id) < 0 ||
            syscall(SYS_setresuid, id, id, id) < 0)
                return -errno;
        /* The change of ids took /proc/self away from us; the maps are written through it. */
        return prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) < 0 ? -errno : 0;
}

/* Last of the namespaces: the others belong to the host's user namespace, so nothing in here has a capability over them. */
int enter_user_namespace(const struct hob_spec *spec) {
        char map[48];
        if (unshare(CLONE_NEWUSER) < 0)
                return -errno;
        (void) snprintf(map, sizeof map, "%u %u 1", spec->inside_uid, spec->host_uid);
        int r = write_file(-1, "/proc/self/setgroups", "deny");
        if (r == 0)
                r = write_file(-1, "/proc/self/uid_map", map);
        if (r == 0)
                r = write_file(-1, "/proc/self/gid_map", map);
        /* It is written once: else the function would map what it likes. */
        if (r == 0)
                r = write_file(-1, "/proc/self/projid_map", map);
        return r;
}

/* The one that was inherited is the zygote's, and so could hold what its user, root, keeps there. */
int join_new_keyring(void) {
        if (syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL) < 0)
                return errno == ENOSYS ? 0 : -errno; /* a kernel without keys has none to share */
        return 0;
}

/* What may never come back. */
#define SECURE_BITS                                                                                                    \
        (SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_NO_SETUID_FIXUP | SECBIT_NO_SETUID_FIXUP_LOCKED |               \
         SECBIT_KEEP_CAPS_LOCKED | SECBIT_NO_CAP_AMBIENT_RAISE | SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED)

int drop_capabilities(void) {
        struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3, .pid = 0 };
        struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = { 0 };

        /* EINVAL ends the loop: the kernel knows no capability of that number. */
        for (unsigned long cap = 0; prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) == 0; cap++) {}
        if (errno != EINVAL)
                return -errno;
        if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0 || prctl(PR_SET_SECUREBITS, SECURE_BITS, 0, 0, 0) < 0)
                return -errno;
        return syscall(SYS_capset, &header, none) < 0 ? -errno : 0;
}

/* Believes nothing: asks the kernel who we are now. */
int check_identity(const struct hob_spec *spec) {
        struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3, .pid = 0 };
        struct __user_cap_data_struct caps[_LINUX_CAPABILITY_U32S_3] = { 0 };
        uid_t ruid, euid, suid;
        gid_t rgid, egid, sgid;
        const uid_t id = spec->inside_uid;

        if (getresuid(&ruid, &euid, &suid) < 0 || getresgid(&rgid, &egid, &sgid) < 0 || getgroups(0, NULL) != 0)
                return -EPERM;
        if (ruid != id || euid != id || suid != id || rgid != id || egid != id || sgid != id)
                return -EPERM;
        if (prctl(PR_GET_SECUREBITS, 0, 0, 0, 0) != SECURE_BITS)
                return -EPERM;
        if (syscall(SYS_capget, &header, caps) < 0)
                return -errno;
        for (size_t i = 0; i < _LINUX_CAPABILITY_U32S_3; i++)
                if (caps[i].effective || caps[i].permitted || caps[i].inheritable)
                        return -EPERM;
        return 0;
}

/*
 * SIGKILL when the host's process dies: set after the last change of credentials, each of which clears it. The host may
 * have died before; its end of the frames socket tells, since getppid() is 0 for a parent outside the pid namespace.
 */
int die_with_parent(int frames_fd) {
        struct pollfd peer = { .fd = frames_fd, .events = POLLRDHUP };
        if (prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) < 0 || prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
                return -errno;
        if (poll(&peer, 1, 0) < 0)
                return -errno;
        return peer.revents & (POLLRDHUP | POLLHUP | POLLERR) ? -EOWNERDEAD : 0;
}
