/* Limits of a container that already runs: by its pid, from outside. */
#include <fcntl.h>
#include <linux/mount.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "internal.h"

static int limit_resource(int pid, __rlimit_resource_t resource, uint64_t value) {
        const struct rlimit limit = { .rlim_cur = value, .rlim_max = value };
        if (value == 0)
                return 0;
        return prlimit(pid, resource, &limit, NULL) < 0 ? -errno : 0;
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
        STEP("limit nofile", limit_resource(pid, RLIMIT_NOFILE, limits->nofile_max));
        STEP("limit nproc", limit_resource(pid, RLIMIT_NPROC, limits->nproc_max));
        STEP("limit tmp", limit_tmp(pid, limits->tmp_bytes, limits->tmp_inodes));
        return 0;
}
