/* Sockets of a namespace, for the caller's event loop. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "hob-network.h"
#include "internal.h"

#define BACKLOG 128

static socklen_t read_socket_address(const char *text, int port, struct sockaddr_storage *ret) {
        struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons((uint16_t) port) };
        struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons((uint16_t) port) };
        if (inet_pton(AF_INET, text, &v4.sin_addr) == 1) {
                memcpy(ret, &v4, sizeof v4);
                return sizeof v4;
        }
        if (inet_pton(AF_INET6, text, &v6.sin6_addr) == 1) {
                memcpy(ret, &v6, sizeof v6);
                return sizeof v6;
        }
        return 0;
}

int hob_socket_bind(int stream, const char *address, int port) {
        struct sockaddr_storage where = { 0 };
        const int yes = 1;
        const socklen_t length = read_socket_address(address, port, &where);
        if (length == 0 || port < 0 || port > UINT16_MAX)
                return -EINVAL;
        const int kind = stream ? SOCK_STREAM : SOCK_DGRAM;
        _cleanup_close_ int fd = socket(where.ss_family, kind | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0)
                return -errno;
        if (stream && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) < 0)
                return -errno;
        if (where.ss_family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &yes, sizeof yes) < 0)
                return -errno;
        if (bind(fd, (const struct sockaddr *) &where, length) < 0)
                return -errno;
        if (stream && listen(fd, BACKLOG) < 0)
                return -errno;
        return take_fd(&fd);
}
