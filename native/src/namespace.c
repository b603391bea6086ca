/* Network namespaces: made by visiting them. */
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "hob-network.h"
#include "internal.h"

int hob_namespace_own(void) {
        int fd = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
        return fd < 0 ? -errno : fd;
}

int hob_namespace_enter(int fd) {
        return setns(fd, CLONE_NEWNET) < 0 ? -errno : 0;
}

/* Whoever goes on in the wrong namespace would bind, connect and log in it: no error could say that loud enough. */
static void come_back(const int *home) {
        if (setns(*home, CLONE_NEWNET) < 0)
                abort();
}

/* A network namespace starts with its loopback interface down. */
static int bring_loopback_up(void) {
        struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };
        _cleanup_close_ int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        if (fd < 0)
                return -errno;
        return ioctl(fd, SIOCSIFFLAGS, &request) < 0 ? -errno : 0;
}

static int visit_new(int home, char *step) {
        _cleanup_close_ int fd = -EBADF;

        STEP("unshare", unshare(CLONE_NEWNET) < 0 ? -errno : 0);
        __attribute__((cleanup(come_back))) const int back = home;
        (void) back;
        STEP("namespace", (fd = hob_namespace_own()) < 0 ? fd : 0);
        STEP("loopback", bring_loopback_up());
        return take_fd(&fd);
}

int hob_namespace_create(char *step) {
        _cleanup_close_ int home = hob_namespace_own();
        STEP("home", home < 0 ? home : 0);
        return visit_new(home, step);
}
