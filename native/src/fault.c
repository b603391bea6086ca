/* Part of the fault sweep's library only: lets a test fail any one step of the way into a container. */
#ifdef HOB_FAULTS
#include <stdlib.h>
#include <string.h>

#include "internal.h"

int probe_at(const char *name) {
        const char *wanted = getenv("HOB_PROBE");
        return wanted && strcmp(wanted, name) == 0 ? -EIO : 0;
}
#else
typedef int nothing_to_compile;
#endif
