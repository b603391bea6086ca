/*
 * Entering cgroups of v1, which has no way to be cloned into one.
 *
 * By "tasks", not cgroup.procs: a single thread that moves itself needs no lock over all thread groups, and that lock waits
 * for an RCU grace period when nobody took it lately: 8 to 12 ms. Here the calling thread is the only one of its process.
 */
#include <fcntl.h>
#include <limits.h>

#include "internal.h"

int enter_cgroups(const struct hob_spec *spec) {
        for (size_t i = 0; i < HOB_CGROUPS_MAX && spec->cgroup_dirs[i]; i++) {
                char path[PATH_MAX];
                if (snprintf(path, sizeof path, "%s/tasks", spec->cgroup_dirs[i]) >= (int) sizeof path)
                        return -ENAMETOOLONG;
                int r = write_file(AT_FDCWD, path, "0");
                if (r < 0)
                        return r;
        }
        return 0;
}
