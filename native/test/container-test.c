/*
 * libhob under AddressSanitizer and UndefinedBehaviorSanitizer: every step of the way into a container succeeds once and
 * fails once, every refused input is refused, and no descriptor, process or byte is left. Usage: container-test PROFILE
 */
#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/vfs.h>
#include <sys/wait.h>

#include "internal.h"

static int checks;

#define CHECK(condition)                                                                                               \
        do {                                                                                                           \
                checks++;                                                                                              \
                if (!(condition)) {                                                                                    \
                        fprintf(stderr, "%s:%d: %s (errno %d)\n", __FILE__, __LINE__, #condition, errno);              \
                        exit(1);                                                                                       \
                }                                                                                                      \
        } while (0)

static char folder[] = "/tmp/hob-native-XXXXXX";
static char step[HOB_STEP_BYTES];

static int count_fds(void) {
        DIR *dir = opendir("/proc/self/fd");
        int n = 0;
        CHECK(dir != NULL);
        while (readdir(dir))
                n++;
        closedir(dir);
        return n;
}

static const char *in_folder(const char *name) {
        static char path[4][128];
        static int next;
        char *p = path[next++ % 4];
        snprintf(p, sizeof path[0], "%s/%s", folder, name);
        return p;
}

static void make_root(void) {
        static const char *const names[] = { "root", "root/proc", "root/dev", "root/tmp", "root/var", "root/var/task" };
        CHECK(mkdtemp(folder) != NULL);
        for (size_t i = 0; i < sizeof names / sizeof *names; i++)
                CHECK(mkdir(in_folder(names[i]), 0755) == 0);
}

static void remove_root(void) {
        static const char *const names[] = { "root/var/task", "root/var", "root/tmp", "root/dev", "root/proc", "root", "profile", "lock" };
        for (size_t i = 0; i < sizeof names / sizeof *names; i++)
                (void) remove(in_folder(names[i]));
        CHECK(rmdir(folder) == 0);
}

static struct hob_spec make_spec(void) {
        struct hob_spec spec = {
                .root = in_folder("root"),
                .hostname = "test",
                .host_uid = 2100000,
                .inside_uid = 1000,
                .tmp_bytes = 1 << 20,
                .tmp_inodes = 64,
                .shm_bytes = 1 << 16,
                .nofile_max = 64,
                .nproc_max = 16,
                .file_bytes_max = 1 << 20,
                .frames_fd = 40,
                .loop_fds = { -1 },
        };
        return spec;
}

static int load_text(const char *text, struct hob_filter **ret) {
        FILE *f = fopen(in_folder("profile"), "we");
        CHECK(f != NULL);
        CHECK(fputs(text, f) >= 0 && fclose(f) == 0);
        return hob_filter_load(in_folder("profile"), ret, step);
}

static void test_profiles(const char *profile) {
        static const char *const bad[] = {
                "",
                "# nothing but a comment\n",
                "allow read # before the default\n",
                "default errno ENOSYS\n",
                "default errno EWHAT # unknown errno\n",
                "default errno ENOSYS # twice\ndefault kill # twice\n",
                "default errno ENOSYS # ok\nallow read\n",
                "default errno ENOSYS # ok\nallow no_such_call # unknown\n",
                "default errno ENOSYS # ok\npermit read # unknown verb\n",
                "default errno ENOSYS # ok\nallow # no call\n",
                "default errno ENOSYS # ok\nallow socket when 9 == 1 # no such argument\n",
                "default errno ENOSYS # ok\nallow socket when 0 < 1 # no such operator\n",
                "default errno ENOSYS # ok\nallow socket when 0 == # no value\n",
                "default errno ENOSYS # ok\nallow socket when 0 & 1 # no comparison\n",
                "default errno ENOSYS # ok\nallow socket when 0 == 1 2 # too much\n",
                "default errno ENOSYS # ok\nallow a when 0 == 1 and 1 == 1 and 2 == 1 and 3 == 1 and 4 == 1 # too many\n",
        };
        struct hob_filter *filter = NULL;
        char long_line[2048];
        const int before = count_fds();

        for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
                step[0] = '\0';
                CHECK(load_text(bad[i], &filter) == -EINVAL);
                CHECK(filter == NULL && strncmp(step, "profile", 7) == 0);
        }
        memset(long_line, 'x', sizeof long_line - 1);
        long_line[sizeof long_line - 1] = '\0';
        CHECK(load_text(long_line, &filter) == -EINVAL);
        CHECK(hob_filter_load("/nonexistent", &filter, step) == -ENOENT);
        CHECK(load_text("default kill # all\nallow read, write when 0 & 0x0 == 0 # some\nforeign kill # all\n", &filter) == 0);
        hob_filter_free(filter);
        hob_filter_free(NULL);
        filter = NULL;
        CHECK(hob_filter_load(profile, &filter, step) == 0 && filter->program.len > 100);
        hob_filter_free(filter);
        CHECK(count_fds() == before);
}

/* In the container: what it can do, told by its exit code. */
static int look_around(void) {
        struct stat st;
        struct hob_spec spec = make_spec();
        if (fcntl(3, F_GETFD) >= 0 || fcntl(spec.frames_fd, F_GETFD) < 0)
                return 9;
        if (getpid() != 1 || getuid() != 1000 || getppid() != 0)
                return 10;
        if (open("/new", O_CREAT | O_WRONLY, 0600) >= 0 || errno != EROFS)
                return 11;
        if (open("/tmp/new", O_CREAT | O_WRONLY, 0600) < 0)
                return 12;
        if (stat("/dev/null", &st) < 0 || !S_ISCHR(st.st_mode))
                return 13;
        if (mount("none", "/tmp", "tmpfs", 0, NULL) == 0 || errno != EPERM)
                return 14;
        if (socket(AF_VSOCK, SOCK_STREAM, 0) >= 0 || errno != EAFNOSUPPORT)
                return 15;
        return 0;
}

/* A zygote: forks one container and ends. The container ends with 0, or 100 when it could not enter. */
static int be_zygote(const struct hob_spec *spec, const char *profile, int channel) {
        struct hob_filter *filter = NULL;
        int32_t pipes[HOB_PIPES] = { -1, -1, -1, -1 };
        const int before = count_fds();

        if (hob_filter_load(profile, &filter, step) < 0)
                return 1;
        int pid = hob_fork_into(spec, filter, channel, 7, pipes, step);
        if (pid == 0)
                hob_exit(look_around());
        if (pipes[HOB_PIPE_STDERR] >= 0) {
                /* Whatever was reached, the host must learn the step: the pipe is still there or already descriptor 2. */
                if (dprintf(pipes[HOB_PIPE_STDERR], "%s", step) < 0)
                        (void) dprintf(2, "%s", step);
                hob_exit(100);
        }
        hob_filter_free(filter);
        if (pid < 0)
                return strcmp(step, getenv("HOB_FAULT_STEP") ? getenv("HOB_FAULT_STEP") : "cgroup2") == 0 ? 2 : 3;
        (void) send(channel, &pid, sizeof pid, 0);
        return count_fds() == before ? 0 : 4;
}

/* Runs a zygote to its end and reaps its container. Returns the container's exit code, or -1 when none was forked. */
static int run_container(const struct hob_spec *spec, const char *profile, char *said, size_t said_bytes) {
        int32_t channel[2], ends[HOB_ENDS], status = 0;
        uint32_t serial = 0;
        int pid = -1, code = -1, zygote_status;
        const int before = count_fds();

        CHECK(hob_channel(0, channel) == 0);
        CHECK(hob_receive(channel[0], &serial, ends, HOB_ENDS) == -EAGAIN);
        pid_t zygote = fork();
        CHECK(zygote >= 0);
        if (zygote == 0)
                _exit(be_zygote(spec, profile, channel[1]));
        CHECK(waitpid(zygote, &zygote_status, 0) == zygote && WIFEXITED(zygote_status));
        CHECK(close(channel[1]) == 0);
        said[0] = '\0';
        if (WEXITSTATUS(zygote_status) == 0) {
                CHECK(hob_receive(channel[0], &serial, ends, HOB_ENDS) == 0 && serial == 7);
                CHECK(recv(channel[0], &pid, sizeof pid, 0) == sizeof pid && pid > 0);
                while (hob_reap(pid, &status) == 0)
                        usleep(1000);
                CHECK(WIFEXITED(status));
                code = WEXITSTATUS(status);
                ssize_t n = read(ends[HOB_END_STDERR], said, said_bytes - 1);
                said[n > 0 ? n : 0] = '\0';
                for (int i = 0; i < HOB_ENDS; i++)
                        CHECK(hob_close(ends[i]) == 0);
                CHECK(hob_reap(pid, &status) == -ECHILD);
        } else
                CHECK(WEXITSTATUS(zygote_status) == 2);
        int last = hob_receive(channel[0], &serial, ends, HOB_ENDS);
        if (last == 0)
                for (int i = 0; i < HOB_ENDS; i++)
                        CHECK(hob_close(ends[i]) == 0);
        else
                CHECK(last == -ENODATA);
        CHECK(close(channel[0]) == 0 && count_fds() == before);
        return code;
}

static void test_container(const char *profile) {
        struct hob_spec spec = make_spec();
        char said[256];

        int code = run_container(&spec, profile, said, sizeof said);
        if (code != 0)
                fprintf(stderr, "the container ended with %d: %s\n", code, said);
        CHECK(code == 0);
}

static void test_fault_sweep(const char *profile) {
        static const char *const forking[] = { "pipes", "send", "clone" };
        static const char *const entering[] = { "spec", "session", "cgroup", "namespaces", "loopback", "root", "pivot",
                                                "hostname", "stdio", "rlimits", "ids", "user namespace", "capabilities",
                                                "identity", "parent", "no_new_privs", "frames", "descriptors", "handlers", "seccomp",
                                                "event loop", "settle" };
        struct hob_spec spec = make_spec();
        char said[256];

        for (size_t i = 0; i < sizeof forking / sizeof *forking; i++) {
                setenv("HOB_FAULT_STEP", forking[i], 1);
                CHECK(run_container(&spec, profile, said, sizeof said) == -1);
        }
        for (size_t i = 0; i < sizeof entering / sizeof *entering; i++) {
                setenv("HOB_FAULT_STEP", entering[i], 1);
                CHECK(run_container(&spec, profile, said, sizeof said) == 100);
                CHECK(strcmp(said, entering[i]) == 0);
        }
        unsetenv("HOB_FAULT_STEP");
}

static void test_bad_specs(const char *profile) {
        const struct {
                struct hob_spec spec;
                const char *step;
        } cases[] = {
                { .spec = { .root = "/nonexistent" }, .step = "root" },
                { .spec = { .cgroup_dirs = { "/nonexistent" } }, .step = "cgroup" },
                { .spec = { .hostname = "a-name-that-is-longer-than-the-sixty-four-characters-that-linux-takes" }, .step = "hostname" },
        };
        char said[256];
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
                struct hob_spec spec = make_spec();
                if (cases[i].spec.root)
                        spec.root = cases[i].spec.root;
                if (cases[i].spec.hostname)
                        spec.hostname = cases[i].spec.hostname;
                spec.cgroup_dirs[0] = cases[i].spec.cgroup_dirs[0];
                CHECK(run_container(&spec, profile, said, sizeof said) == 100);
                CHECK(strcmp(said, cases[i].step) == 0);
        }
        struct hob_spec root_user = make_spec();
        root_user.host_uid = 0;
        CHECK(run_container(&root_user, profile, said, sizeof said) == 100 && strcmp(said, "spec") == 0);
        struct hob_spec lost = make_spec();
        lost.cgroup2_dir = "/nonexistent";
        CHECK(run_container(&lost, profile, said, sizeof said) == -1);
}

static void test_mount(void) {
        static const struct {
                const char *path;
                int error;
        } refused[] = { { "nonexistent", -ENOENT }, { "..", -EXDEV }, { "root/../..", -EXDEV }, { "/etc", -EXDEV },
                        { "link", -ELOOP }, { "link/proc", -ELOOP }, { "mounted", -EXDEV }, { "lock", -ENOTDIR } };
        const int self = getpid();
        const int before = count_fds();
        CHECK(symlink("root", in_folder("link")) == 0 && mkdir(in_folder("mounted"), 0755) == 0);
        CHECK(close(open(in_folder("lock"), O_CREAT | O_WRONLY, 0600)) == 0);
        CHECK(mount("tmpfs", in_folder("mounted"), "tmpfs", 0, "size=64k") == 0);
        for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
                CHECK(hob_mount(self, folder, refused[i].path, "var/task", step) == refused[i].error);
                CHECK(strcmp(step, "mount source") == 0);
        }
        CHECK(umount2(in_folder("mounted"), 0) == 0);
        CHECK(hob_mount(self, "/nonexistent", "root", "var/task", step) == -ENOENT && strcmp(step, "mount source") == 0);
        CHECK(hob_mount(self, in_folder("link"), "proc", "var/task", step) == -ENOTDIR && strcmp(step, "mount source") == 0);
        CHECK(hob_mount(1 << 30, folder, "root", "var/task", step) == -ENOENT && strcmp(step, "mount container") == 0);
        /* A process that is still the host's. */
        CHECK(hob_mount(self, folder, "root", "var/task", step) == -EBUSY && strcmp(step, "mount container") == 0);
        CHECK(unlink(in_folder("link")) == 0 && rmdir(in_folder("mounted")) == 0 && unlink(in_folder("lock")) == 0);
        CHECK(count_fds() == before);
}

/* A process with a tmpfs of its own at /tmp, whose size and limits it tells by its exit code when it is woken. */
static int be_limited(int wake_fd) {
        struct statfs fs;
        struct rlimit files;
        char byte;
        if (read(wake_fd, &byte, 1) != 1 || statfs("/tmp", &fs) < 0)
                return 1;
        if (getrlimit(RLIMIT_NOFILE, &files) < 0)
                return 2;
        if ((uint64_t) fs.f_blocks * (uint64_t) fs.f_bsize != 2 << 20 || fs.f_files != 99)
                return 3;
        return files.rlim_cur == 77 && files.rlim_max == 77 ? 0 : 4;
}

static void test_limit(void) {
        static const char *const steps[] = { "limit container", "limit nofile", "limit tmp" };
        const struct hob_limits all = { .nofile_max = 77, .tmp_bytes = 2 << 20, .tmp_inodes = 99, .host_uid = 2100000 };
        const struct hob_limits nothing = { 0 }, tmp = { .tmp_bytes = 4096 };
        const int before = count_fds();
        int ready[2], wake[2], status;
        char byte;

        CHECK(pipe2(ready, O_CLOEXEC) == 0 && pipe2(wake, O_CLOEXEC) == 0);
        pid_t child = fork();
        CHECK(child >= 0);
        if (child == 0) {
                if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
                    mount("tmpfs", "/tmp", "tmpfs", 0, "size=1m") < 0 || setresgid(2100000, 2100000, 2100000) < 0 || setresuid(2100000, 2100000, 2100000) < 0 || unshare(CLONE_NEWUSER) < 0 ||
                    write(ready[1], "", 1) != 1)
                        _exit(100);
                _exit(be_limited(wake[0]));
        }
        CHECK(close(ready[1]) == 0 && read(ready[0], &byte, 1) == 1);
        for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
                setenv("HOB_FAULT_STEP", steps[i], 1);
                CHECK(hob_limit(child, &all, step) == -EIO && strcmp(step, steps[i]) == 0);
        }
        unsetenv("HOB_FAULT_STEP");
        CHECK(hob_limit(child, &all, step) == 0);
        CHECK(hob_limit(child, &nothing, step) == 0);
        CHECK(write(wake[1], "", 1) == 1 && waitpid(child, &status, 0) == child);
        if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
                fprintf(stderr, "the limited process ended with status %d\n", status);
        CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
        CHECK(hob_limit(child, &all, step) == -ENOENT && strcmp(step, "limit container") == 0);
        /* A process that is still the host's: its /tmp is ours. */
        CHECK(hob_limit(getpid(), &tmp, step) == -EBUSY && strcmp(step, "limit container") == 0);
        CHECK(close(ready[0]) == 0 && close(wake[0]) == 0 && close(wake[1]) == 0 && count_fds() == before);
}

static void test_lock(void) {
        const int before = count_fds();
        int held = hob_lock(in_folder("lock"));
        CHECK(held >= 0);
        CHECK(hob_lock(in_folder("lock")) == -EWOULDBLOCK);
        CHECK(hob_close(held) == 0 && hob_close(held) == -EBADF);
        held = hob_lock(in_folder("lock"));
        CHECK(held >= 0 && hob_close(held) == 0);
        CHECK(hob_lock("/nonexistent/lock") == -ENOENT);
        CHECK(link(in_folder("lock"), in_folder("other")) == 0 && hob_lock(in_folder("lock")) == -EMLINK);
        CHECK(unlink(in_folder("lock")) == 0 && symlink("other", in_folder("lock")) == 0);
        CHECK(hob_lock(in_folder("lock")) == -ELOOP);
        CHECK(unlink(in_folder("lock")) == 0 && mkfifo(in_folder("lock"), 0600) == 0);
        CHECK(hob_lock(in_folder("lock")) == -EMLINK);
        CHECK(unlink(in_folder("lock")) == 0 && unlink(in_folder("other")) == 0);
        CHECK(count_fds() == before);
}

static void test_foreign_message(void) {
        int32_t channel[2], ends[HOB_ENDS];
        uint32_t serial;
        const int before = count_fds();
        CHECK(hob_channel(0, channel) == 0);
        CHECK(send(channel[1], "no descriptors", 4, 0) == 4);
        CHECK(hob_receive(channel[0], &serial, ends, HOB_ENDS) == -EBADMSG);
        CHECK(hob_send(channel[1], 5, channel, 2) == 0);
        CHECK(hob_receive(channel[0], &serial, ends, 1) == -EBADMSG);
        CHECK(close(channel[0]) == 0 && close(channel[1]) == 0 && count_fds() == before);
}

static void test_send(void) {
        int32_t channel[2], null, got = -1, count = 0, r;
        uint32_t serial = 0;
        const int before = count_fds();
        CHECK(hob_channel(0, channel) == 0);
        null = open("/dev/null", O_RDONLY | O_CLOEXEC);
        CHECK(null >= 0);
        CHECK(hob_send(channel[1], 9, &null, 0) == -EINVAL && hob_send(channel[1], 9, &null, HOB_RIGHTS_MAX + 1) == -EINVAL);
        CHECK(hob_send(channel[1], 9, &null, 1) == 0);
        CHECK(hob_receive(channel[0], &serial, &got, 1) == 0 && serial == 9 && got >= 0);
        CHECK((fcntl(got, F_GETFL) & O_NONBLOCK) && (fcntl(got, F_GETFD) & FD_CLOEXEC) && hob_close(got) == 0);
        while ((r = hob_send(channel[1], 9, &null, 1)) == 0)
                CHECK(++count < 1000000);
        CHECK(r == -EAGAIN || r == -ETOOMANYREFS);
        CHECK(close(channel[0]) == 0 && hob_send(channel[1], 9, &null, 1) == -ECONNRESET);
        CHECK(hob_send(channel[1], 9, &null, 1) == -EPIPE);
        CHECK(close(channel[1]) == 0 && close(null) == 0 && count_fds() == before);
}

static void test_connect(void) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        uint32_t uid = 1;
        char longest[256];
        const int before = count_fds();
        int server = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        (void) snprintf(address.sun_path, sizeof address.sun_path, "%s", in_folder("socket"));
        CHECK(server >= 0 && bind(server, (struct sockaddr *) &address, sizeof address) == 0);
        CHECK(hob_connect(address.sun_path) == -ECONNREFUSED);
        CHECK(listen(server, 1) == 0);
        int client = hob_connect(address.sun_path);
        CHECK(client >= 0 && hob_peer(client, &uid) == 0 && uid == getuid());
        CHECK(hob_peer(-1, &uid) == -EBADF);
        CHECK(unlink(address.sun_path) == 0 && hob_connect(address.sun_path) == -ENOENT);
        memset(longest, 'x', sizeof longest - 1);
        longest[sizeof longest - 1] = 0;
        CHECK(hob_connect(longest) == -ENAMETOOLONG);
        CHECK(close(client) == 0 && close(server) == 0 && count_fds() == before);
}

int main(int argc, char **argv) {
        if (argc != 2)
                return 2;
        make_root();
        test_profiles(argv[1]);
        test_container(argv[1]);
        test_bad_specs(argv[1]);
        test_fault_sweep(argv[1]);
        test_mount();
        test_limit();
        test_lock();
        test_foreign_message();
        test_send();
        test_connect();
        remove_root();
        printf("%d checks passed\n", checks);
        return 0;
}
