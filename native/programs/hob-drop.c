/*
 * hob-drop - run a program as an unprivileged user, for good.
 *
 * Usage: hob-drop UID GID ports|no-ports PATH... -- PROGRAM ARGUMENT...
 *
 * Started by root. The program gets the two ids and no other group, no capability, an empty bounding set, no_new_privs, the
 * descriptors 0 to 5 alone, and SIGKILL when the thread that started hob-drop ends. With `ports` it keeps
 * CAP_NET_BIND_SERVICE, for a port below 1024.
 *
 * Each PATH is a folder that the program needs. Where a folder above it is closed to the user (a repository in /root, data
 * in a folder of root's own), the program sees an empty folder in the place of the closed one, with nothing but the way to
 * PATH: in a mount namespace of its own, so that nobody's permissions are changed.
 *
 * Ends with 126 and a line on standard error when a step fails; nothing is left then.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PATHS_MAX 8
#define FAILED_EXIT_CODE 126
#define LAST_FD 5

static void fail(const char *step, const char *what) {
        fprintf(stderr, "hob-drop: %s %s: %s\n", step, what, strerror(errno));
        exit(FAILED_EXIT_CODE);
}

static void usage(void) {
        fprintf(stderr, "usage: hob-drop UID GID ports|no-ports PATH... -- PROGRAM ARGUMENT...\n");
        exit(FAILED_EXIT_CODE);
}

struct user {
        uid_t uid;
        gid_t gid;
};

/* A folder that the program needs. */
struct needed {
        const char *path;
        char closed[PATH_MAX]; /* the topmost folder above it, or itself, that is closed to the user; "" when none is */
        int tree_fd;           /* the folder, detached, when one is */
};

static unsigned parse_id(const char *text) {
        char *end = NULL;
        errno = 0;
        unsigned long id = strtoul(text, &end, 10);
        if (errno != 0 || *text < '0' || *text > '9' || *end != '\0' || id == 0 || id >= UINT_MAX)
                usage();
        return (unsigned) id;
}

/* Fills @needed->closed. The file system is asked as the user, so that lists of access count too. */
static void find_closed(struct needed *needed, const struct user *user) {
        char probe[PATH_MAX + 2];
        struct stat st;
        const size_t bytes = strlen(needed->path);

        if (needed->path[0] != '/' || bytes >= PATH_MAX)
                usage();
        (void) setfsgid(user->gid);
        (void) setfsuid(user->uid);
        for (size_t i = 1; i <= bytes && needed->closed[0] == '\0'; i++) {
                if (needed->path[i] != '/' && needed->path[i] != '\0')
                        continue;
                (void) snprintf(probe, sizeof probe, "%.*s/.", (int) i, needed->path);
                if (stat(probe, &st) < 0 && errno == EACCES)
                        memcpy(needed->closed, needed->path, i); /* the rest is zero */
        }
        (void) setfsuid(0);
        (void) setfsgid(0);
}

static void make_way(const struct needed *needed) {
        char path[PATH_MAX];
        const size_t bytes = strlen(needed->path);
        memcpy(path, needed->path, bytes + 1);
        for (size_t i = strlen(needed->closed) + 1; i <= bytes; i++) {
                if (path[i] != '/' && path[i] != '\0')
                        continue;
                path[i] = '\0';
                if (mkdir(path, 0755) < 0 && errno != EEXIST)
                        fail("make", path);
                path[i] = needed->path[i];
        }
        if (syscall(SYS_move_mount, needed->tree_fd, "", AT_FDCWD, path, MOVE_MOUNT_F_EMPTY_PATH) < 0)
                fail("show", path);
}

/* Everything is taken before anything is covered. */
static void open_ways(struct needed *needed, size_t count, const struct user *user) {
        size_t closed = 0;
        for (size_t i = 0; i < count; i++) {
                find_closed(&needed[i], user);
                if (strcmp(needed[i].closed, needed[i].path) == 0) {
                        errno = EACCES;
                        fail("enter", needed[i].path);
                }
                closed += needed[i].closed[0] != '\0';
        }
        if (closed == 0)
                return;
        /* What the host unmounts later is unmounted here too; nothing goes the other way. */
        if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
                fail("leave", "the mounts of the host");
        for (size_t i = 0; i < count; i++) {
                if (needed[i].closed[0] == '\0')
                        continue;
                needed[i].tree_fd = (int) syscall(SYS_open_tree, AT_FDCWD, needed[i].path,
                                                  OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
                if (needed[i].tree_fd < 0)
                        fail("take", needed[i].path);
        }
        for (size_t i = 0; i < count; i++) {
                bool covered = needed[i].closed[0] == '\0';
                for (size_t k = 0; k < i && !covered; k++)
                        covered = strcmp(needed[k].closed, needed[i].closed) == 0;
                if (!covered && mount("tmpfs", needed[i].closed, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC,
                                      "size=64k,nr_inodes=64,mode=0755") < 0)
                        fail("cover", needed[i].closed);
        }
        const mode_t mask = umask(0);
        for (size_t i = 0; i < count; i++)
                if (needed[i].closed[0] != '\0')
                        make_way(&needed[i]);
        (void) umask(mask);
}

static int set_capabilities(bool ports) {
        struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3, .pid = 0 };
        struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3] = { 0 };
        if (ports)
                sets[0].effective = sets[0].permitted = sets[0].inheritable = 1u << CAP_NET_BIND_SERVICE;
        if (syscall(SYS_capset, &header, sets) < 0)
                return -1;
        return ports ? prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_NET_BIND_SERVICE, 0, 0) : 0;
}

static void drop(const struct user *user, bool ports) {
        for (unsigned long cap = 0;; cap++) {
                if (ports && cap == CAP_NET_BIND_SERVICE)
                        continue;
                if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) == 0)
                        continue;
                if (errno == EINVAL)
                        break; /* the kernel knows no capability of that number */
                fail("drop", "the bounding set");
        }
        if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0 || prctl(PR_SET_KEEPCAPS, ports, 0, 0, 0) < 0 ||
            setresgid(user->gid, user->gid, user->gid) < 0 || setresuid(user->uid, user->uid, user->uid) < 0)
                fail("become", "the user");
        if (set_capabilities(ports) < 0)
                fail("drop", "the capabilities");
        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
                fail("refuse", "new privileges");
        /* Last, because a change of user clears it. */
        if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
                fail("die", "with the parent");
}

/* Believes nothing: asks the kernel who we are now. */
static void check(const struct user *user, bool ports) {
        struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3, .pid = 0 };
        struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3] = { 0 };
        const unsigned kept = ports ? 1u << CAP_NET_BIND_SERVICE : 0;
        uid_t ruid, euid, suid;
        gid_t rgid, egid, sgid;

        bool right = getresuid(&ruid, &euid, &suid) == 0 && getresgid(&rgid, &egid, &sgid) == 0 && ruid == user->uid &&
                     euid == user->uid && suid == user->uid && rgid == user->gid && egid == user->gid &&
                     sgid == user->gid && getgroups(0, NULL) == 0 && syscall(SYS_capget, &header, sets) == 0 &&
                     sets[0].permitted == kept && sets[1].permitted == 0 && prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1;
        if (right && setresuid(0, 0, 0) < 0)
                return;
        errno = EPERM;
        fail("verify", "that nothing is left");
}

int main(int argc, char **argv) {
        static struct needed needed[PATHS_MAX];
        size_t count = 0;
        int next = 4;

        if (argc < 6)
                usage();
        const struct user user = { .uid = parse_id(argv[1]), .gid = parse_id(argv[2]) };
        const bool ports = strcmp(argv[3], "ports") == 0;
        if (!ports && strcmp(argv[3], "no-ports") != 0)
                usage();
        for (; next < argc && strcmp(argv[next], "--") != 0; next++) {
                if (count == PATHS_MAX)
                        usage();
                needed[count].tree_fd = -1;
                needed[count++].path = argv[next];
        }
        if (next + 1 >= argc)
                usage();
        if (syscall(SYS_close_range, LAST_FD + 1, ~0U, 0) < 0)
                fail("close", "other descriptors");
        if (setgroups(0, NULL) < 0)
                fail("leave", "the groups");
        open_ways(needed, count, &user);
        drop(&user, ports);
        check(&user, ports);
        execv(argv[next + 1], argv + next + 1);
        fail("run", argv[next + 1]);
}
