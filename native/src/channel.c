/* Unix sockets between hob's own processes: pairs of them, descriptors over them, and who is at the other end. */
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "internal.h"

/* Room for the most descriptors that one message carries. */
union rights {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(HOB_RIGHTS_MAX * sizeof(int))];
};

int hob_channel(int stream, int32_t *ret_fds) {
        const int type = stream ? SOCK_STREAM | SOCK_NONBLOCK : SOCK_SEQPACKET;
        int fds[2];
        if (socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, fds) < 0)
                return -errno;
        ret_fds[0] = fds[0];
        ret_fds[1] = fds[1];
        return 0;
}

int hob_connect(const char *path) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        const size_t bytes = strlen(path);
        if (bytes >= sizeof address.sun_path)
                return -ENAMETOOLONG;
        memcpy(address.sun_path, path, bytes);
        _cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0 || connect(fd, (const struct sockaddr *) &address, sizeof address) < 0)
                return -errno;
        return take_fd(&fd);
}

int hob_peer(int socket, uint32_t *ret_uid) {
        struct ucred peer;
        socklen_t size = sizeof peer;
        if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
                return -errno;
        *ret_uid = peer.uid;
        return 0;
}

int hob_send(int channel, uint32_t serial, const int32_t *fds, uint32_t count) {
        union rights control = { 0 };
        struct iovec data = { .iov_base = &serial, .iov_len = sizeof serial };
        struct msghdr message = { .msg_iov = &data, .msg_iovlen = 1, .msg_control = control.bytes };
        if (count == 0 || count > HOB_RIGHTS_MAX)
                return -EINVAL;
        message.msg_controllen = CMSG_SPACE(count * sizeof(int));
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(count * sizeof(int));
        memcpy(CMSG_DATA(header), fds, count * sizeof(int));
        return sendmsg(channel, &message, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? -errno : 0;
}

static int set_nonblocking(int fd) {
        int flags = fcntl(fd, F_GETFL);
        return flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ? -errno : 0;
}

/* Takes whatever descriptors came with a message. Returns how many; what did not fit into the buffer is already closed. */
static size_t take_rights(struct msghdr *message, int *fds) {
        size_t n = 0;
        for (struct cmsghdr *h = CMSG_FIRSTHDR(message); h; h = CMSG_NXTHDR(message, h)) {
                if (h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS)
                        continue;
                size_t count = (h->cmsg_len - CMSG_LEN(0)) / sizeof(int);
                if (count > HOB_RIGHTS_MAX - n)
                        count = HOB_RIGHTS_MAX - n;
                memcpy(fds + n, CMSG_DATA(h), count * sizeof(int));
                n += count;
        }
        return n;
}

int hob_receive(int channel, uint32_t *ret_serial, int32_t *ret_fds, uint32_t count) {
        union rights control = { 0 };
        uint32_t serial = 0;
        int fds[HOB_RIGHTS_MAX];
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

        const size_t got = take_rights(&message, fds);
        int r = got == count && n == sizeof serial ? 0 : -EBADMSG;
        for (size_t i = 0; r == 0 && i < got; i++)
                r = set_nonblocking(fds[i]);
        if (r < 0) {
                for (size_t i = 0; i < got; i++)
                        close_fd(&fds[i]);
                return r;
        }
        *ret_serial = serial;
        for (size_t i = 0; i < got; i++)
                ret_fds[i] = fds[i];
        return 0;
}
