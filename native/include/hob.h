/*
 * libhob - one way into a container.
 *
 * A process that has just been forked calls hob_enter() and is then inside a container. The order of use:
 *
 *   once, before any fork:   hob_filter_load()                 compiles the seccomp profile
 *   zygote, when booted:     hob_trim(), hob_gather()          leave less for each fork to copy
 *   zygote:                  hob_serve()                       forks as its host asks, and returns in each child, from
 *                                                              inside the container. It calls:
 *     zygote:                  hob_fork_into()                 returns twice, as fork(2) does. It is made of:
 *     zygote:                  hob_fork()                      the new process
 *     child:                   hob_enter()                     root in the initial namespaces -> nobody in its own
 *                              uv_loop_fork(3)                 renews the event loop, where the program has one
 *                              hob_settle()                    closes the last placeholders
 *   or, for a program:       hob_spawn()                       hob_fork(), hob_enter() and execve(2) in one
 *   host (zygote's parent):  hob_receive(), hob_reap()         the container's descriptors, and its end
 *                            hob_mount()                       hands a folder to a container that already runs
 *                            hob_limit()                       other limits than those of the fork
 *
 * hob-notices.h has filters that tell the host of system calls.
 *
 * Every function returns 0 or a positive result, or -errno. Functions with a @step write the name of the step that
 * failed there, NUL-terminated, at most HOB_STEP_BYTES bytes; they leave it alone on success. No function prints, exits,
 * or writes an out-parameter when it fails, and each releases on failure all that it had acquired.
 *
 * Not thread-safe unless said otherwise. hob_fork() copies the calling thread only: the caller's other threads must be idle
 * (Node has two that wait for work which its flags never give them), or a lock that one of them holds stays locked.
 */
#ifndef HOB_H
#define HOB_H

#include <stdint.h>
#include <sys/types.h>

#define HOB_API __attribute__((visibility("default")))

#define HOB_STEP_BYTES 64
#define HOB_CGROUPS_MAX 8
#define HOB_LOOP_FDS_MAX 48
/* Descriptor of the frames socket in a program that hob_spawn() executes. */
#define HOB_FRAMES_FD 3
/* Exit code of a process that could not enter its container; its standard error says why. */
#define HOB_ENTER_FAILED 125
#define HOB_RIGHTS_MAX 3

/* Indexes into the descriptors that hob_fork() makes for the child. */
enum hob_pipe { HOB_PIPE_FRAMES, HOB_PIPE_STDIN, HOB_PIPE_STDOUT, HOB_PIPE_STDERR, HOB_PIPES };
/* Indexes into the descriptors that hob_fork() sends to the host. */
enum hob_end { HOB_END_FRAMES, HOB_END_STDOUT, HOB_END_STDERR, HOB_ENDS };

/* What a container is made of. All strings are borrowed for the call. */
struct hob_spec {
        const char *root;                           /* absolute path of the root filesystem's folder on the host */
        const char *hostname;                       /* 1..64 characters */
        const char *cgroup_dirs[HOB_CGROUPS_MAX];   /* cgroup v1 folders to enter; NULL ends the list */
        const char *cgroup2_dir;                    /* cgroup v2 folder to be cloned into, or NULL */
        const char *netns;                          /* path of its network namespace, of hob_namespace_create() */
        uint32_t host_uid;                          /* its own uid and gid on the host, never 0 */
        uint32_t inside_uid;                        /* uid and gid inside, never 0 */
        uint64_t tmp_bytes;                         /* size of /tmp */
        uint64_t tmp_inodes;                        /* files in /tmp */
        uint64_t shm_bytes;                         /* size of /dev/shm */
        uint64_t nofile_max;                        /* RLIMIT_NOFILE */
        uint64_t nproc_max;                         /* RLIMIT_NPROC, counted per host_uid */
        uint64_t file_bytes_max;                    /* RLIMIT_FSIZE */
        uint64_t clock_start_ns;                    /* what the clocks since boot show at first; 0: the caller's go on */
        uint32_t tcp_allowed;                       /* whether TCP sockets may be bound and connected at all */
        const char *apparmor_profile;               /* a loaded profile, or NULL */
        const char *selinux_context;                /* of the processes, or NULL */
        const char *selinux_files;                  /* context of the mounts that are made, or NULL */
        int32_t frames_fd;                          /* number that the frames socket is to have; -1: whatever comes */
        int32_t loop_fds[HOB_LOOP_FDS_MAX];         /* descriptors of the zygote's event loops; -1 ends the list */
        int32_t notices_fd;                         /* what the listener of a filter with notices leaves through; 0: none */
};

/* A program for hob_spawn(). All strings are borrowed for the call. */
struct hob_program {
        char *const *argv; /* argv[0] is an absolute path inside; NULL ends the list */
        char *const *envp; /* NULL ends the list */
        const char *folder; /* its working directory */
};

/* Where hob_spawn() sends the host's ends, as hob_fork() does. */
struct hob_reply {
        int32_t channel;
        uint32_t serial;
};

/* A compiled seccomp filter. */
struct hob_filter;

/* What hob_serve() serves with. All is borrowed for the call. */
struct hob_server {
        int32_t control;                   /* a stream: requests come, answers leave */
        int32_t channel;                   /* see hob_fork() */
        const struct hob_filter *filter;   /* of containers that bring none */
        uint64_t clock_start_ns;           /* these are as in struct hob_spec */
        uint32_t inside_uid;
        int32_t frames_fd;
        int32_t loop_fds[HOB_LOOP_FDS_MAX];
};

/*
 * hob_filter_load - compile a profile file with libseccomp for the native architecture.
 * @path: see native/profiles/seccomp.profile for the language.
 * @ret_filter: owned by the caller, freed by hob_filter_free().
 *
 * Errors: -ENOENT and kin from open(2); -EINVAL for a line that cannot be read (@step is "profile line N");
 * -EFAULT and kin from libseccomp.
 */
HOB_API int hob_filter_load(const char *path, struct hob_filter **ret_filter, char *step);

/* hob_filter_free - @filter may be NULL. */
HOB_API void hob_filter_free(struct hob_filter *filter);

/*
 * hob_fork_into - hob_fork(), and in the child everything else until it is a container.
 * @ret_pipes: HOB_PIPES numbers, preset to -1; written in the child only, so they tell who the caller is.
 *
 * Returns the pid in the caller, 0 in the child, or -errno in either. A child that gets an error is to report it on
 * @ret_pipes[HOB_PIPE_STDERR], or on descriptor 2 if that is closed by then, and to _exit().
 */
HOB_API int hob_fork_into(const struct hob_spec *spec, const struct hob_filter *filter, int channel, uint32_t serial,
                          int32_t *ret_pipes, char *step);

/*
 * hob_serve - fork containers as the host asks for them, without a return to the program that calls: what that wrote to
 * between two forks would be a copy of its own in the zygote, and in the container that was forked before.
 * @ret_text: @bytes_max bytes, also for reading requests into.
 *
 * See native/ts/fork-request.ts for a request's form. The answers are lines of JSON, as hob_fork_into() gives results:
 * {"op":"done","serial":1,"pid":2} or {"op":"failed","serial":1,"message":"clone: EAGAIN"}.
 *
 * Returns 0 in a child, which is inside its container; the length of what came that is no request for a fork, in @ret_text;
 * -ENODATA when the host is gone; -EMSGSIZE when a request is longer than @bytes_max, after which there is no way to go on.
 */
HOB_API int hob_serve(const struct hob_server *server, uint8_t *ret_text, uint32_t bytes_max);

/*
 * hob_fork - fork the calling process into a new pid namespace, as a sibling.
 *
 * The child's parent is the caller's parent (CLONE_PARENT), so that a container outlives its zygote and is reaped by the
 * host. Descriptors are made for it: a socket for frames, pipes for standard input (already at its end), output and
 * error. The host's ends leave over @channel, with @serial, before the fork.
 *
 * @channel: a SOCK_SEQPACKET socket whose other end calls hob_receive(). Borrowed.
 * @ret_pipes: HOB_PIPES descriptors, written in the child only, for hob_enter().
 *
 * Returns the pid in the caller, 0 in the child. Errors: what pipe2, socketpair, sendmsg and clone3 give. When it fails after the descriptors left (@step is "clone"), the host
 * receives them all the same and closes them.
 */
HOB_API int hob_fork(const struct hob_spec *spec, int channel, uint32_t serial, int32_t *ret_pipes, char *step);

/*
 * hob_enter - turn the calling process, forked by hob_fork(), into the first process of a container.
 *
 * Takes ownership of @pipes: 0, 1 and 2 are replaced, the frames socket becomes @spec->frames_fd, every other descriptor is
 * closed, and the numbers in @spec->loop_fds are occupied by copies of standard input, for an event loop that will close
 * them. After an error the process is in an undefined state between host and container: it must
 * do nothing but report on descriptor @pipes[HOB_PIPE_STDERR] and _exit().
 */
HOB_API int hob_enter(const struct hob_spec *spec, const struct hob_filter *filter, const int32_t *pipes, char *step);

/*
 * hob_spawn - fork as hob_fork() does, enter the container, and execute a program of its root filesystem there.
 *
 * The program finds the frames socket at HOB_FRAMES_FD, blocking, pipes at 0, 1 and 2, and nothing else open; all signals are as at
 * the start of a program. In the child only calls are made that are safe after the fork of a process with threads.
 *
 * Returns the program's pid. When the child fails later, it writes "step: ERRNO" to its standard error and ends with
 * HOB_ENTER_FAILED.
 */
HOB_API int hob_spawn(const struct hob_spec *spec, const struct hob_filter *filter, const struct hob_program *program,
                      const struct hob_reply *reply, char *step);

/*
 * hob_settle - close those numbers of @spec->loop_fds that are still what hob_enter() left there.
 */
HOB_API int hob_settle(const struct hob_spec *spec, char *step);

/*
 * hob_mount - mount a folder of the host read-only inside a running container, and no program runs from it.
 * @pid: the container's first process, as the caller's pid namespace sees it, and not yet reaped; -EBUSY while it is not
 *       yet behind hob_enter()'s user namespace.
 * @base: absolute path of a folder, itself no symbolic link.
 * @path: a folder below @base on the same file system, reached without a symbolic link and without "..": else
 *        -ELOOP, -EXDEV. Whoever may write below @base cannot make anything else be mounted.
 * @target: an existing folder inside.
 *
 * A helper process visits the container's mount namespace; the caller stays where it is, and may have threads.
 */
HOB_API int hob_mount(int pid, const char *base, const char *path, const char *target, char *step);

/*
 * hob_channel - a pair of connected unix sockets, close-on-exec. The caller owns both.
 * @stream: whether they are SOCK_STREAM and non-blocking, as frames sockets are; else SOCK_SEQPACKET, as channels are.
 */
HOB_API int hob_channel(int stream, int32_t *ret_fds);

/*
 * hob_connect - a stream socket, close-on-exec and non-blocking, connected to a socket file. The caller owns it.
 */
HOB_API int hob_connect(const char *path);

/*
 * hob_peer - the user who connected the other end of a unix socket, or made the pair.
 */
HOB_API int hob_peer(int socket, uint32_t *ret_uid);

/*
 * hob_send - send copies of 1..HOB_RIGHTS_MAX descriptors with a number, without waiting.
 * @channel: a unix socket; on a stream, nothing else may be sent before it is received. Borrowed, as @fds are.
 *
 * Errors: -EAGAIN too much waits there, -ETOOMANYREFS too many descriptors wait, -EPIPE the other end is closed.
 */
HOB_API int hob_send(int channel, uint32_t serial, const int32_t *fds, uint32_t count);

/*
 * hob_receive - take the next message of hob_send(), without waiting.
 * @ret_fds: @count descriptors, close-on-exec, non-blocking; the caller owns them.
 *
 * Errors: -EAGAIN nothing there, -ENODATA the other end is closed, -EBADMSG not @count descriptors.
 */
HOB_API int hob_receive(int channel, uint32_t *ret_serial, int32_t *ret_fds, uint32_t count);

/*
 * hob_reap - wait4(2) for one child without waiting.
 * @ret_status: as from wait4(2). Returns @pid when it was reaped, 0 when it still runs. -ECHILD: not a child.
 */
HOB_API int hob_reap(int pid, int32_t *ret_status);

/* Limits that a container got at its fork, given anew. 0 leaves one as it is. */
struct hob_limits {
        uint64_t nofile_max; /* RLIMIT_NOFILE of the first process, and of all that it will fork */
        uint64_t tmp_bytes;  /* size of /tmp; a multiple of the page size */
        uint64_t tmp_inodes; /* files in /tmp */
        uint32_t host_uid;   /* its uid and gid on the host */
};

/*
 * hob_limit - change what was fixed at the fork, for a container that runs no function code yet.
 * @pid: its first process, not yet reaped: a child of the caller.
 *
 * Not for a container that runs function code: what lies at /tmp is found by its path inside. Errors: -ENOENT and kin when it
 * has ended; -EBUSY while it is not yet behind hob_enter()'s user namespace; -EPERM when @nofile_max is above the one in force and the caller lacks CAP_SYS_RESOURCE; -EINVAL when /tmp already
 * holds more. What was changed before an error stays changed.
 */
HOB_API int hob_limit(int pid, const struct hob_limits *limits, char *step);

/*
 * hob_kill - SIGKILL by pidfd to a process that the caller has not reaped.
 */
HOB_API int hob_kill(int pid);

/*
 * hob_landlock_abi - the version of Landlock that the kernel offers, 0 for none. hob_enter() uses it from version 2 on.
 */
HOB_API int hob_landlock_abi(void);

/*
 * hob_is_delegated - whether systemd left the cgroup at @path to its processes (the extended attribute that it sets for
 * Delegate=yes). Returns 1 or 0.
 */
HOB_API int hob_is_delegated(const char *path);

/*
 * hob_lock - open a file, made if need be with mode 0600, and lock it (flock) without waiting.
 *
 * Returns a descriptor that holds the lock until it and every copy of it are closed. -EWOULDBLOCK: another one holds it;
 * -EMLINK: there is something else than a file with one name.
 */
HOB_API int hob_lock(const char *path);

/*
 * hob_trim - make what malloc(3) holds free of no use.
 *
 * Whole pages are given back to the kernel. What is left lies between what is in use: a forked child that was given it piece
 * by piece would write to page after page that it shares with others. It is taken for good, so that malloc(3) has only new
 * memory to give, one page after the other.
 */
HOB_API void hob_trim(void);

/*
 * hob_gather - let the caller's own memory lie in huge pages, where enough of it is in use.
 *
 * What is unused in them is memory that the caller has more then; children share it.
 *
 * Returns how many there are; 0 where the kernel (before Linux 6.1, or without transparent huge pages) gives none.
 */
HOB_API int hob_gather(void);

/* hob_close - close(2). */
HOB_API int hob_close(int fd);

/* hob_exit - _exit(2): leaves without joining threads that a fork did not copy. */
HOB_API void hob_exit(int code) __attribute__((noreturn));

#endif
