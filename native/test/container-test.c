/*
 * libhob under AddressSanitizer and UndefinedBehaviorSanitizer: every step of the way into a container succeeds once and
 * fails once, for a copy and for a program, every refused input is refused, and no descriptor, process or byte is left.
 * Usage: container-test PROFILE PROGRAM, the latter being test/inside.c as a static program.
 */
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
#include <sys/xattr.h>

#include "testing.h"

static char folder[] = "/tmp/hob-native-XXXXXX";

const char *in_folder(const char *name) {
        static char path[4][128];
        static int next;
        char *p = path[next++ % 4];
        snprintf(p, sizeof path[0], "%s/%s", folder, name);
        return p;
}

static void make_root(const char *program_path) {
        static const char *const names[] = { "root", "root/proc", "root/dev", "root/tmp", "root/var", "root/var/task" };
        char command[512];
        CHECK(mkdtemp(folder) != NULL);
        for (size_t i = 0; i < sizeof names / sizeof *names; i++)
                CHECK(mkdir(in_folder(names[i]), 0755) == 0);
        CHECK(symlink("root", in_folder("alias")) == 0);
        snprintf(command, sizeof command, "cp '%s' '%s'", program_path, in_folder("root/program"));
        CHECK(system(command) == 0);
}

static void remove_root(void) {
        static const char *const names[] = { "root/var/task", "root/var", "root/tmp", "root/dev", "root/proc", "root/program", "root", "alias", "profile", "lock" };
        for (size_t i = 0; i < sizeof names / sizeof *names; i++)
                (void) remove(in_folder(names[i]));
        CHECK(rmdir(folder) == 0);
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

static void test_kill(void) {
        const int before = count_fds();
        int status;
        pid_t child = fork();
        CHECK(child >= 0);
        if (child == 0)
                for (;;)
                        pause();
        CHECK(hob_kill(child) == 0);
        CHECK(waitpid(child, &status, 0) == child && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        CHECK(hob_kill(child) == 0); /* it has ended */
        CHECK(count_fds() == before);
}

static void test_delegation(void) {
        CHECK(hob_is_delegated(folder) == 0 && hob_is_delegated("/nonexistent") == 0);
        CHECK(setxattr(folder, "trusted.delegate", "0", 1, 0) == 0 && hob_is_delegated(folder) == 0);
        CHECK(setxattr(folder, "trusted.delegate", "1", 1, 0) == 0 && hob_is_delegated(folder) == 1);
        CHECK(removexattr(folder, "trusted.delegate") == 0);
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
                setenv("HOB_PROBE", steps[i], 1);
                CHECK(hob_limit(child, &all, step) == -EIO && strcmp(step, steps[i]) == 0);
        }
        unsetenv("HOB_PROBE");
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
        if (argc != 3)
                return 2;
        make_root(argv[2]);
        test_profiles(argv[1]);
        test_containers(argv[1]);
        test_serve();
        test_mount();
        test_limit();
        test_kill();
        test_delegation();
        test_lock();
        test_foreign_message();
        test_send();
        test_connect();
        remove_root();
        printf("%d checks passed\n", checks);
        return 0;
}
