/* Who the function is, and what it cannot become. */
#include <linux/capability.h>
#include <linux/prctl.h>
#include <linux/securebits.h>

#include "attack.h"

ATTEMPT_IN_PLACE(own_pid) {
        return SYS(getpid, 0);
}

ATTEMPT_IN_PLACE(parent_pid) {
        return SYS(getppid, 0);
}

ATTEMPT_IN_PLACE(session_id) {
        return SYS(getsid, 0);
}

/* SIGKILL is 9. */
ATTEMPT_IN_PLACE(parent_death_signal) {
        int number = -1;
        long r = SYS(prctl, PR_GET_PDEATHSIG, &number);
        return r < 0 ? r : number;
}

ATTEMPT_IN_PLACE(outlive_the_host) {
        return SYS(prctl, PR_SET_PDEATHSIG, 0);
}

ATTEMPT_IN_PLACE(outlive_the_host_by_another_signal) {
        return SYS(prctl, PR_SET_PDEATHSIG, 18 /* SIGCONT */);
}

TRY(become_root, setresuid, 0, 0, 0)
TRY(become_root_group, setresgid, 0, 0, 0)
TRY(become_another_user, setresuid, 1001, 1001, 1001)
TRY(clear_groups, setgroups, 0, 0)

/* setfsuid has no error: it tells the id before. */
ATTEMPT(become_root_for_files) {
        (void) SYS(setfsuid, 0);
        return SYS(setfsuid, -1);
}

ATTEMPT(map_another_user) {
        return write_text("/proc/self/uid_map", "0 0 1");
}

ATTEMPT(map_another_group) {
        return write_text("/proc/self/gid_map", "0 0 1");
}

ATTEMPT(allow_setgroups) {
        return write_text("/proc/self/setgroups", "allow");
}

ATTEMPT(map_projects) {
        return write_text("/proc/self/projid_map", "0 0 1");
}

ATTEMPT(set_login_uid) {
        return write_text("/proc/self/loginuid", "0");
}

ATTEMPT(move_the_clock_offsets) {
        return write_text("/proc/self/timens_offsets", "monotonic 1000 0");
}

ATTEMPT(gain_capabilities) {
        struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
        struct __user_cap_data_struct all[2] = { { ~0U, ~0U, ~0U }, { ~0U, ~0U, ~0U } };
        return SYS(capset, &header, all);
}

ATTEMPT(count_capabilities) {
        struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
        struct __user_cap_data_struct caps[2];
        long r = SYS(capget, &header, caps);
        if (r < 0)
                return r;
        uint64_t any = caps[0].effective | caps[0].permitted | caps[0].inheritable | caps[1].effective |
                       caps[1].permitted | caps[1].inheritable;
        long count = 0;
        for (; any; any >>= 1)
                count += (long) (any & 1);
        return count;
}

ATTEMPT(count_bounding_set) {
        long count = 0;
        for (long cap = 0; cap < 64; cap++)
                count += SYS(prctl, PR_CAPBSET_READ, cap) == 1;
        return count;
}

TRY(raise_ambient, prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, 21)
TRY(unlock_securebits, prctl, PR_SET_SECUREBITS, 0)
TRY(keep_capabilities, prctl, PR_SET_KEEPCAPS, 1)
TRY(no_new_privs, prctl, PR_GET_NO_NEW_PRIVS)
TRY(seccomp_mode, prctl, PR_GET_SECCOMP)
TRY(raise_priority, setpriority, 0, 0, -20)

/* The first process ignores what its own children send, also SIGKILL. */
TRY(kill_the_first_process, kill, 1, 9)
TRY(signal_unseen_process, kill, 2147483000, 9)
TRY(open_unseen_process, pidfd_open, 2147483000, 0)
