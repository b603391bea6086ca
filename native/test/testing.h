/* What the files of the test share. */
#ifndef HOB_TESTING_H
#define HOB_TESTING_H

#include <stdlib.h>

#include "internal.h"

extern int checks;

#define CHECK(condition)                                                                                               \
        do {                                                                                                           \
                checks++;                                                                                              \
                if (!(condition)) {                                                                                    \
                        fprintf(stderr, "%s:%d: %s (errno %d)\n", __FILE__, __LINE__, #condition, errno);              \
                        exit(1);                                                                                       \
                }                                                                                                      \
        } while (0)

/* Of the call that failed last. */
extern char step[HOB_STEP_BYTES];

int count_fds(void);

/* A path in the test's own folder; good for the next three calls. */
const char *in_folder(const char *name);

void test_containers(const char *profile);
void test_serve(void);

#endif
