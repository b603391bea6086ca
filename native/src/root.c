/*
 * The root filesystem: hob's own read-only copy of the runtime's files, with a /proc of its own pid namespace, a /dev of
 * six nodes made by us, and sized tmpfs for /tmp and /dev/shm. Everything goes by descriptor; no symbolic link is followed.
 */
#include <fcntl.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

#include "internal.h"

/* <sys/mount.h> and <linux/mount.h> of this libc exclude each other. */
#include "mount-classic.h"

struct mount_option {
        const char *key;
        const char *value; /* NULL: a flag */
};

static int fsopen_(const char *type) {
        return (int) syscall(SYS_fsopen, type, FSOPEN_CLOEXEC);
}

static int fsconfig_(int fd, unsigned command, const char *key, const char *value) {
        return (int) syscall(SYS_fsconfig, fd, command, key, value, 0);
}

static int set_attributes(int fd, uint64_t attributes) {
        struct mount_attr attr = { .attr_set = attributes };
        return syscall(SYS_mount_setattr, fd, "", AT_EMPTY_PATH, &attr, sizeof attr) < 0 ? -errno : 0;
}

/* A new instance of a filesystem, not yet attached anywhere. Returns its descriptor. */
static int make_mount(const char *type, const struct mount_option *options, unsigned attributes) {
        _cleanup_close_ int context = fsopen_(type);
        if (context < 0)
                return -errno;
        for (; options->key; options++) {
                unsigned command = options->value ? FSCONFIG_SET_STRING : FSCONFIG_SET_FLAG;
                if (fsconfig_(context, command, options->key, options->value) < 0)
                        return -errno;
        }
        if (fsconfig_(context, FSCONFIG_CMD_CREATE, NULL, NULL) < 0)
                return -errno;
        int fd = (int) syscall(SYS_fsmount, context, FSMOUNT_CLOEXEC, attributes);
        return fd < 0 ? -errno : fd;
}

static int open_inside(int root_fd, const char *path) {
        struct open_how how = {
                .flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
                .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
        };
        int fd = (int) syscall(SYS_openat2, root_fd, path, &how, sizeof how);
        return fd < 0 ? -errno : fd;
}

static int attach(int mount_fd, int root_fd, const char *path) {
        _cleanup_close_ int target = open_inside(root_fd, path);
        if (target < 0)
                return target;
        long r = syscall(SYS_move_mount, mount_fd, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
        return r < 0 ? -errno : 0;
}

/* SELinux's context for all files of a mount; without one the list of options ends here. */
static struct mount_option label_option(const struct hob_spec *spec) {
        return spec->selinux_files ? (struct mount_option){ "context", spec->selinux_files } : (struct mount_option){ 0 };
}

/* Our own nodes: what a function does to them (chmod, chown) cannot reach the host's. */
static int make_device(int dev_fd, const char *name, unsigned minor_number) {
        const dev_t device = makedev(1, minor_number);
        struct stat st;
        if (mknodat(dev_fd, name, S_IFCHR | 0666, device) < 0 || fchmodat(dev_fd, name, 0666, 0) < 0)
                return -errno;
        if (fstatat(dev_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
                return -errno;
        return S_ISCHR(st.st_mode) && st.st_rdev == device ? 0 : -ENODEV;
}

static int fill_dev(int dev_fd) {
        static const struct {
                const char *name;
                unsigned minor_number;
        } devices[] = { { "null", 3 }, { "zero", 5 }, { "full", 7 }, { "random", 8 }, { "urandom", 9 } };
        static const struct {
                const char *name, *target;
        } links[] = {
                { "fd", "/proc/self/fd" },
                { "stdin", "/proc/self/fd/0" },
                { "stdout", "/proc/self/fd/1" },
                { "stderr", "/proc/self/fd/2" },
        };
        for (size_t i = 0; i < sizeof devices / sizeof *devices; i++) {
                int r = make_device(dev_fd, devices[i].name, devices[i].minor_number);
                if (r < 0)
                        return r;
        }
        for (size_t i = 0; i < sizeof links / sizeof *links; i++)
                if (symlinkat(links[i].target, dev_fd, links[i].name) < 0)
                        return -errno;
        return mkdirat(dev_fd, "shm", 0755) < 0 ? -errno : 0;
}

static int mount_dev(int root_fd, const struct hob_spec *spec) {
        const struct mount_option options[] = {
                { "size", "64k" }, { "nr_inodes", "32" }, { "mode", "755" }, label_option(spec), { 0 }
        };
        _cleanup_close_ int fd = make_mount("tmpfs", options, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC);
        if (fd < 0)
                return fd;
        int r = fill_dev(fd);
        if (r == 0)
                r = set_attributes(fd, MOUNT_ATTR_RDONLY);
        return r < 0 ? r : attach(fd, root_fd, "dev");
}

/* A writable folder in memory: its size, and how many files it takes. */
struct scratch {
        const char *path;
        uint64_t bytes, inodes;
};

static int mount_scratch(int root_fd, const struct scratch *scratch, const struct hob_spec *spec) {
        char size[32], count[32];
        const struct mount_option options[] = {
                { "size", size }, { "nr_inodes", count }, { "mode", "1777" }, label_option(spec), { 0 }
        };
        (void) snprintf(size, sizeof size, "%llu", (unsigned long long) scratch->bytes);
        (void) snprintf(count, sizeof count, "%llu", (unsigned long long) scratch->inodes);
        _cleanup_close_ int fd =
                make_mount("tmpfs", options, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
        return fd < 0 ? fd : attach(fd, root_fd, scratch->path);
}

int make_procfs(void) {
        static const struct mount_option options[] = { { 0 } };
        return make_mount("proc", options, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
}

static int mount_proc(int root_fd) {
        static const struct mount_option options[] = { { "subset", "pid" }, { "hidepid", "invisible" }, { 0 } };
        _cleanup_close_ int fd =
                make_mount("proc", options, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
        return fd < 0 ? fd : attach(fd, root_fd, "proc");
}

/* A folder below another one, whatever its owner may have put there. */
static int open_beneath(const char *base, const char *path) {
        struct open_how how = {
                .flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
                .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV,
        };
        _cleanup_close_ int base_fd = open(base, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (base_fd < 0)
                return -errno;
        int fd = (int) syscall(SYS_openat2, base_fd, path, &how, sizeof how);
        return fd < 0 ? -errno : fd;
}

/*
 * A read-only view of a folder, named by its path or by descriptor and "", detached, with further attributes. Returns its
 * descriptor.
 */
static int clone_tree(int dir_fd, const char *path, uint64_t attributes) {
        const unsigned flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH;
        _cleanup_close_ int fd = (int) syscall(SYS_open_tree, dir_fd, path, flags);
        if (fd < 0)
                return -errno;
        int r = set_attributes(fd, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | attributes);
        return r < 0 ? r : take_fd(&fd);
}

/* A folder of the host, by an absolute path in which nothing is a link. Returns its descriptor. */
static int open_folder(const char *path) {
        struct open_how how = {
                .flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
                .resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
        };
        int fd = (int) syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof how);
        return fd < 0 ? -errno : fd;
}

int build_root(const struct hob_spec *spec) {
        const struct scratch shm = { "dev/shm", spec->shm_bytes, 1024 }, tmp = { "tmp", spec->tmp_bytes, spec->tmp_inodes };
        int r = make_mounts_private();
        if (r < 0)
                return r;
        _cleanup_close_ int folder_fd = open_folder(spec->root);
        if (folder_fd < 0)
                return folder_fd;
        _cleanup_close_ int root_fd = clone_tree(folder_fd, "", 0);
        if (root_fd < 0)
                return root_fd;
        /* A detached tree takes no mounts below it, so it is attached over its own folder first. */
        if (syscall(SYS_move_mount, root_fd, "", folder_fd, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0)
                return -errno;
        r = mount_proc(root_fd);
        if (r == 0)
                r = mount_dev(root_fd, spec);
        if (r == 0)
                r = mount_scratch(root_fd, &shm, spec);
        if (r == 0)
                r = mount_scratch(root_fd, &tmp, spec);
        if (r == 0 && fchdir(root_fd) < 0)
                r = -errno;
        return r;
}

/* Compares the mount points (the fifth word of each line) and their attributes (the sixth) with what was mounted. */
static bool are_mounts_ours(char *mountinfo) {
        static const struct {
                const char *point, *attributes;
        } expected[] = {
                { "/", "ro,nosuid,nodev" },
                { "/proc", "rw,nosuid,nodev,noexec" },
                { "/dev", "ro,nosuid,noexec" },
                { "/dev/shm", "rw,nosuid,nodev,noexec" },
                { "/tmp", "rw,nosuid,nodev,noexec" },
        };
        size_t n = 0;
        for (char *line; (line = strsep(&mountinfo, "\n")) && *line != '\0'; n++) {
                for (int skipped = 0; skipped < 4; skipped++)
                        (void) strsep(&line, " ");
                const char *point = strsep(&line, " "), *attributes = strsep(&line, " ");
                if (n == sizeof expected / sizeof *expected || !point || !attributes ||
                    strcmp(point, expected[n].point) != 0 ||
                    strncmp(attributes, expected[n].attributes, strlen(expected[n].attributes)) != 0)
                        return false;
        }
        return n == sizeof expected / sizeof *expected;
}

static int check_mounts(void) {
        char text[4096];
        size_t used = 0;
        _cleanup_close_ int fd = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
        if (fd < 0)
                return -errno;
        for (;;) {
                ssize_t n = read(fd, text + used, sizeof text - used);
                if (n < 0)
                        return -errno;
                if (n == 0)
                        break;
                used += (size_t) n;
                if (used == sizeof text)
                        return -E2BIG;
        }
        text[used] = '\0';
        return are_mounts_ours(text) ? 0 : -EBADE;
}

int enter_root(void) {
        char cwd[8];
        /* The new root goes over the old one, which is then taken away from beneath: no folder for it is needed. */
        if (syscall(SYS_pivot_root, ".", ".") < 0)
                return -errno;
        int r = detach_working_directory();
        if (r < 0)
                return r;
        if (chdir("/") < 0)
                return -errno;
        if (!getcwd(cwd, sizeof cwd) || strcmp(cwd, "/") != 0)
                return -ENOTDIR;
        return check_mounts();
}

/* What the visitor of a container's mount namespace is told, and what it answers. */
struct visit {
        int namespace_fd, tree_fd;
        const char *target;
        int result;
};

static int visit_namespace(void *argument) {
        struct visit *visit = argument;
        visit->result = enter_mount_namespace(visit->namespace_fd);
        if (visit->result == 0) {
                _cleanup_close_ int root_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
                visit->result = root_fd < 0 ? -errno : attach(visit->tree_fd, root_fd, visit->target);
        }
        return 0;
}

static int container_namespace(int pid) {
        char path[64];
        (void) snprintf(path, sizeof path, "/proc/%d/ns/mnt", pid);
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        return fd < 0 ? -errno : fd;
}

int hob_mount(int pid, const char *base, const char *path, const char *target, char *step) {
        struct visit visit = { .namespace_fd = -EBADF, .tree_fd = -EBADF, .target = target, .result = -ECHILD };
        _cleanup_close_ int source = open_beneath(base, path);
        STEP("mount source", source < 0 ? source : 0);
        _cleanup_close_ int tree = clone_tree(source, "", MOUNT_ATTR_NOEXEC);
        STEP("mount tree", tree < 0 ? tree : 0);
        STEP("mount container", check_entered(pid));
        _cleanup_close_ int there = container_namespace(pid);
        STEP("mount namespace", there < 0 ? there : 0);
        visit.tree_fd = tree;
        visit.namespace_fd = there;
        STEP("mount helper", run_helper(visit_namespace, &visit));
        STEP("mount attach", visit.result);
        return 0;
}
