/* Part of the measuring library only: notes when each step of the way into a container begins. */
#ifdef HOB_STEP_TIMES
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "internal.h"

/* Its layout is known to test/bench/step-times.ts. */
#define ENTRIES_MAX 16384
struct notes {
        _Atomic uint32_t count;
        uint32_t unused;
        struct {
                char name[24];
                int64_t at_ns;
        } entries[ENTRIES_MAX];
};

static struct notes *open_notes(const char *path) {
        _cleanup_close_ int fd = open(path, O_RDWR | O_CLOEXEC);
        if (fd < 0)
                return NULL;
        void *memory = mmap(NULL, sizeof(struct notes), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        return memory == MAP_FAILED ? NULL : memory;
}

/*
 * The wall clock: a container has monotonic clocks of its own. The first steps are the zygote's, so all share its notes.
 * A process that is not told where to note, as hob's own, notes nothing.
 */
int probe_at(const char *name) {
        static struct notes *notes;
        const char *path = getenv("HOB_PROBE");
        struct timespec now;

        if (!path)
                return 0;
        if (!notes && !(notes = open_notes(path)))
                return -errno;
        (void) clock_gettime(CLOCK_REALTIME, &now);
        uint32_t at = atomic_fetch_add(&notes->count, 1);
        if (at >= ENTRIES_MAX)
                return -ENOSPC;
        (void) strncpy(notes->entries[at].name, name, sizeof notes->entries[at].name - 1);
        notes->entries[at].at_ns = (int64_t) now.tv_sec * 1000000000 + now.tv_nsec;
        return 0;
}
#else
typedef int nothing_to_measure;
#endif
