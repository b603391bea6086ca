/* A container whose program is executed rather than forked: the same way in, and execve(2) at its end. */
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "internal.h"

/* What exec leaves as it is: ignored signals. Handlers it resets by itself. */
static int reset_signals(void) {
        for (int number = 1; number < NSIG; number++)
                if (signal(number, SIG_DFL) == SIG_ERR && errno != EINVAL)
                        return -errno;
        return 0;
}

static int execute(const struct hob_spec *spec, const struct hob_filter *filter, const struct hob_program *program,
                   const int32_t *pipes, char *step) {
        int r = enter_container(spec, filter, pipes, ENTER_TO_EXECUTE, step);
        if (r < 0)
                return r;
        STEP("signals", reset_signals());
        STEP("folder", chdir(program->folder) < 0 ? -errno : 0);
        STEP("execute", execve(program->argv[0], program->argv, program->envp) < 0 ? -errno : 0);
        return -ENOTRECOVERABLE; /* not reached: execve returned, and so failed */
}

int hob_spawn(const struct hob_spec *spec, const struct hob_filter *filter, const struct hob_program *program,
              const struct hob_reply *reply, char *step) {
        int32_t pipes[HOB_PIPES];

        const int pid = hob_fork(spec, reply->channel, reply->serial, pipes, step);
        if (pid != 0)
                return pid;
        leave_unentered(pipes, step, execute(spec, filter, program, pipes, step));
}
