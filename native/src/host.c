/* The host's side: looking at containers, ending and reaping them, telling whose a cgroup is, and locking the data folder. */
#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sys/xattr.h>

#include "internal.h"

int hob_reap(int pid, int32_t *ret_status) {
        int status;
        pid_t reaped = waitpid(pid, &status, WNOHANG);
        if (reaped < 0)
                return -errno;
        if (reaped > 0)
                *ret_status = status;
        return reaped;
}

int hob_kill(int pid) {
        _cleanup_close_ int fd = (int) syscall(SYS_pidfd_open, pid, 0U);
        if (fd >= 0 && syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0U) == 0)
                return 0;
        return errno == ESRCH ? 0 : -errno; /* it has ended */
}

int hob_is_delegated(const char *path) {
        static const char *const names[] = { "user.delegate", "trusted.delegate" };
        char value[2];
        for (size_t i = 0; i < sizeof names / sizeof *names; i++)
                if (getxattr(path, names[i], value, sizeof value) == 1 && value[0] == '1')
                        return 1;
        return 0;
}

/*
 * Whoever asks for something to be done to a container may ask too early. Before it has a user namespace of its own, which
 * comes after its root, what is found by its pid is still the host's.
 */
int check_entered(int pid) {
        struct stat ours, theirs;
        char path[64];
        (void) snprintf(path, sizeof path, "/proc/%d/ns/user", pid);
        if (stat("/proc/self/ns/user", &ours) < 0 || stat(path, &theirs) < 0)
                return -errno;
        return ours.st_dev == theirs.st_dev && ours.st_ino == theirs.st_ino ? -EBUSY : 0;
}

int hob_lock(const char *path) {
        struct stat st;
        _cleanup_close_ int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
        if (fd < 0 || fstat(fd, &st) < 0)
                return -errno;
        /* Root locks a file in a folder of another user, who may have put something else there. */
        if (!S_ISREG(st.st_mode) || st.st_nlink != 1)
                return -EMLINK;
        if (flock(fd, LOCK_EX | LOCK_NB) < 0)
                return -errno;
        return take_fd(&fd);
}

int hob_close(int fd) {
        return close(fd) < 0 ? -errno : 0;
}

void hob_exit(int code) {
        _exit(code);
}
