/* What a container can do, looked at from inside: by a copy of the test, and by a program of its own. */
#ifndef HOB_TEST_INSIDE_H
#define HOB_TEST_INSIDE_H

/* Returns 0, or a number that tells which expectation failed. */
int look_around(int frames_fd);

#endif
