/* Makes the system call that its argument names, and prints what it got. */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static struct sock_filter allow = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
static struct sock_fprog everything = { .len = 1, .filter = &allow };

static long make(const char *call) {
        if (strcmp(call, "mount") == 0)
                return mount("none", "/tmp", "tmpfs", 0, NULL);
        if (strcmp(call, "ptrace") == 0)
                return ptrace(PTRACE_TRACEME, 0, NULL, NULL);
        if (strcmp(call, "seccomp") == 0)
                return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &everything);
        if (strcmp(call, "keyctl") == 0)
                return syscall(SYS_keyctl, 0, 0, 0);
        if (strcmp(call, "bpf") == 0)
                return syscall(SYS_bpf, 0, NULL, 0);
        if (strcmp(call, "clone3") == 0)
                return syscall(SYS_clone3, NULL, 0);
        if (strcmp(call, "netlink") == 0)
                return socket(AF_NETLINK, SOCK_RAW, 0);
        if (strcmp(call, "filter-then-mkdir") == 0)
                (void) syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &everything);
        if (strcmp(call, "fork-then-mkdir") == 0 && fork() > 0)
                return wait(NULL);
        return mkdir("/tmp/x", 0700);
}

int main(int argc, char **argv) {
        if (argc != 2)
                return 2;
        const long result = make(argv[1]);
        printf("%s: %s\n", argv[1], result < 0 ? strerrorname_np(errno) : "done");
        return 0;
}
