/*
 * Clocks that start near zero: how long the host has been up is nobody's business.
 *
 * A time namespace holds for the children of who made it, and its offsets can be set only while nobody is in it; a process
 * with one thread may then enter it itself, so no second fork is needed.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <time.h>

#include "internal.h"

#define NS_PER_S INT64_C(1000000000)

/* The offset that makes a clock show `start_ns` now, when it shows what it does with `offset_ns`. */
static int offset_for(clockid_t clock, int64_t start_ns, int64_t *offset_ns) {
        struct timespec now;
        if (clock_gettime(clock, &now) < 0)
                return -errno;
        *offset_ns += start_ns - (now.tv_sec * NS_PER_S + now.tv_nsec);
        return 0;
}

/* The kernel wants the nanoseconds from 0 to 999,999,999, also of a negative offset. */
static int print_offset(char *text, size_t bytes, const char *clock, int64_t offset_ns) {
        int64_t seconds = offset_ns / NS_PER_S, rest = offset_ns % NS_PER_S;
        if (rest < 0) {
                rest += NS_PER_S;
                seconds--;
        }
        return snprintf(text, bytes, "%s %" PRId64 " %" PRId64 "\n", clock, seconds, rest);
}

/* Offsets count from the host's clocks, and a new namespace begins with those of the caller's, which may have some. */
static int set_offsets(int fd, int64_t start_ns) {
        char text[256];
        int64_t seconds[2], rest[2];

        ssize_t n = read(fd, text, sizeof text - 1);
        if (n < 0)
                return -errno;
        text[n] = '\0';
        if (sscanf(text, "monotonic %" SCNd64 " %" SCNd64 " boottime %" SCNd64 " %" SCNd64, &seconds[0], &rest[0],
                   &seconds[1], &rest[1]) != 4)
                return -EBADMSG;
        int64_t monotonic = seconds[0] * NS_PER_S + rest[0], boottime = seconds[1] * NS_PER_S + rest[1];
        int r = offset_for(CLOCK_MONOTONIC, start_ns, &monotonic);
        if (r == 0)
                r = offset_for(CLOCK_BOOTTIME, start_ns, &boottime);
        if (r < 0)
                return r;
        int used = print_offset(text, sizeof text, "monotonic", monotonic);
        used += print_offset(text + used, sizeof text - (size_t) used, "boottime", boottime);
        return lseek(fd, 0, SEEK_SET) < 0 || write(fd, text, (size_t) used) < 0 ? -errno : 0;
}

int enter_time_namespace(uint64_t start_ns) {
        _cleanup_close_ int offsets = open("/proc/self/timens_offsets", O_RDWR | O_CLOEXEC);
        if (offsets < 0)
                return -errno;
        int r = set_offsets(offsets, (int64_t) start_ns);
        if (r < 0)
                return r;
        _cleanup_close_ int fd = open("/proc/self/ns/time_for_children", O_RDONLY | O_CLOEXEC);
        return fd < 0 || setns(fd, CLONE_NEWTIME) < 0 ? -errno : 0;
}
