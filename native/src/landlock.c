/*
 * Landlock: the floor below every other wall, since it needs no policy of the host's. What the mounts and the file modes
 * already refuse is refused once more, by rules that hold even if a mount were found that should not be there.
 *
 * The kernel's ABI grows by versions; each is used for what it offers. Version 1 is not used: it would forbid to move a file
 * from one folder to another. The numbers are of include/uapi/linux/landlock.h, which may be older here than the kernel.
 */
#include <fcntl.h>
#include <sys/syscall.h>

#include "internal.h"

#define ABI_MIN 2

/* LANDLOCK_ACCESS_FS_… */
enum {
        FS_EXECUTE = 1 << 0,
        FS_WRITE_FILE = 1 << 1,
        FS_READ_FILE = 1 << 2,
        FS_READ_DIR = 1 << 3,
        FS_REMOVE_DIR = 1 << 4,
        FS_REMOVE_FILE = 1 << 5,
        FS_MAKE_DIR = 1 << 7,
        FS_MAKE_REG = 1 << 8,
        FS_MAKE_SOCK = 1 << 9,
        FS_MAKE_FIFO = 1 << 10,
        FS_MAKE_SYM = 1 << 12,
        FS_REFER = 1 << 13,    /* version 2 */
        FS_TRUNCATE = 1 << 14, /* version 3 */
        FS_IOCTL_DEV = 1 << 15 /* version 5 */
};
#define FS_ALL_OF_VERSION_2 0x3fffU
/* LANDLOCK_ACCESS_NET_BIND_TCP and …_CONNECT_TCP: version 4. */
#define NET_TCP 3U
/* LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET and LANDLOCK_SCOPE_SIGNAL: version 6. */
#define SCOPE_ALL 3U
/* LANDLOCK_CREATE_RULESET_VERSION. */
#define ASK_VERSION 1U
/* LANDLOCK_RESTRICT_SELF_LOG_SAME_EXEC_OFF: version 7. A function could fill the host's audit log with its refusals. */
#define NO_AUDIT 1U
/* LANDLOCK_RULE_PATH_BENEATH. */
#define PATH_BENEATH 1

struct ruleset {
        uint64_t fs, net, scoped;
};

struct path_rule {
        uint64_t allowed;
        int32_t parent_fd;
} __attribute__((packed));

int hob_landlock_abi(void) {
        long abi = syscall(SYS_landlock_create_ruleset, NULL, (size_t) 0, ASK_VERSION);
        if (abi >= 0)
                return (int) abi;
        /* Not built in, or not switched on. */
        return errno == ENOSYS || errno == EOPNOTSUPP ? 0 : -errno;
}

/* Everything that a version knows is refused unless a rule allows it. */
static struct ruleset refuse_all(int abi, bool tcp_allowed) {
        struct ruleset all = { .fs = FS_ALL_OF_VERSION_2 };
        if (abi >= 3)
                all.fs |= FS_TRUNCATE;
        if (abi >= 4 && !tcp_allowed)
                all.net = NET_TCP;
        if (abi >= 5)
                all.fs |= FS_IOCTL_DEV;
        if (abi >= 6)
                all.scoped = SCOPE_ALL;
        return all;
}

static int allow_beneath(int ruleset_fd, const char *path, uint64_t access) {
        _cleanup_close_ int fd = open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0)
                return -errno;
        const struct path_rule rule = { .allowed = access, .parent_fd = fd };
        return syscall(SYS_landlock_add_rule, ruleset_fd, PATH_BENEATH, &rule, 0U) < 0 ? -errno : 0;
}

static int add_rules(int ruleset_fd, uint64_t known) {
        /* Files, folders, links, sockets and named pipes, but no device. */
        const uint64_t scratch = FS_WRITE_FILE | FS_REMOVE_DIR | FS_REMOVE_FILE | FS_MAKE_DIR | FS_MAKE_REG |
                                 FS_MAKE_SOCK | FS_MAKE_FIFO | FS_MAKE_SYM | FS_REFER | FS_TRUNCATE;
        const struct {
                const char *path;
                uint64_t access;
        } rules[] = {
                { "/", FS_READ_FILE | FS_READ_DIR | FS_EXECUTE },
                { "/dev", FS_WRITE_FILE },
                { "/dev/shm", scratch },
                { "/tmp", scratch },
        };
        for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
                int r = allow_beneath(ruleset_fd, rules[i].path, rules[i].access & known);
                if (r < 0)
                        return r;
        }
        return 0;
}

int restrict_by_landlock(const struct hob_spec *spec) {
        const int abi = hob_landlock_abi();
        if (abi < ABI_MIN)
                return abi < 0 ? abi : 0;
        const struct ruleset rules = refuse_all(abi, spec->tcp_allowed != 0);
        _cleanup_close_ int fd = (int) syscall(SYS_landlock_create_ruleset, &rules, sizeof rules, 0U);
        if (fd < 0)
                return -errno;
        int r = add_rules(fd, rules.fs);
        if (r < 0)
                return r;
        return syscall(SYS_landlock_restrict_self, fd, abi >= 7 ? NO_AUDIT : 0U) < 0 ? -errno : 0;
}
