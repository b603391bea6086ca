#include "inside.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* The clocks of the test start at a second; nobody waits a minute for what follows. */
#define CLOCK_S_MAX 60
/* Versions of Landlock that brought what is looked for. */
#define LANDLOCK_FILES 2
#define LANDLOCK_TCP 4

static int opens(const char *path, int flags) {
        int fd = open(path, flags, 0600);
        if (fd < 0)
                return -errno;
        (void) close(fd);
        return 0;
}

static int look_at_files(void) {
        struct stat st;
        if (opens("/new", O_CREAT | O_WRONLY) != -EROFS)
                return 11;
        if (opens("/tmp/new", O_CREAT | O_WRONLY) != 0)
                return 12;
        if (stat("/dev/null", &st) < 0 || !S_ISCHR(st.st_mode) || opens("/dev/null", O_WRONLY) != 0)
                return 13;
        if (mount("none", "/tmp", "tmpfs", 0, NULL) == 0 || errno != EPERM)
                return 14;
        if (mkdir("/tmp/folder", 0700) < 0 || rename("/tmp/new", "/tmp/folder/moved") < 0)
                return 15;
        return 0;
}

static int bind_tcp(void) {
        const struct sockaddr_in loopback = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        int r = fd < 0 || bind(fd, (const struct sockaddr *) &loopback, sizeof loopback) < 0 ? -errno : 0;
        (void) close(fd);
        return r;
}

/* The filter refuses to ask for Landlock's version, so the kernel's own is told by what it refuses. */
static int look_at_landlock(void) {
        const char *abi = getenv("LANDLOCK_ABI");
        const int version = abi ? atoi(abi) : 0;
        if (version >= LANDLOCK_FILES && opens("/proc/self/comm", O_WRONLY) != -EACCES)
                return 20;
        if (version >= LANDLOCK_TCP && bind_tcp() != -EACCES)
                return 21;
        return 0;
}

static int look_at_clocks(void) {
        static const clockid_t clocks[] = { CLOCK_MONOTONIC, CLOCK_BOOTTIME };
        struct timespec now;
        for (size_t i = 0; i < sizeof clocks / sizeof *clocks; i++)
                if (clock_gettime(clocks[i], &now) < 0 || now.tv_sec < 1 || now.tv_sec > CLOCK_S_MAX)
                        return 30;
        return 0;
}

int look_around(int frames_fd) {
        if (getpid() != 1 || getuid() != 1000 || getppid() != 0)
                return 10;
        for (int fd = 3; fd < 64; fd++)
                if ((fcntl(fd, F_GETFD) >= 0) != (fd == frames_fd))
                        return 9;
        if (socket(AF_VSOCK, SOCK_STREAM, 0) >= 0 || errno != EAFNOSUPPORT)
                return 16;
        if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1 || getsid(0) != 1)
                return 17;
        int r = look_at_files();
        if (r == 0)
                r = look_at_landlock();
        return r == 0 ? look_at_clocks() : r;
}

#ifdef HOB_PROGRAM
#include <signal.h>

#include "hob.h"

/* The spawn path's program. */
int main(int argc, char **argv) {
        char folder[8];
        struct sigaction action;
        if (argc != 1 || strcmp(argv[0], "/program") != 0 || strcmp(getenv("MARK") ?: "", "1") != 0)
                return 50;
        if (!getcwd(folder, sizeof folder) || strcmp(folder, "/tmp") != 0)
                return 51;
        if (fcntl(HOB_FRAMES_FD, F_GETFL) & O_NONBLOCK)
                return 53;
        for (int number = 1; number < NSIG; number++)
                if (sigaction(number, NULL, &action) == 0 && action.sa_handler != SIG_DFL)
                        return 52;
        return look_around(HOB_FRAMES_FD);
}
#endif
