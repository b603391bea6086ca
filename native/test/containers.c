/* Containers, made both ways: each step of the way in succeeds, and fails, and nothing is left. */
#include <linux/keyctl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "hob-network.h"
#include "inside.h"
#include "testing.h"

/* What the children are made with: whether they execute the program, and whether there is a filter. */
static const char *profile_path;
static bool is_program, is_unfiltered;
static char abi[32];
static char *const program_argv[] = { "/program", NULL }, *const program_envp[] = { "MARK=1", abi, NULL };
static const struct hob_program program = { program_argv, program_envp, "/tmp" };

static struct hob_spec make_spec(void) {
        static char netns[32];
        if (netns[0] == '\0') {
                (void) snprintf(netns, sizeof netns, "/proc/%d/fd/%d", getpid(), hob_namespace_create(step));
        }
        struct hob_spec spec = {
                .root = in_folder("root"),
                .hostname = "test",
                .netns = netns,
                .host_uid = 2100000,
                .inside_uid = 1000,
                .tmp_bytes = 1 << 20,
                .tmp_inodes = 64,
                .shm_bytes = 1 << 16,
                .nofile_max = 64,
                .nproc_max = 16,
                .file_bytes_max = 1 << 20,
                .clock_start_ns = 1000000000,
                .frames_fd = 40,
                .loop_fds = { -1 },
        };
        return spec;
}

static long session_keyring(void) {
        return syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 0);
}

/* In a copy without a filter: what stands behind the filter. */
static int look_behind_filter(long zygote_keyring) {
        if (session_keyring() == zygote_keyring)
                return 40;
        if (unshare(CLONE_NEWUSER) == 0 || errno != ENOSPC)
                return 41;
        return unshare(CLONE_NEWNET) == 0 || errno != EPERM ? 42 : 0;
}

/* A zygote: makes one container and ends. The container ends with 0, or HOB_ENTER_FAILED when it could not enter. */
static int be_zygote(const struct hob_spec *spec, int channel) {
        struct hob_filter *filter = NULL;
        const struct hob_reply reply = { channel, 7 };
        const struct hob_notices notices = { .calls = "reboot" };
        int32_t pipes[HOB_PIPES] = { -1, -1, -1, -1 };
        const int before = count_fds();
        const long keyring = session_keyring();

        if (hob_filter_load_notices(profile_path, spec->notices_fd > 0 ? &notices : NULL, &filter, step) < 0)
                return 1;
        int pid = is_program ? hob_spawn(spec, filter, &program, &reply, step) :
                               hob_fork_into(spec, filter, channel, 7, pipes, step);
        if (pid == 0)
                hob_exit(is_unfiltered ? look_behind_filter(keyring) : look_around(spec->frames_fd));
        if (pipes[HOB_PIPE_STDERR] >= 0) {
                /* Whatever was reached, the host must learn the step: the pipe is still there or already descriptor 2. */
                if (dprintf(pipes[HOB_PIPE_STDERR], "%s", step) < 0)
                        (void) dprintf(2, "%s", step);
                hob_exit(HOB_ENTER_FAILED);
        }
        hob_filter_free(filter);
        if (pid < 0)
                return strcmp(step, getenv("HOB_PROBE") ? getenv("HOB_PROBE") : "cgroup2") == 0 ? 2 : 3;
        (void) send(channel, &pid, sizeof pid, 0);
        /* It keeps the descriptor of the limits for its next fork. */
        return count_fds() == before + 1 ? 0 : 4;
}

/* Runs a zygote to its end and reaps its container. Returns the container's exit code, or -1 when none was forked. */
static int run_container(const struct hob_spec *spec, char *said, size_t said_bytes) {
        int32_t channel[2], ends[HOB_ENDS], status = 0;
        uint32_t serial = 0;
        int pid = -1, code = -1, zygote_status;
        const int before = count_fds();

        CHECK(hob_channel(0, channel) == 0);
        CHECK(hob_receive(channel[0], &serial, ends, HOB_ENDS) == -EAGAIN);
        pid_t zygote = fork();
        CHECK(zygote >= 0);
        if (zygote == 0)
                _exit(be_zygote(spec, channel[1]));
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
                said[strcspn(said, ":")] = '\0'; /* the step, without its error */
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

static void test_container(void) {
        struct hob_spec spec = make_spec();
        char said[256];

        int code = run_container(&spec, said, sizeof said);
        if (code != 0)
                fprintf(stderr, "the container ended with %d: %s\n", code, said);
        CHECK(code == 0);
}

/* Without the filter, the walls behind it stand alone. */
static void test_without_filter(void) {
        const char *const wanted = profile_path;
        profile_path = in_folder("profile");
        FILE *f = fopen(profile_path, "we");
        CHECK(f != NULL && fputs("default allow # the walls behind\n", f) >= 0 && fclose(f) == 0);
        is_unfiltered = true;
        test_container();
        is_unfiltered = false;
        profile_path = wanted;
}

static void fail_inside(const struct hob_spec *spec, const char *failing) {
        char said[256];
        setenv("HOB_PROBE", failing, 1);
        CHECK(run_container(spec, said, sizeof said) == HOB_ENTER_FAILED);
        CHECK(strcmp(said, failing) == 0);
}

static void test_fault_sweep(void) {
        static const char *const forking[] = { "pipes", "limits", "send", "clone" };
        static const char *const entering[] = {
                "spec", "session", "cgroup", "namespaces", "clocks", "network", "root", "pivot", "hostname", "stdio",
                "rlimits", "ids", "user namespace", "namespace limits", "keyring", "capabilities", "identity", "parent",
                "label", "no_new_privs", "landlock", "frames", "descriptors", "handlers", "seccomp",
        };
        static const char *const at_the_end[][3] = { { "event loop", "settle", NULL }, { "signals", "folder", "execute" } };
        struct hob_spec spec = make_spec();
        char said[256];

        for (size_t i = 0; i < sizeof forking / sizeof *forking; i++) {
                setenv("HOB_PROBE", forking[i], 1);
                CHECK(run_container(&spec, said, sizeof said) == -1);
        }
        for (size_t i = 0; i < sizeof entering / sizeof *entering; i++)
                fail_inside(&spec, entering[i]);
        for (size_t i = 0; i < 3 && at_the_end[is_program][i]; i++)
                fail_inside(&spec, at_the_end[is_program][i]);
        unsetenv("HOB_PROBE");
}

/* With notices: the listener comes out of the socket once the filter is installed, and else the socket closes. */
static void test_watched(void) {
        static const char *const failing[] = { NULL, "clone", "descriptors", "seccomp", "event loop" };
        struct hob_spec spec = make_spec();
        char said[256];
        const int before = count_fds();

        for (size_t i = 0; i < sizeof failing / sizeof *failing; i++) {
                const bool is_installed = i == 0 || i == 4;
                int32_t sockets[2], listener = -1;
                uint32_t serial;
                CHECK(hob_channel(1, sockets) == 0);
                spec.notices_fd = sockets[1];
                if (failing[i])
                        setenv("HOB_PROBE", failing[i], 1);
                CHECK(run_container(&spec, said, sizeof said) == (i == 0 ? 0 : i == 1 ? -1 : HOB_ENTER_FAILED));
                unsetenv("HOB_PROBE");
                CHECK(i < 2 || strcmp(said, failing[i]) == 0);
                CHECK(close(sockets[1]) == 0);
                CHECK(hob_receive(sockets[0], &serial, &listener, 1) == (is_installed ? 0 : -ENODATA));
                CHECK(close(sockets[0]) == 0 && (!is_installed || close(listener) == 0));
        }
        CHECK(count_fds() == before);
}

static void test_bad_specs(void) {
        const struct {
                struct hob_spec spec;
                const char *step;
        } cases[] = {
                { .spec = { .root = "/nonexistent" }, .step = "root" },
                { .spec = { .root = in_folder("alias") }, .step = "root" },
                { .spec = { .cgroup_dirs = { "/nonexistent" } }, .step = "cgroup" },
                { .spec = { .apparmor_profile = "no such profile" }, .step = "label" },
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
                spec.apparmor_profile = cases[i].spec.apparmor_profile;
                CHECK(run_container(&spec, said, sizeof said) == HOB_ENTER_FAILED);
                CHECK(strcmp(said, cases[i].step) == 0);
        }
        struct hob_spec root_user = make_spec();
        root_user.host_uid = 0;
        CHECK(run_container(&root_user, said, sizeof said) == HOB_ENTER_FAILED && strcmp(said, "spec") == 0);
        struct hob_spec lost = make_spec();
        lost.cgroup2_dir = "/nonexistent";
        CHECK(run_container(&lost, said, sizeof said) == -1);
}

void test_containers(const char *profile) {
        profile_path = profile;
        snprintf(abi, sizeof abi, "LANDLOCK_ABI=%d", hob_landlock_abi());
        putenv(abi);
        for (int programs = 0; programs < 2; programs++) {
                is_program = programs;
                test_container();
                test_bad_specs();
                test_fault_sweep();
        }
        is_program = false;
        test_watched();
        test_without_filter();
}
