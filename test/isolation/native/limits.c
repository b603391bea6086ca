/* Limits: raising them, and running into them. */
#include <linux/resource.h>

#include "attack.h"

#define CHILDREN_MAX 4096

static uint64_t limit_of(long resource) {
        uint64_t limit[2] = { 0, 0 };
        return SYS(prlimit64, 0, resource, 0, limit) < 0 ? 0 : limit[1];
}

static long raise_limit(long resource) {
        const uint64_t limit[2] = { limit_of(resource) + 1, limit_of(resource) + 1 };
        return SYS(prlimit64, 0, resource, limit, 0);
}

#define RAISE(id, resource)                                                                                            \
        ATTEMPT(id) {                                                                                                  \
                return raise_limit(resource);                                                                          \
        }

RAISE(raise_descriptors, RLIMIT_NOFILE)
RAISE(raise_processes, RLIMIT_NPROC)
RAISE(raise_file_size, RLIMIT_FSIZE)
RAISE(raise_locked_memory, RLIMIT_MEMLOCK)
RAISE(raise_message_queues, RLIMIT_MSGQUEUE)
RAISE(raise_pending_signals, RLIMIT_SIGPENDING)
RAISE(raise_core_size, RLIMIT_CORE)

/* 1 and not 0: with a pipe in core_pattern 0 still runs a program as root on the host. */
ATTEMPT(core_size) {
        return (long) limit_of(RLIMIT_CORE);
}

ATTEMPT(lock_memory) {
        long address = SYS(mmap, 0, 1 << 20, 3, 0x22, -1);
        return SYS(mlock, address, 1 << 20);
}

ATTEMPT(open_too_many) {
        long r;
        while ((r = SYS(dup, 0)) >= 0) {}
        return r;
}

ATTEMPT(write_a_huge_file) {
        long fd = SYS(openat, AT_FDCWD, "/tmp/attack-huge", O_RDWR | O_CREAT, 0600);
        if (fd < 0)
                return fd;
        (void) SYS(unlinkat, AT_FDCWD, "/tmp/attack-huge", 0);
        return SYS(ftruncate, fd, 1L << 40);
}

/* Signals that are blocked and never taken. */
ATTEMPT(queue_signals) {
        const uint64_t blocked = 1UL << (40 - 1);
        char info[128] = { 0 };
        long r = SYS(rt_sigprocmask, 0, &blocked, 0, 8);
        *(int *) (void *) (info + 8) = -1; /* SI_QUEUE */
        while (r >= 0)
                r = SYS(rt_sigqueueinfo, SYS(getpid, 0), 40, info);
        return r;
}

/* Not by a function, whose container is ended for it. */
ATTEMPT_IN_PLACE(fork_without_end) {
        static long children[CHILDREN_MAX];
        long count = 0, r = 0;
        while (count < CHILDREN_MAX && (r = fork_process()) >= 0) {
                if (r == 0)
                        for (;;)
                                (void) SYS(ppoll, 0, 0, 0, 0, 8);
                children[count++] = r;
        }
        for (long i = 0; i < count; i++) {
                (void) SYS(kill, children[i], 9);
                (void) SYS(wait4, children[i], 0, 0, 0);
        }
        return r < 0 ? r : count;
}

ATTEMPT(enlarge_a_pipe) {
        int ends[2];
        long r = SYS(pipe2, ends, 0);
        return r < 0 ? r : SYS(fcntl, ends[0], 1031 /* F_SETPIPE_SZ */, 64 << 20);
}

ATTEMPT(watch_without_end) {
        long r;
        while ((r = SYS(inotify_init1, 0)) >= 0) {}
        return r;
}

ATTEMPT(spare_oneself_from_oom) {
        return write_text("/proc/self/oom_score_adj", "-1000");
}

ATTEMPT(lower_oom_score) {
        return write_text("/proc/self/oom_score_adj", "0");
}
