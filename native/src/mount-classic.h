/* The calls of <sys/mount.h>, kept apart from <linux/mount.h>: this libc's headers define the same names twice. */
#ifndef HOB_MOUNT_CLASSIC_H
#define HOB_MOUNT_CLASSIC_H

int make_mounts_private(void);
int detach_working_directory(void);
int enter_mount_namespace(int fd);

/* Runs a function in a process that shares the caller's memory but not its file system state, and waits for its end. */
int run_helper(int (*run)(void *), void *argument);

#endif
