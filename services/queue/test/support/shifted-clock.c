/*
 * Preloaded into a process, this shifts its wall clock, and that of the programs that it starts, by what the file named by HOB_TEST_CLOCK
 * says at the moment: a 64-bit number of milliseconds in the machine's own byte order. All other clocks are as they are. Compiled with
 * SHIFT_FILE it is that file, whatever the environment says.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static volatile int64_t *shift_ms;

__attribute__((constructor)) static void open_shift(void) {
#ifdef SHIFT_FILE
        const char *path = SHIFT_FILE;
#else
        const char *path = getenv("HOB_TEST_CLOCK");
#endif
        int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
        void *page;

        if (fd < 0)
                return;
        page = mmap(NULL, sizeof *shift_ms, PROT_READ, MAP_SHARED, fd, 0);
        if (page != MAP_FAILED)
                shift_ms = page;
        close(fd);
}

int clock_gettime(clockid_t clock, struct timespec *now) {
        int r = (int) syscall(SYS_clock_gettime, clock, now);

        if (r == 0 && shift_ms && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) {
                now->tv_sec += *shift_ms / 1000;
                now->tv_nsec += *shift_ms % 1000 * 1000000;
                if (now->tv_nsec >= 1000000000) {
                        now->tv_sec++;
                        now->tv_nsec -= 1000000000;
                } else if (now->tv_nsec < 0) {
                        now->tv_sec--;
                        now->tv_nsec += 1000000000;
                }
        }
        return r;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
        struct timespec precise;

        (void) zone;
        clock_gettime(CLOCK_REALTIME, &precise);
        now->tv_sec = precise.tv_sec;
        now->tv_usec = precise.tv_nsec / 1000;
        return 0;
}

time_t time(time_t *result) {
        struct timespec precise;

        clock_gettime(CLOCK_REALTIME, &precise);
        if (result)
                *result = precise.tv_sec;
        return precise.tv_sec;
}
