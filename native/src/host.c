/* The host's side: taking a container's descriptors, reaping it, and locking the data folder. */
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "internal.h"

int hob_channel(int stream, int32_t *ret_fds) {
        const int type = stream ? SOCK_STREAM | SOCK_NONBLOCK : SOCK_SEQPACKET;
        int fds[2];
        if (socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, fds) < 0)
                return -errno;
        ret_fds[0] = fds[0];
        ret_fds[1] = fds[1];
        return 0;
}

static int set_nonblocking(int fd) {
        int flags = fcntl(fd, F_GETFL);
        return flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ? -errno : 0;
}

/* Takes whatever descriptors came with a message. Returns how many; at most HOB_ENDS fit into the buffer. */
static size_t take_rights(struct msghdr *message, int *ends) {
        size_t n = 0;
        for (struct cmsghdr *h = CMSG_FIRSTHDR(message); h; h = CMSG_NXTHDR(message, h)) {
                if (h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS)
                        continue;
                size_t count = (h->cmsg_len - CMSG_LEN(0)) / sizeof(int);
                if (count > HOB_ENDS - n)
                        count = HOB_ENDS - n;
                memcpy(ends + n, CMSG_DATA(h), count * sizeof(int));
                n += count;
        }
        return n;
}

int hob_receive(int channel, uint32_t *ret_serial, int32_t *ret_ends) {
        union {
                struct cmsghdr align;
                char bytes[CMSG_SPACE(HOB_ENDS * sizeof(int))];
        } control = { 0 };
        uint32_t serial = 0;
        int ends[HOB_ENDS] = { -EBADF, -EBADF, -EBADF };
        struct iovec data = { .iov_base = &serial, .iov_len = sizeof serial };
        struct msghdr message = {
                .msg_iov = &data,
                .msg_iovlen = 1,
                .msg_control = control.bytes,
                .msg_controllen = sizeof control.bytes,
        };
        ssize_t n = recvmsg(channel, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
        if (n < 0)
                return -errno;
        if (n == 0)
                return -ENODATA;

        int r = take_rights(&message, ends) == HOB_ENDS && n == sizeof serial ? 0 : -EBADMSG;
        for (size_t i = 0; r == 0 && i < HOB_ENDS; i++)
                r = set_nonblocking(ends[i]);
        if (r < 0) {
                for (size_t i = 0; i < HOB_ENDS; i++)
                        close_fd(&ends[i]);
                return r;
        }
        *ret_serial = serial;
        for (size_t i = 0; i < HOB_ENDS; i++)
                ret_ends[i] = ends[i];
        return 0;
}

int hob_reap(int pid, int32_t *ret_status) {
        int status;
        pid_t reaped = waitpid(pid, &status, WNOHANG);
        if (reaped < 0)
                return -errno;
        if (reaped > 0)
                *ret_status = status;
        return reaped;
}

int hob_lock(const char *path) {
        _cleanup_close_ int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0)
                return -errno;
        return take_fd(&fd);
}

int hob_close(int fd) {
        return close(fd) < 0 ? -errno : 0;
}

void hob_exit(int code) {
        _exit(code);
}
