/* Limits of a container that already runs: by its pid, from outside. */
#include <fcntl.h>
#include <linux/mount.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "internal.h"
#include "mount-classic.h"

/* What a helper with the container's own ids is told, and what it answers. */
struct lowering {
        int pid;
        uint32_t host_uid;
        struct rlimit limit;
        int result;
};

static int set_nofile(int pid, const struct rlimit *limit) {
        return prlimit(pid, RLIMIT_NOFILE, limit, NULL) < 0 ? -errno : 0;
}

static int lower_nofile(void *argument) {
        struct lowering *lowering = argument;
        const uint32_t id = lowering->host_uid;
        /* Not by libc, whose functions would tell every thread to do the same. */
        if (syscall(SYS_setresgid, id, id, id) < 0 || syscall(SYS_setresuid, id, id, id) < 0)
                lowering->result = -errno;
        else
                lowering->result = set_nofile(lowering->pid, &lowering->limit);
        return 0;
}

/* The limits of another one's process are for CAP_SYS_RESOURCE; without it, a process of the same ids may lower them. */
static int limit_nofile(int pid, const struct hob_limits *limits) {
        const uint64_t value = limits->nofile_max;
        struct lowering lowering = {
                .pid = pid,
                .host_uid = limits->host_uid,
                .limit = { .rlim_cur = value, .rlim_max = value },
                .result = -ECHILD,
        };
        if (value == 0)
                return 0;
        int r = set_nofile(pid, &lowering.limit);
        if (r != -EPERM || limits->host_uid == 0)
                return r;
        r = run_helper(lower_nofile, &lowering);
        return r < 0 ? r : lowering.result;
}

static int set_number(int context_fd, const char *key, uint64_t value) {
        char text[32];
        if (value == 0)
                return 0;
        (void) snprintf(text, sizeof text, "%llu", (unsigned long long) value);
        return syscall(SYS_fsconfig, context_fd, FSCONFIG_SET_STRING, key, text, 0) < 0 ? -errno : 0;
}

/*
 * A file system can be given new parameters by whoever may mount and can name its mount, also one of another mount namespace:
 * so nobody has to go there. The flags of the mount (nosuid and its like) are not touched.
 */
static int limit_tmp(int pid, uint64_t bytes, uint64_t inodes) {
        char path[64];
        if (bytes == 0 && inodes == 0)
                return 0;
        (void) snprintf(path, sizeof path, "/proc/%d/root/tmp", pid);
        _cleanup_close_ int context_fd =
                (int) syscall(SYS_fspick, AT_FDCWD, path, FSPICK_CLOEXEC | FSPICK_NO_AUTOMOUNT | FSPICK_SYMLINK_NOFOLLOW);
        if (context_fd < 0)
                return -errno;
        int r = set_number(context_fd, "size", bytes);
        if (r == 0)
                r = set_number(context_fd, "nr_inodes", inodes);
        if (r == 0 && syscall(SYS_fsconfig, context_fd, FSCONFIG_CMD_RECONFIGURE, NULL, NULL, 0) < 0)
                r = -errno;
        return r;
}

int hob_limit(int pid, const struct hob_limits *limits, char *step) {
        STEP("limit container", check_entered(pid));
        STEP("limit nofile", limit_nofile(pid, limits));
        STEP("limit tmp", limit_tmp(pid, limits->tmp_bytes, limits->tmp_inodes));
        return 0;
}
