/*
 * Code that is small enough to stand in for a function of the C library, cut out of the object file by its section. What it
 * gives is told from what the function would: an address.
 */
#include "attack.h"

#define ADDRESS 0x20000000UL

__attribute__((section(".map"))) long make_room(void) {
        /* PROT_READ | PROT_WRITE | PROT_EXEC; MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE */
        return SYS(mmap, ADDRESS, 4096, 7, 0x100022, -1);
}
