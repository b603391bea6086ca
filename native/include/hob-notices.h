/*
 * libhob's filters with notices: system calls that hold a container up until the host has looked.
 *
 *   host, once:              hob_watch_open()                  starts the thread that waits for notices
 *   for each rule book:      hob_filter_load_notices()         compiles the profile with notices
 *                            hob_filter_write()                as bytes, for the zygote
 *   for each container:      hob_channel(), hob_watch_add()    one end is watched, a copy of the other goes to the zygote
 *   zygote:                  hob_filter_read(), hob_fork_into() with it as the spec's @notices_fd
 *   when it is dead:         hob_watch_remove()                tells what it called
 *
 * hob.h says what is true of all functions.
 */
#ifndef HOB_NOTICES_H
#define HOB_NOTICES_H

#include "hob.h"

#define HOB_FILTER_BYTES_MAX 32768
#define HOB_CALLS_MAX 1024

/*
 * Which system calls a filter holds up and notifies the host of (SECCOMP_RET_USER_NOTIF), where the profile would let them
 * pass or refuse them. A process in a call of which nobody is told any more gets ENOSYS. Borrowed for the call.
 */
struct hob_notices {
        const char *calls;  /* names, each once, separated by single spaces; may be "" */
        int32_t calls_kept; /* 0: notice of each of @calls, whatever the profile says; 1: of all that it allows but these */
        int32_t dangerous;  /* 1: notice also of what the profile answers with EPERM */
};

/*
 * hob_filter_load_notices - hob_filter_load(), with notices.
 * @notices: names that this architecture does not have are passed over; -EINVAL for unknown ones, with @step "notices".
 */
HOB_API int hob_filter_load_notices(const char *path, const struct hob_notices *notices, struct hob_filter **ret_filter,
                                    char *step);

/*
 * hob_filter_write - give a filter as bytes, for hob_filter_read() in another process on this machine.
 *
 * Returns how many were written. -E2BIG: more than @bytes_max; HOB_FILTER_BYTES_MAX is always enough.
 */
HOB_API int hob_filter_write(const struct hob_filter *filter, uint8_t *ret_code, uint32_t bytes_max);

/* hob_filter_read - make a filter of bytes, which are copied. -EINVAL: no filter has that many. */
HOB_API int hob_filter_read(const uint8_t *code, uint32_t bytes, struct hob_filter **ret_filter);

/*
 * hob_call_name - the name of a system call of the native architecture.
 * @ret_name: at most HOB_STEP_BYTES bytes. -ENOENT: the number has none.
 */
HOB_API int hob_call_name(int number, char *ret_name);

/* What hob_watch_open() writes into its pipe: a container made a call that its filter holds up. */
struct hob_notice {
        uint32_t serial;
        int32_t number; /* of the system call, as the native architecture counts */
};

/* Containers whose filters have notices, and the thread that waits for these. Its functions are thread-safe. */
struct hob_watch;

/*
 * hob_watch_open - start the thread.
 * @ret_notices: the end of a pipe that struct hob_notice can be read from; the caller owns it, and closes it after
 *   hob_watch_close(). At most one comes for each container that does not learn.
 */
HOB_API int hob_watch_open(struct hob_watch **ret_watch, int32_t *ret_notices, char *step);

/*
 * hob_watch_add - watch a container, which the caller names by @serial.
 * @end: the other end of its spec's @notices_fd. Takes ownership, including on failure.
 * @learns: 1: the calls pass, and are remembered; no notice is written.
 */
HOB_API int hob_watch_add(struct hob_watch *watch, uint32_t serial, int end, int learns);

/*
 * hob_watch_remove - watch a container no longer. Calls that it holds up fail with ENOSYS, so it should be dead.
 * @ret_calls: HOB_CALLS_MAX bits, the lowest first: a bit is set for each call that passed and was remembered, or for the
 *   one that a notice was written of, even if nobody has read it. May be NULL.
 *
 * -ENOENT: @serial is not watched.
 */
HOB_API int hob_watch_remove(struct hob_watch *watch, uint32_t serial, uint8_t *ret_calls);

/* hob_watch_close - end the thread and close whatever it watches. @watch may be NULL. */
HOB_API void hob_watch_close(struct hob_watch *watch);

#endif
