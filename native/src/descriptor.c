/* Descriptors: what a container keeps, and small files of the kernel. */
#include <fcntl.h>
#include <linux/close_range.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "internal.h"

int write_file(int dir_fd, const char *path, const char *text) {
        const size_t bytes = strlen(text);
        _cleanup_close_ int fd = openat(dir_fd, path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
        if (fd < 0)
                return -errno;
        ssize_t n = write(fd, text, bytes);
        if (n < 0)
                return -errno;
        return (size_t) n == bytes ? 0 : -EIO;
}

/* The pipes belong to the container's user, so that /dev/stdout can be opened again, as shells do. */
int take_stdio(const struct hob_spec *spec, const int32_t *pipes) {
        static const int order[] = { HOB_PIPE_STDIN, HOB_PIPE_STDOUT, HOB_PIPE_STDERR };
        for (int fd = 0; fd < 3; fd++) {
                int from = pipes[order[fd]];
                if (fchown(from, spec->host_uid, spec->host_uid) < 0 || dup2(from, fd) < 0)
                        return -errno;
        }
        return 0;
}

/* An event loop that knew a descriptor of this number before the fork takes the frames socket for it afterwards. */
int place_frames(const struct hob_spec *spec, int *frames_fd) {
        if (spec->frames_fd < 0)
                return 0;
        if (dup3(*frames_fd, spec->frames_fd, O_CLOEXEC) < 0)
                return -errno;
        *frames_fd = spec->frames_fd;
        return 0;
}

static int compare_fds(const void *a, const void *b) {
        return *(const int *) a - *(const int *) b;
}

static int close_between(int first, int last) {
        if (first > last)
                return 0;
        return syscall(SYS_close_range, (unsigned) first, (unsigned) last, 0) < 0 ? -errno : 0;
}

/*
 * Nothing of the zygote's may stay open: an epoll or eventfd that both hold would let a container disturb the zygote. But
 * libuv remembers its descriptors by number and closes them when its loop is renewed, so each number is kept occupied, by
 * standard input (a pipe at its end), until hob_settle().
 */
int replace_others(const struct hob_spec *spec, int frames_fd) {
        int keep[HOB_LOOP_FDS_MAX + 2];
        size_t n = 0;
        int next = 3;

        for (size_t i = 0; i < HOB_LOOP_FDS_MAX && spec->loop_fds[i] >= 0; i++) {
                if (dup3(0, spec->loop_fds[i], O_CLOEXEC) < 0)
                        return -errno;
                keep[n++] = spec->loop_fds[i];
        }
        keep[n++] = frames_fd;
        if (spec->notices_fd > 0)
                keep[n++] = spec->notices_fd;
        qsort(keep, n, sizeof *keep, compare_fds);
        for (size_t i = 0; i < n; i++) {
                if (keep[i] < next)
                        continue;
                int r = close_between(next, keep[i] - 1);
                if (r < 0)
                        return r;
                next = keep[i] + 1;
        }
        return syscall(SYS_close_range, (unsigned) next, ~0U, 0) < 0 ? -errno : 0;
}

/* For a program: the frames socket has a number that it can know, stays open in it, and waits as programs expect. */
int keep_frames_only(int frames_fd) {
        const int flags = fcntl(frames_fd, F_GETFL);
        if (flags < 0 || fcntl(frames_fd, F_SETFL, flags & ~O_NONBLOCK) < 0)
                return -errno;
        if (frames_fd == HOB_FRAMES_FD ? fcntl(frames_fd, F_SETFD, 0) < 0 : dup2(frames_fd, HOB_FRAMES_FD) < 0)
                return -errno;
        return syscall(SYS_close_range, HOB_FRAMES_FD + 1U, ~0U, 0) < 0 ? -errno : 0;
}

int hob_settle(const struct hob_spec *spec, char *step) {
        struct stat input, st;

        STEP("settle", fstat(0, &input) < 0 ? -errno : 0);
        for (size_t i = 0; i < HOB_LOOP_FDS_MAX && spec->loop_fds[i] >= 0; i++) {
                const int fd = spec->loop_fds[i];
                if (fstat(fd, &st) == 0 && st.st_dev == input.st_dev && st.st_ino == input.st_ino)
                        (void) close(fd);
        }
        return 0;
}
