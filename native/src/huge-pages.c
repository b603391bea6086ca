/*
 * Huge pages: with each fork the kernel copies a reference to every page that a zygote has written, and drops it again at the
 * end of the container; and every container has to ask anew for each page of the program that it runs. Of huge pages there
 * are 512 times fewer. Where the kernel gives none everything works as well, and slower.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "internal.h"

#define HUGE_BYTES ((uintptr_t) 2 * 1024 * 1024)
#define PAGE_BYTES ((uintptr_t) 4096)
/* As little of it may be in use as this for a huge page to be made of it. */
#define PAGES_USED_MIN (HUGE_BYTES / PAGE_BYTES / 8)
#define MAPPINGS_MAX 512
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

struct range {
        uintptr_t from, to;
};

static uintptr_t round_up(uintptr_t address) {
        return (address + HUGE_BYTES - 1) & ~(HUGE_BYTES - 1);
}

static void close_stream(FILE **f) {
        if (*f)
                (void) fclose(*f);
}

/* Private memory that can be written and belongs to no file. Returns how many ranges of it are large enough. */
static int own_memory(struct range *ret_ranges) {
        __attribute__((cleanup(close_stream))) FILE *maps = fopen("/proc/self/maps", "re");
        char line[512], rights[5];
        unsigned long from, to, inode;
        int n = 0;

        if (!maps)
                return -errno;
        while (n < MAPPINGS_MAX && fgets(line, sizeof line, maps))
                if (sscanf(line, "%lx-%lx %4s %*x %*x:%*x %lu", &from, &to, rights, &inode) == 4 &&
                    strcmp(rights, "rw-p") == 0 && inode == 0 && to - from >= HUGE_BYTES)
                        ret_ranges[n++] = (struct range){ from, to };
        return n;
}

static bool is_in_use(uintptr_t address) {
        uint8_t pages[HUGE_BYTES / PAGE_BYTES];
        size_t used = 0;
        if (mincore((void *) address, HUGE_BYTES, pages) < 0)
                return false;
        for (size_t i = 0; i < sizeof pages; i++)
                used += pages[i] & 1;
        return used >= PAGES_USED_MIN;
}

int hob_gather(void) {
        struct range ranges[MAPPINGS_MAX];
        int gathered = 0;
        int n = own_memory(ranges);
        for (int i = 0; i < n; i++)
                for (uintptr_t at = round_up(ranges[i].from); at + HUGE_BYTES <= ranges[i].to; at += HUGE_BYTES)
                        if (is_in_use(at) && madvise((void *) at, HUGE_BYTES, MADV_COLLAPSE) == 0)
                                gathered++;
        return n < 0 ? n : gathered;
}

static long faults_so_far(void) {
        struct rusage usage;
        return getrusage(RUSAGE_THREAD, &usage) < 0 ? -1 : usage.ru_minflt + usage.ru_majflt;
}

/* Reads a piece of a file through its mapping. Returns whether one page is all of it: the second look is none at another. */
static bool is_huge(const volatile uint8_t *piece) {
        (void) piece[0];
        const long before = faults_so_far();
        (void) piece[HUGE_BYTES / 2];
        return faults_so_far() == before;
}

/* A piece that is there in small pages is read anew, unless another process has it mapped. */
static bool make_huge(int fd, off_t offset, uint8_t *at) {
        uint8_t *piece = mmap(at, HUGE_BYTES, PROT_READ, MAP_PRIVATE | MAP_FIXED, fd, offset);
        if (piece == MAP_FAILED)
                return false;
        (void) madvise(piece, HUGE_BYTES, MADV_HUGEPAGE);
        if (is_huge(piece))
                return true;
        (void) madvise(piece, HUGE_BYTES, MADV_DONTNEED);
        (void) fsync(fd);
        (void) posix_fadvise(fd, offset, (off_t) HUGE_BYTES, POSIX_FADV_DONTNEED);
        return is_huge(piece);
}

int hob_cache_program(const char *path) {
        struct stat st;
        int huge = 0;
        _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0 || fstat(fd, &st) < 0)
                return -errno;
        /* Room for one piece, wherever it begins. */
        uint8_t *room = mmap(NULL, 2 * HUGE_BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (room == MAP_FAILED)
                return -errno;
        uint8_t *at = room + (round_up((uintptr_t) room) - (uintptr_t) room);
        for (off_t offset = 0; offset + (off_t) HUGE_BYTES <= st.st_size; offset += (off_t) HUGE_BYTES) {
                if (make_huge(fd, offset, at))
                        huge++;
                else if (offset == 0)
                        break; /* this file system or kernel has none */
        }
        (void) munmap(room, 2 * HUGE_BYTES);
        return huge;
}
