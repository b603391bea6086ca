/* What the files of libhob share. Nothing here is exported. */
#ifndef HOB_INTERNAL_H
#define HOB_INTERNAL_H

#include <errno.h>
#include <linux/filter.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include "hob-notices.h"

struct hob_filter {
        struct sock_fprog program;
};

static inline void close_fd(const int *fd) {
        if (*fd >= 0) {
                int saved = errno;
                (void) close(*fd);
                errno = saved;
        }
}
#define _cleanup_close_ __attribute__((cleanup(close_fd)))

static inline void close_stream(FILE **f) {
        if (*f)
                (void) fclose(*f);
}
#define _cleanup_fclose_ __attribute__((cleanup(close_stream)))

/* What hob_gather() makes, and where V8's heap is to begin for it. */
#define HUGE_PAGE_BYTES ((uintptr_t) 2 * 1024 * 1024)

static inline int take_fd(int *fd) {
        int taken = *fd;
        *fd = -EBADF;
        return taken;
}

/* Names the failed step for the caller and passes the error on. */
static inline int failed(char *step, const char *name, int error) {
        (void) snprintf(step, HOB_STEP_BYTES, "%s", name);
        return error;
}

#if defined HOB_FAULTS || defined HOB_STEP_TIMES
/*
 * Only in the libraries that the fault sweep and the benchmark load: fails the step that HOB_PROBE names, or notes the time
 * in the file that it names.
 */
int probe_at(const char *name);
#else
static inline int probe_at(const char *name) {
        (void) name;
        return 0;
}
#endif

/* Runs one step: `expression` gives 0 or -errno. */
#define STEP(name, expression)                                                                                         \
        do {                                                                                                           \
                int step_result = probe_at(name);                                                                      \
                if (step_result == 0)                                                                                  \
                        step_result = (expression);                                                                    \
                if (step_result < 0)                                                                                   \
                        return failed(step, name, step_result);                                                        \
        } while (0)

/* write(2) of a whole short string to a file that exists: the form of kernel knobs. */
int write_file(int dir_fd, const char *path, const char *text);

/* From libhobfork.so, which is preloaded into zygotes; NULL elsewhere. */
__attribute__((weak)) void hob_atfork_prepare(void);
__attribute__((weak)) void hob_atfork_parent(void);
__attribute__((weak)) void hob_atfork_child(void);

/* From libuv, which node exports; NULL in a program that has none. */
__attribute__((weak)) void *uv_default_loop(void);
__attribute__((weak)) int uv_loop_fork(void *loop);
__attribute__((weak)) void uv_update_time(void *loop);

/* How a container's first process goes on: as the copy of a zygote, or as a program that it executes. */
enum enter_mode { ENTER_AS_COPY, ENTER_TO_EXECUTE };
int enter_container(const struct hob_spec *spec, const struct hob_filter *filter, const int32_t *pipes,
                    enum enter_mode mode, char *step);

/* Ends a child that could not become a container; its standard error says why. */
__attribute__((noreturn)) void leave_unentered(const int32_t *pipes, const char *step, int error);

int enter_cgroups(const struct hob_spec *spec);
/* Enters the time namespace that the caller has made for its children, with clocks that show @start_ns. */
int enter_time_namespace(uint64_t start_ns);
int enter_network(const struct hob_spec *spec);
/* In the zygote, before each fork: the descriptor that limit_namespaces() writes through. */
int prepare_namespace_limits(void);
int limit_namespaces(void);
/* A procfs of the caller's pid namespace, attached nowhere. Returns its descriptor. */
int make_procfs(void);
int build_root(const struct hob_spec *spec);
int enter_root(void);
int set_resource_limits(const struct hob_spec *spec);
int become_user(const struct hob_spec *spec);
int enter_user_namespace(const struct hob_spec *spec);
int join_new_keyring(void);
int drop_capabilities(void);
int check_identity(const struct hob_spec *spec);
int die_with_parent(int frames_fd);
int take_label(const struct hob_spec *spec);
int restrict_by_landlock(const struct hob_spec *spec);
int take_stdio(const struct hob_spec *spec, const int32_t *pipes);
int place_frames(const struct hob_spec *spec, int *frames_fd);
int replace_others(const struct hob_spec *spec, int frames_fd);
int keep_frames_only(int frames_fd);
int check_entered(int pid);
int install_filter(const struct hob_filter *filter);
int install_watched_filter(const struct hob_filter *filter, int socket);

#endif
