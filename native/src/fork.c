/* Forking the zygote: descriptors first, then one clone3(2). */
#include <fcntl.h>
#include <linux/sched.h>
#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "internal.h"

/* What a container may have on its way to the host, in kernel memory that is counted as its own: as much as the host reads at once. */
#define FRAMES_SEND_BYTES (512 * 1024)

/* All the descriptors of one container, both ends, so that one destructor closes what is left of them. */
struct plumbing {
        int frames[2]; /* [0] host, [1] container */
        int in[2];     /* [0] container reads; [1] is closed at once: end of file */
        int out[2];    /* [0] host reads */
        int err[2];
};

static void plumbing_close(struct plumbing *p) {
        int *all[] = { p->frames, p->in, p->out, p->err };
        for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
                close_fd(&all[i][0]);
                close_fd(&all[i][1]);
        }
}

static int plumbing_open(struct plumbing *p) {
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, p->frames) < 0 ||
            pipe2(p->in, O_CLOEXEC) < 0 || pipe2(p->out, O_CLOEXEC) < 0 || pipe2(p->err, O_CLOEXEC) < 0)
                return -errno;
        (void) close(p->in[1]);
        p->in[1] = -EBADF;
        /* With the kernel's usual size, most reads end in the middle of a large response. */
        const int room = FRAMES_SEND_BYTES;
        (void) setsockopt(p->frames[1], SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof room);
        return 0;
}

static int send_ends(int channel, uint32_t serial, const struct plumbing *p) {
        const int ends[HOB_ENDS] = {
                [HOB_END_FRAMES] = p->frames[0],
                [HOB_END_STDOUT] = p->out[0],
                [HOB_END_STDERR] = p->err[0],
        };
        return hob_send(channel, serial, ends, HOB_ENDS);
}

/*
 * clone3 as fork(2), but for a sibling in a pid namespace of its own. glibc keeps the thread's id in user space and its
 * own fork() refreshes it through CLONE_CHILD_SETTID; the kernel knows the address, so the same is done here.
 * The exit signal is the caller's own: CLONE_PARENT wants 0 in the field.
 */
static int clone_sibling(int cgroup_fd) {
        int *tid_address = NULL;
        if (prctl(PR_GET_TID_ADDRESS, &tid_address, 0, 0, 0) < 0)
                return -errno;
        struct clone_args args = {
                .flags = CLONE_PARENT | CLONE_NEWPID | CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID,
                .child_tid = (uint64_t) (uintptr_t) tid_address,
        };
        if (cgroup_fd >= 0) {
                args.flags |= CLONE_INTO_CGROUP;
                args.cgroup = (__u64) cgroup_fd;
        }
        long pid = syscall(SYS_clone3, &args, sizeof args);
        return pid < 0 ? -errno : (int) pid;
}

int hob_fork(const struct hob_spec *spec, int channel, uint32_t serial, int32_t *ret_pipes, char *step) {
        __attribute__((cleanup(plumbing_close))) struct plumbing p = {
                { -EBADF, -EBADF }, { -EBADF, -EBADF }, { -EBADF, -EBADF }, { -EBADF, -EBADF }
        };
        _cleanup_close_ int cgroup_fd = -EBADF;

        STEP("pipes", plumbing_open(&p));
        if (spec->cgroup2_dir) {
                cgroup_fd = open(spec->cgroup2_dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
                STEP("cgroup2", cgroup_fd < 0 ? -errno : 0);
        }
        STEP("limits", prepare_namespace_limits());
        STEP("send", send_ends(channel, serial, &p));
        STEP("clone", 0);

        if (hob_atfork_prepare)
                hob_atfork_prepare();
        int pid = clone_sibling(cgroup_fd);
        /* The child's handlers run in hob_enter(), once the descriptors that they replace are its own. */
        if (pid != 0 && hob_atfork_parent)
                hob_atfork_parent();
        if (pid < 0)
                return failed(step, "clone", pid);
        if (pid == 0) {
                ret_pipes[HOB_PIPE_FRAMES] = take_fd(&p.frames[1]);
                ret_pipes[HOB_PIPE_STDIN] = take_fd(&p.in[0]);
                ret_pipes[HOB_PIPE_STDOUT] = take_fd(&p.out[1]);
                ret_pipes[HOB_PIPE_STDERR] = take_fd(&p.err[1]);
        }
        return pid;
}

/* Free pieces are looked for from the largest that most programs ask for to the smallest that malloc(3) makes. */
#define PIECE_MAX ((size_t) 64 * 1024)
#define PIECE_STEP (2 * sizeof(size_t))

/* Pieces that nobody is to have, linked by their first words. */
static void *taken;

void hob_trim(void) {
        (void) malloc_trim(0);
        /* Behind it nothing is in use. */
        const uintptr_t end = (uintptr_t) sbrk(0) - mallinfo2().keepcost;
        for (size_t bytes = PIECE_MAX; bytes >= PIECE_STEP; bytes -= PIECE_STEP) {
                void **piece;
                while ((piece = malloc(bytes - sizeof(size_t))) && (uintptr_t) piece < end) {
                        *piece = taken;
                        taken = piece;
                }
                free(piece);
        }
}
