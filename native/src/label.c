/* The host's mandatory access control, where it has one: AppArmor's profile or SELinux's context for the container. */
#include "internal.h"

/*
 * From now on, which the kernel allows to a process that is alone in its memory. A program that is executed later keeps it,
 * and the death signal, which a change of label by execve(2) would clear. Before no_new_privs, which bars SELinux from
 * changing a context.
 */
int take_label(const struct hob_spec *spec) {
        char command[160];
        int r = 0;

        if (spec->apparmor_profile) {
                (void) snprintf(command, sizeof command, "changeprofile %s", spec->apparmor_profile);
                r = write_file(-1, "/proc/self/attr/apparmor/current", command);
        }
        if (r == 0 && spec->selinux_context)
                r = write_file(-1, "/proc/self/attr/current", spec->selinux_context);
        return r;
}
