/* The network of a container: a namespace of its own, or one that was made for it. */
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "internal.h"

/* A network namespace starts with its loopback interface down. */
int bring_loopback_up(void) {
        struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };
        _cleanup_close_ int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        if (fd < 0)
                return -errno;
        return ioctl(fd, SIOCSIFFLAGS, &request) < 0 ? -errno : 0;
}

/* One that was made for it belongs to the initial user namespace, so the container has no capability over it. */
int enter_network(const struct hob_spec *spec) {
        if (!spec->netns)
                return bring_loopback_up();
        _cleanup_close_ int fd = open(spec->netns, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
                return -errno;
        return setns(fd, CLONE_NEWNET) < 0 ? -errno : 0;
}
