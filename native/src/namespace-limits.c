/*
 * The limits of /proc/sys/user, which each user namespace has of its own: inside a container no namespace can be made at
 * all, whatever a filter or a capability would allow, and inotify's kernel memory is bounded.
 */
#include <fcntl.h>
#include <sys/stat.h>

#include "internal.h"

/* Before the host's /proc is gone. Returns a descriptor, or -ENOENT where the kernel has no such limits. */
int open_namespace_limits(void) {
        int fd = open("/proc/sys/user", O_PATH | O_DIRECTORY | O_CLOEXEC);
        return fd < 0 ? -errno : fd;
}

/*
 * In the new user namespace, while its capabilities last: the descriptor shows the limits of whoever looks through it.
 * A limit that this kernel does not know is passed over, and so is a /proc/sys that the host itself sees read-only, as in
 * other runtimes' containers: the filter and the missing capabilities hold without.
 */
int limit_namespaces(int dir_fd) {
        static const struct {
                const char *name, *value;
        } limits[] = {
                { "max_user_namespaces", "0" },   { "max_pid_namespaces", "0" }, { "max_net_namespaces", "0" },
                { "max_mnt_namespaces", "0" },    { "max_ipc_namespaces", "0" }, { "max_uts_namespaces", "0" },
                { "max_cgroup_namespaces", "0" }, { "max_time_namespaces", "0" }, { "max_fanotify_groups", "0" },
                { "max_inotify_instances", "64" }, { "max_inotify_watches", "8192" },
        };
        if (dir_fd == -ENOENT)
                return 0;
        if (dir_fd < 0)
                return dir_fd;
        for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
                int r = write_file(dir_fd, limits[i].name, limits[i].value);
                if (r < 0 && r != -ENOENT && r != -EROFS)
                        return r;
        }
        return 0;
}
