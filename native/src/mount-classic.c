#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/wait.h>

#include "internal.h"
#include "mount-classic.h"

/* Nothing that is mounted here may reach the host, nor the other way round. */
int make_mounts_private(void) {
        return mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ? -errno : 0;
}

int detach_working_directory(void) {
        return umount2(".", MNT_DETACH) < 0 ? -errno : 0;
}

int enter_mount_namespace(int fd) {
        return setns(fd, CLONE_NEWNS) < 0 ? -errno : 0;
}

#define HELPER_STACK_BYTES ((size_t) 64 * 1024)

/*
 * A mount namespace can be entered only by a process that shares its root and working directory with no thread, and Node
 * has threads even when idle. CLONE_VM | CLONE_VFORK: no page tables are copied, and the caller waits.
 */
int run_helper(int (*run)(void *), void *argument) {
        void *stack = mmap(NULL, HELPER_STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
        if (stack == MAP_FAILED)
                return -errno;
        int status = 0, r = 0;
        int pid = clone(run, (char *) stack + HELPER_STACK_BYTES, CLONE_VM | CLONE_VFORK | SIGCHLD, argument);
        if (pid < 0 || waitpid(pid, &status, 0) < 0)
                r = -errno;
        else if (!WIFEXITED(status))
                r = -EINTR;
        (void) munmap(stack, HELPER_STACK_BYTES);
        return r;
}
