/*
 * Filters with notices, and the watch over them, under AddressSanitizer and UndefinedBehaviorSanitizer: what each filter
 * holds up, who may make the call, and that no descriptor, process or byte is left. Usage: notices-test PROFILE
 */
#include <fcntl.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "testing.h"

static const char *profile;

/* A watch, and a process that it watches. */
struct stage {
        struct hob_watch *watch;
        int notices;
        pid_t child;
};

/* Becomes a process with a filter, does what it is told, and ends with 0; with 99 when it has no filter. */
static _Noreturn void act(const struct hob_notices *notices, int socket, int (*play)(void)) {
        struct hob_filter *filter = NULL;
        uint8_t code[HOB_FILTER_BYTES_MAX];
        if (hob_filter_load_notices(profile, notices, &filter, step) < 0)
                _exit(99);
        int bytes = hob_filter_write(filter, code, sizeof code);
        hob_filter_free(filter);
        if (bytes < 0 || hob_filter_read(code, (uint32_t) bytes, &filter) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
                _exit(99);
        if (install_watched_filter(filter, socket) < 0)
                _exit(99);
        _exit(play());
}

static void raise_curtain(struct stage *stage, const struct hob_notices *notices, int learns, int (*play)(void)) {
        int32_t sockets[2];
        CHECK(hob_channel(1, sockets) == 0);
        /* Before there is another thread: the sanitizers do not survive a fork of several. */
        stage->child = fork();
        CHECK(stage->child >= 0);
        if (stage->child == 0)
                act(notices, sockets[1], play);
        CHECK(close(sockets[1]) == 0);
        CHECK(hob_watch_open(&stage->watch, &stage->notices, step) == 0);
        CHECK(hob_watch_add(stage->watch, 7, sockets[0], learns) == 0);
}

static void drop_curtain(struct stage *stage) {
        hob_watch_close(stage->watch);
        CHECK(close(stage->notices) == 0);
}

static int end_of(const struct stage *stage) {
        int status;
        CHECK(waitpid(stage->child, &status, 0) == stage->child);
        return status;
}

/* The one call that ends the play: told by name, and never returned from. */
static void expect_notice(const struct hob_notices *notices, int (*play)(void), const char *name) {
        struct stage stage;
        struct hob_notice notice;
        char said[HOB_STEP_BYTES];
        uint8_t calls[HOB_CALLS_MAX / 8];
        const int before = count_fds();

        raise_curtain(&stage, notices, 0, play);
        CHECK(read(stage.notices, &notice, sizeof notice) == sizeof notice);
        CHECK(notice.serial == 7 && hob_call_name(notice.number, said) == 0);
        if (strcmp(said, name) != 0)
                fprintf(stderr, "told of %s instead of %s\n", said, name);
        CHECK(strcmp(said, name) == 0);
        CHECK(waitpid(stage.child, NULL, WNOHANG) == 0);
        /* As the first process of a pid namespace does, it takes all others with it. */
        CHECK(kill(-stage.child, SIGKILL) == 0 || kill(stage.child, SIGKILL) == 0);
        CHECK(WTERMSIG(end_of(&stage)) == SIGKILL);
        CHECK(hob_watch_remove(stage.watch, 7, calls) == 0);
        CHECK(calls[notice.number / 8] == 1 << notice.number % 8);
        CHECK(hob_watch_remove(stage.watch, 7, calls) == -ENOENT);
        drop_curtain(&stage);
        CHECK(count_fds() == before);
}

static int nothing(void) {
        return 0;
}

static int make_folder(void) {
        (void) mkdirat(AT_FDCWD, "/nonexistent/folder", 0700);
        return 1;
}

static int make_folder_in_child(void) {
        (void) setpgid(0, 0);
        pid_t child = fork();
        if (child == 0)
                _exit(make_folder());
        return waitpid(child, NULL, 0) == child ? 1 : 2;
}

static void *make_folder_there(void *unused) {
        (void) make_folder();
        return unused;
}

static int make_folder_in_thread(void) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, make_folder_there, NULL) != 0)
                return 2;
        (void) pthread_join(thread, NULL);
        return 1;
}

/* Whatever is open is not the listener; and it goes on without it. */
static int close_everything(void) {
        (void) syscall(SYS_close_range, 0, ~0U, 0);
        return make_folder();
}

static int ignore_signals(void) {
        (void) signal(SIGSYS, SIG_IGN);
        (void) signal(SIGTERM, SIG_IGN);
        return make_folder();
}

/* A filter of its own that allows everything takes nothing back. */
static int add_own_filter(void) {
        struct sock_filter allow = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
        struct sock_fprog program = { .len = 1, .filter = &allow };
        (void) syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program);
        (void) prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0);
        return make_folder();
}

static int mount_something(void) {
        (void) mount("none", "/", "tmpfs", 0, NULL);
        return 1;
}

static int trace_parent(void) {
        (void) syscall(SYS_ptrace, 0, 0, 0, 0);
        return 1;
}

static int open_netlink(void) {
        (void) socket(AF_NETLINK, SOCK_RAW, 0);
        return errno == EAFNOSUPPORT ? 0 : 1;
}

static int open_socket(void) {
        (void) open_netlink();
        (void) socket(AF_UNIX, SOCK_STREAM, 0);
        return 1;
}

/* The answers of the profile itself. */
static int try_dangerous(void) {
        if (mount("none", "/", "tmpfs", 0, NULL) == 0 || errno != EPERM)
                return 1;
        if (syscall(1000) >= 0 || errno != ENOSYS)
                return 2;
        return open_netlink();
}

static const char *const kept = "exit_group futex madvise munmap mmap close close_range mprotect rt_sigprocmask write "
                                "newfstatat getpid gettid";

static void test_forbidden_calls(void) {
        const struct hob_notices folders = { .calls = "mkdir mkdirat" };
        expect_notice(&folders, make_folder, "mkdirat");
        expect_notice(&folders, make_folder_in_child, "mkdirat");
        expect_notice(&folders, make_folder_in_thread, "mkdirat");
        expect_notice(&folders, close_everything, "mkdirat");
        expect_notice(&folders, ignore_signals, "mkdirat");
        expect_notice(&folders, add_own_filter, "mkdirat");
        expect_notice(&(struct hob_notices) { .calls = "seccomp mkdirat" }, add_own_filter, "seccomp");
        /* Calls that the profile refuses, and one that it does not speak of. */
        expect_notice(&(struct hob_notices) { .calls = "mount" }, mount_something, "mount");
        expect_notice(&(struct hob_notices) { .calls = "", .dangerous = 1 }, mount_something, "mount");
        expect_notice(&(struct hob_notices) { .calls = "mkdirat", .dangerous = 1 }, trace_parent, "ptrace");
        /* All that the profile allows, but for these. */
        expect_notice(&(struct hob_notices) { .calls = kept, .calls_kept = 1 }, make_folder, "mkdirat");
        expect_notice(&(struct hob_notices) { .calls = kept, .calls_kept = 1 }, open_socket, "socket");
}

/* What passes: to the end, and without a notice. */
static void test_permitted_calls(void) {
        static const struct {
                struct hob_notices notices;
                int (*play)(void);
        } plays[] = {
                { { .calls = "mkdir mkdirat" }, nothing },
                { { .calls = "" }, make_folder },
                { { .calls = "mkdir mkdirat" }, try_dangerous },
                { { .calls = "mkdirat", .calls_kept = 1 }, NULL },
        };
        for (size_t i = 0; plays[i].play; i++) {
                struct stage stage;
                const int before = count_fds(), expected = plays[i].play == make_folder ? 1 : 0;
                raise_curtain(&stage, &plays[i].notices, 0, plays[i].play);
                int status = end_of(&stage);
                CHECK(WIFEXITED(status) && WEXITSTATUS(status) == expected);
                CHECK(hob_watch_remove(stage.watch, 7, NULL) == 0);
                hob_watch_close(stage.watch);
                struct hob_notice notice;
                CHECK(read(stage.notices, &notice, sizeof notice) == 0);
                CHECK(close(stage.notices) == 0 && count_fds() == before);
        }
}

static int learn_something(void) {
        (void) make_folder_in_child();
        (void) make_folder_in_thread();
        return try_dangerous();
}

static void test_learning(void) {
        const struct hob_notices all = { .calls = "", .calls_kept = 1 };
        uint8_t calls[HOB_CALLS_MAX / 8] = { 0 };
        struct stage stage;
        const int before = count_fds();

        raise_curtain(&stage, &all, 1, learn_something);
        int status = end_of(&stage);
        CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
        CHECK(hob_watch_remove(stage.watch, 7, calls) == 0);
        for (size_t i = 0; i < 4; i++) {
                const int seen[] = { SYS_mkdirat, SYS_setpgid, SYS_wait4, SYS_exit_group };
                CHECK(calls[seen[i] / 8] & 1 << seen[i] % 8);
        }
        CHECK(!(calls[SYS_mount / 8] & 1 << SYS_mount % 8) && !(calls[SYS_listen / 8] & 1 << SYS_listen % 8));
        drop_curtain(&stage);
        CHECK(count_fds() == before);
}

/* Nobody is told any more: the call fails, and does not hang. */
static int make_folder_alone(void) {
        return mkdirat(AT_FDCWD, "/nonexistent/folder", 0700) < 0 && errno == ENOSYS ? 0 : 1;
}

static void test_closed_watch(void) {
        struct stage stage;
        struct hob_notice notice;
        const int before = count_fds();
        raise_curtain(&stage, &(struct hob_notices) { .calls = "mkdirat" }, 0, make_folder_alone);
        CHECK(read(stage.notices, &notice, sizeof notice) == sizeof notice);
        drop_curtain(&stage);
        CHECK(WEXITSTATUS(end_of(&stage)) == 0 && count_fds() == before);
}

/* Sockets that no listener comes through, serials that are taken. */
static void test_bad_entries(void) {
        struct hob_watch *watch = NULL;
        int32_t notices;
        int32_t sockets[2];
        const int before = count_fds();

        CHECK(hob_watch_open(&watch, &notices, step) == 0);
        CHECK(hob_watch_add(watch, 1, open("/dev/null", O_RDONLY | O_CLOEXEC), 0) == -EPERM);
        CHECK(hob_watch_add(watch, 1, -1, 0) == -EBADF);
        for (int i = 0; i < 3; i++) {
                CHECK(hob_channel(1, sockets) == 0);
                CHECK(hob_watch_add(watch, 5, sockets[0], 0) == 0);
                CHECK(hob_watch_add(watch, 5, open("/proc/self/mounts", O_RDONLY | O_CLOEXEC), 0) == -EEXIST);
                if (i == 1)
                        CHECK(send(sockets[1], "x", 1, 0) == 1);
                if (i == 2) {
                        const int both[] = { sockets[1], 1 };
                        CHECK(hob_send(sockets[1], 0, both, 2) == 0);
                }
                CHECK(close(sockets[1]) == 0);
                if (i != 0)
                        usleep(10000);
                CHECK(hob_watch_remove(watch, 5, NULL) == 0);
        }
        CHECK(hob_watch_remove(watch, 5, NULL) == -ENOENT);
        hob_watch_close(watch);
        hob_watch_close(NULL);
        CHECK(close(notices) == 0 && count_fds() == before);
}

static void test_fault_sweep(void) {
        static const char *const opening[] = { "watch messages", "watch epoll", "watch stop", "watch pipe", "watch thread" };
        struct hob_watch *watch = NULL;
        int32_t notices = -1;
        const int before = count_fds();
        for (size_t i = 0; i < sizeof opening / sizeof *opening; i++) {
                setenv("HOB_PROBE", opening[i], 1);
                CHECK(hob_watch_open(&watch, &notices, step) == -EIO);
                CHECK(strcmp(step, opening[i]) == 0 && !watch && notices == -1 && count_fds() == before);
        }
        setenv("HOB_PROBE", "notices", 1);
        struct hob_filter *filter = NULL;
        CHECK(hob_filter_load_notices(profile, NULL, &filter, step) == -EIO && !filter);
        unsetenv("HOB_PROBE");
}

static void test_filters(void) {
        struct hob_filter *filter = NULL;
        uint8_t code[HOB_FILTER_BYTES_MAX] = { 0 };
        char name[HOB_STEP_BYTES] = "as before";

        CHECK(hob_filter_load_notices(profile, &(struct hob_notices) { .calls = "mkdir no_such" }, &filter, step) == -EINVAL);
        CHECK(strcmp(step, "notices") == 0 && !filter);
        CHECK(hob_filter_read(code, 0, &filter) == -EINVAL && hob_filter_read(code, 9, &filter) == -EINVAL);
        CHECK(hob_filter_read(code, HOB_FILTER_BYTES_MAX + 8, &filter) == -EINVAL && !filter);
        CHECK(hob_filter_load_notices(profile, &(struct hob_notices) { .calls = "" }, &filter, step) == 0);
        CHECK(hob_filter_write(filter, code, 8) == -E2BIG);
        CHECK(hob_filter_write(filter, code, sizeof code) == (int) (filter->program.len * sizeof(struct sock_filter)));
        hob_filter_free(filter);
        CHECK(hob_call_name(SYS_openat, name) == 0 && strcmp(name, "openat") == 0);
        CHECK(hob_call_name(1000, name) == -ENOENT && hob_call_name(-1, name) == -ENOENT && strcmp(name, "openat") == 0);
}

int main(int argc, char **argv) {
        if (argc != 2)
                return 2;
        profile = argv[1];
        test_filters();
        test_forbidden_calls();
        test_permitted_calls();
        test_learning();
        test_closed_watch();
        test_bad_entries();
        test_fault_sweep();
        printf("%d checks passed\n", checks);
        return 0;
}
