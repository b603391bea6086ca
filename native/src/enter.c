/* The way into a container, in the one order that works. Each step is a file or a short function of its own. */
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include "internal.h"

/*
 * A session of its own, nothing blocked, and the zygote's handlers for terminal signals gone. V8 keeps SIGSEGV: it turns
 * WebAssembly's out-of-bounds accesses into exceptions; Node keeps SIGPIPE ignored.
 */
static int leave_session(void) {
        static const int handled[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGCHLD };
        sigset_t none;

        if (setsid() < 0)
                return -errno;
        for (size_t i = 0; i < sizeof handled / sizeof *handled; i++)
                if (signal(handled[i], SIG_DFL) == SIG_ERR)
                        return -errno;
        (void) sigemptyset(&none);
        if (sigprocmask(SIG_SETMASK, &none, NULL) < 0)
                return -errno;
        umask(022);
        return write_file(-1, "/proc/self/oom_score_adj", "500");
}

/* The time namespace is for children, until enter_time_namespace(). */
static int leave_namespaces(const struct hob_spec *spec) {
        const int usual = CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWCGROUP;
        const int clocks = spec->clock_start_ns ? CLONE_NEWTIME : 0;
        return unshare(usual | clocks) < 0 ? -errno : 0;
}

static int name_host(const char *hostname) {
        if (sethostname(hostname, strlen(hostname)) < 0 || setdomainname("", 0) < 0)
                return -errno;
        return 0;
}

static int refuse_new_privileges(void) {
        return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? -errno : 0;
}

static int run_handlers(void) {
        if (hob_atfork_child)
                hob_atfork_child();
        return 0;
}

int enter_container(const struct hob_spec *spec, const struct hob_filter *filter, const int32_t *pipes,
                    enum enter_mode mode, char *step) {
        int frames_fd = pipes[HOB_PIPE_FRAMES];

        STEP("spec", spec->host_uid == 0 || spec->inside_uid == 0 ? -EINVAL : 0);
        STEP("session", leave_session());
        STEP("cgroup", enter_cgroups(spec));
        STEP("namespaces", leave_namespaces(spec));
        STEP("clocks", spec->clock_start_ns ? enter_time_namespace(spec->clock_start_ns) : 0);
        STEP("network", enter_network(spec));
        STEP("root", build_root(spec));
        STEP("pivot", enter_root());
        STEP("hostname", name_host(spec->hostname));
        STEP("stdio", take_stdio(spec, pipes));
        STEP("rlimits", set_resource_limits(spec));
        STEP("ids", become_user(spec));
        STEP("user namespace", enter_user_namespace(spec));
        STEP("namespace limits", limit_namespaces());
        STEP("keyring", join_new_keyring());
        STEP("capabilities", drop_capabilities());
        STEP("identity", check_identity(spec));
        STEP("parent", die_with_parent(frames_fd));
        STEP("label", take_label(spec));
        STEP("no_new_privs", refuse_new_privileges());
        STEP("landlock", restrict_by_landlock(spec));
        STEP("frames", place_frames(spec, &frames_fd));
        STEP("descriptors", mode == ENTER_AS_COPY ? replace_others(spec, frames_fd) : keep_frames_only(frames_fd));
        STEP("handlers", mode == ENTER_AS_COPY ? run_handlers() : 0);
        STEP("seccomp", spec->notices_fd > 0 ? install_watched_filter(filter, spec->notices_fd) : install_filter(filter));
        return 0;
}

int hob_enter(const struct hob_spec *spec, const struct hob_filter *filter, const int32_t *pipes, char *step) {
        return enter_container(spec, filter, pipes, ENTER_AS_COPY, step);
}

void leave_unentered(const int32_t *pipes, const char *step, int error) {
        char said[HOB_STEP_BYTES + 32];

        (void) snprintf(said, sizeof said, "%s: %s\n", step, strerrorname_np(-error));
        /* Whatever was reached: the pipe is still there or already descriptor 2. */
        if (write(pipes[HOB_PIPE_STDERR], said, strlen(said)) < 0 && write(2, said, strlen(said)) < 0)
                _exit(HOB_ENTER_FAILED);
        _exit(HOB_ENTER_FAILED);
}

/* Its clock went back, which it has to be told before anything sets a timer. */
static int renew_loop(void) {
        if (!uv_loop_fork)
                return 0;
        uv_update_time(uv_default_loop());
        return uv_loop_fork(uv_default_loop());
}

static int become_container(const struct hob_spec *spec, const struct hob_filter *filter, const int32_t *pipes,
                            char *step) {
        int r = hob_enter(spec, filter, pipes, step);
        if (r < 0)
                return r;
        STEP("event loop", renew_loop());
        return hob_settle(spec, step);
}

int hob_fork_into(const struct hob_spec *spec, const struct hob_filter *filter, int channel, uint32_t serial,
                  int32_t *ret_pipes, char *step) {
        int pid = hob_fork(spec, channel, serial, ret_pipes, step);
        return pid == 0 ? become_container(spec, filter, ret_pipes, step) : pid;
}
