/*
 * The limits of /proc/sys/user, which each user namespace has of its own: inside a container no namespace can be made at
 * all, whatever a filter or a capability would allow, and inotify's kernel memory is bounded.
 *
 * All user namespaces that have looked at a limit through one procfs have entries of the same name in one folder of its,
 * and the kernel walks past them one after the other: with 600 containers the eleven limits of the next cost 3.7 ms. So
 * the zygote holds a procfs for this alone, and takes a new one after some forks.
 */
#include <fcntl.h>
#include <sys/stat.h>

#include "internal.h"

enum { FORKS_PER_PROCFS = 64 };

static int folder = -EBADF; /* or -ENOENT where the kernel has no such limits */
static int forks_left = 0;

int prepare_namespace_limits(void) {
        if (forks_left-- > 0)
                return 0;
        _cleanup_close_ int proc_fd = make_procfs();
        if (proc_fd < 0)
                return proc_fd;
        close_fd(&folder);
        folder = openat(proc_fd, "sys/user", O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (folder < 0)
                folder = -errno;
        forks_left = FORKS_PER_PROCFS - 1;
        return folder == -ENOENT || folder >= 0 ? 0 : folder;
}

/*
 * In the new user namespace, while its capabilities last: the descriptor shows the limits of whoever looks through it.
 * A limit that this kernel does not know is passed over, and so is a /proc/sys that cannot be written: the filter and the
 * missing capabilities hold without.
 */
int limit_namespaces(void) {
        static const struct {
                const char *name, *value;
        } limits[] = {
                { "max_user_namespaces", "0" },   { "max_pid_namespaces", "0" }, { "max_net_namespaces", "0" },
                { "max_mnt_namespaces", "0" },    { "max_ipc_namespaces", "0" }, { "max_uts_namespaces", "0" },
                { "max_cgroup_namespaces", "0" }, { "max_time_namespaces", "0" }, { "max_fanotify_groups", "0" },
                { "max_inotify_instances", "64" }, { "max_inotify_watches", "8192" },
        };
        if (folder == -ENOENT)
                return 0;
        for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
                int r = write_file(folder, limits[i].name, limits[i].value);
                if (r < 0 && r != -ENOENT && r != -EROFS)
                        return r;
        }
        return 0;
}
