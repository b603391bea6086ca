/*
 * Huge pages: with each fork the kernel copies a reference to every page that a zygote has written, and drops it again at the
 * end of the container. Of huge pages there are 512 times fewer, and what a container has split them into goes quicker, too.
 * Where the kernel gives none everything works as well, and slower.
 */
#include <string.h>
#include <sys/mman.h>

#include "internal.h"

#define PAGE_BYTES ((uintptr_t) 4096)
/* As little of it may be in use as this for a huge page to be made of it. */
#define PAGES_USED_MIN (HUGE_PAGE_BYTES / PAGE_BYTES / 8)
#define MAPPINGS_MAX 512
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

struct range {
        uintptr_t from, to;
};

static uintptr_t round_up(uintptr_t address) {
        return (address + HUGE_PAGE_BYTES - 1) & ~(HUGE_PAGE_BYTES - 1);
}

/* Private memory that can be written and belongs to no file. Returns how many ranges of it are large enough. */
static int own_memory(struct range *ret_ranges) {
        _cleanup_fclose_ FILE *maps = fopen("/proc/self/maps", "re");
        char line[512], rights[5];
        unsigned long from, to, inode;
        int n = 0;

        if (!maps)
                return -errno;
        while (n < MAPPINGS_MAX && fgets(line, sizeof line, maps))
                if (sscanf(line, "%lx-%lx %4s %*x %*x:%*x %lu", &from, &to, rights, &inode) == 4 &&
                    strcmp(rights, "rw-p") == 0 && inode == 0 && to - from >= HUGE_PAGE_BYTES)
                        ret_ranges[n++] = (struct range){ from, to };
        return n;
}

static bool is_in_use(uintptr_t address) {
        /* With larger pages, of which huge ones are larger, too, most of it stays 0. */
        uint8_t pages[HUGE_PAGE_BYTES / PAGE_BYTES] = { 0 };
        size_t used = 0;
        if (mincore((void *) address, HUGE_PAGE_BYTES, pages) < 0)
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
                for (uintptr_t at = round_up(ranges[i].from); at + HUGE_PAGE_BYTES <= ranges[i].to; at += HUGE_PAGE_BYTES)
                        if (is_in_use(at) && madvise((void *) at, HUGE_PAGE_BYTES, MADV_COLLAPSE) == 0)
                                gathered++;
        return n < 0 ? n : gathered;
}
