/*
 * What hob_gather() does to a program's memory. Without the sanitizers, which have shadows of it everywhere. Prints how many huge
 * pages the program says that it got, how many the kernel counts in a memory that is in use, and in one of which hardly
 * anything is; or "altered".
 */
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "hob.h"

#define HUGE_BYTES ((size_t) 2 * 1024 * 1024)
#define PAGE_BYTES ((size_t) 4096)
#define PIECES 4

/* Three pieces more: PIECES of them are whole, wherever it begins, and nothing that can be written lies beside them. */
static uint8_t *room(void) {
        uint8_t *memory = mmap(NULL, (PIECES + 3) * HUGE_BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        uint8_t *start = memory + (HUGE_BYTES - (uintptr_t) memory % HUGE_BYTES);
        (void) mprotect(start, PIECES * HUGE_BYTES, PROT_READ | PROT_WRITE);
        return start;
}

static void write_pages(uint8_t *memory, size_t every) {
        for (size_t at = 0; at < PIECES * HUGE_BYTES; at += every * PAGE_BYTES)
                memory[at] = (uint8_t) (at / PAGE_BYTES % 251 + 1);
}

static int is_unaltered(const uint8_t *memory, size_t every) {
        for (size_t at = 0; at < PIECES * HUGE_BYTES; at += PAGE_BYTES)
                if (memory[at] != (at / PAGE_BYTES % every == 0 ? (uint8_t) (at / PAGE_BYTES % 251 + 1) : 0))
                        return 0;
        return 1;
}

static size_t huge_pages_at(const uint8_t *memory) {
        FILE *maps = fopen("/proc/self/smaps", "re");
        char line[512];
        unsigned long from, to;
        size_t kilobytes = 0;
        int is_there = 0;
        while (maps && fgets(line, sizeof line, maps)) {
                if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
                        is_there = from == (uintptr_t) memory;
                if (is_there && sscanf(line, "AnonHugePages: %zu", &kilobytes) == 1)
                        break;
        }
        if (maps)
                (void) fclose(maps);
        return kilobytes * 1024 / HUGE_BYTES;
}

int main(void) {
        uint8_t *used = room(), *unused = room();
        write_pages(used, 2);
        write_pages(unused, 128);
        int gathered = hob_gather();
        if (is_unaltered(used, 2) && is_unaltered(unused, 128))
                printf("%d %zu %zu\n", gathered, huge_pages_at(used), huge_pages_at(unused));
        else
                printf("altered\n");
        return 0;
}
