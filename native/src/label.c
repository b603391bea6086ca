/* The host's mandatory access control, where it has one: AppArmor's profile or SELinux's context for the container. */
#include "internal.h"

/*
 * Of a program it holds from its execve(2) on; of a copy from now on, which the kernel allows to a process that is alone in
 * its memory. Before no_new_privs, which bars SELinux from changing a context.
 */
int take_label(const struct hob_spec *spec, enum enter_mode mode) {
        const bool at_exec = mode == ENTER_TO_EXECUTE;
        char command[160];
        int r = 0;

        if (spec->apparmor_profile) {
                (void) snprintf(command, sizeof command, "%s %s", at_exec ? "exec" : "changeprofile", spec->apparmor_profile);
                r = write_file(-1, at_exec ? "/proc/self/attr/apparmor/exec" : "/proc/self/attr/apparmor/current", command);
        }
        if (r == 0 && spec->selinux_context)
                r = write_file(-1, at_exec ? "/proc/self/attr/exec" : "/proc/self/attr/current", spec->selinux_context);
        return r;
}
