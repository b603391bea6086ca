/*
 * libhobfork.so, preloaded into zygotes: makes Node fit to be forked by libhob.
 *
 * 1. V8 marks its heap MADV_DONTFORK, after which a child has no heap and dies on its first bytecode: not passed on.
 * 2. libuv opens an io_uring for each event loop. A container would inherit the ring's shared memory, and what it wrote there
 *    would be done by the zygote, as root: the kernel is said to have none, and libuv does without.
 * 3. fork(3) runs the handlers of pthread_atfork(3), which clone3(2) does not: they are kept here for hob_fork() and
 *    hob_enter() to run. libuv has one, that gives the child a signal lock of its own.
 * 4. The environment, in which nothing but this library's own path should be, is wiped: /proc/self/environ shows the memory
 *    that it was given in, whatever the program made of it. And what descriptors it was given are for no other program.
 * 5. A container's clocks start near zero, but Node aborts when a clock goes back behind where it was when Node started: so
 *    the zygote has clocks of its own, which started near zero too.
 * 6. V8 asks for each page of its heap at another random address, which takes up to three pages of page tables for each, that
 *    every fork makes anew: they are put beside each other, at one random address.
 */
#include <dlfcn.h>
#include <linux/close_range.h>
#include <sched.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "internal.h"

#define EXPORT __attribute__((visibility("default")))
#define HANDLERS_MAX 32
/* Not 0, which stands for "never" in many a program. */
#define CLOCK_START_NS UINT64_C(1000000000)

typedef void (*handler)(void);
typedef long (*syscall_function)(long, ...);
typedef int (*register_function)(handler, handler, handler, void *);

static struct {
        handler prepare, parent, child;
} handlers[HANDLERS_MAX];
static size_t n_handlers;

__attribute__((constructor)) static void keep_to_oneself(void) {
        (void) syscall(SYS_close_range, 3U, ~0U, CLOSE_RANGE_CLOEXEC);
        for (char **variable = environ; *variable; variable++)
                explicit_bzero(*variable, strlen(*variable));
        environ[0] = NULL;
}

/* Before any clock is read. Without the right to it, or the kernel's help, containers have the host's clocks. */
__attribute__((constructor)) static void start_clocks(void) {
        if (unshare(CLONE_NEWTIME) == 0)
                (void) enter_time_namespace(CLOCK_START_NS);
}

/* What libc itself would do. ISO C has no conversion from an object pointer to a function pointer; POSIX has. */
static void *next(const char *name) {
        return dlsym(RTLD_NEXT, name);
}

EXPORT long syscall(long number, ...) {
        static syscall_function libc_syscall;
        long a[6];
        va_list list;

        if (number == SYS_io_uring_setup || number == SYS_io_uring_enter || number == SYS_io_uring_register) {
                errno = ENOSYS;
                return -1;
        }
        if (!libc_syscall)
                *(void **) &libc_syscall = next("syscall");
        va_start(list, number);
        for (size_t i = 0; i < sizeof a / sizeof *a; i++)
                a[i] = va_arg(list, long);
        va_end(list);
        return libc_syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

EXPORT int madvise(void *address, size_t bytes, int advice) {
        if (advice == MADV_DONTFORK)
                return 0;
        return (int) syscall(SYS_madvise, address, bytes, advice);
}

/* V8's pages are aligned to their size. It asks for so much more that it can cut an aligned one out. */
#define V8_PAGE_BYTES ((uintptr_t) 256 * 1024)
#define V8_SLACK_BYTES (V8_PAGE_BYTES - 4096)
/* What is larger has its reasons for where it wants to be: compiled code is to be near the program's own. */
#define CLUSTERED_BYTES_MAX ((size_t) 16 * 1024 * 1024)

static uintptr_t next_page;

/* Somewhere in the lower half of what a program can have, where a huge page begins: see hob_gather(). */
__attribute__((constructor)) static void choose_heap_address(void) {
        uint64_t random;
        if (getrandom(&random, sizeof random, GRND_NONBLOCK) == sizeof random)
                next_page = (random & UINT64_C(0x3fffffffffff)) & ~(HUGE_PAGE_BYTES - 1);
}

/* The kernel takes the address for a wish, and finds another where something is there already. */
static void *place_in_cluster(size_t bytes) {
        const uintptr_t pages = bytes <= V8_SLACK_BYTES ? 1 : (bytes - V8_SLACK_BYTES + V8_PAGE_BYTES - 1) / V8_PAGE_BYTES;
        return (void *) __atomic_fetch_add(&next_page, pages * V8_PAGE_BYTES, __ATOMIC_RELAXED);
}

EXPORT void *mmap(void *address, size_t bytes, int protection, int flags, int fd, off_t offset) {
        const bool is_wish = address && !(flags & (MAP_FIXED | MAP_FIXED_NOREPLACE)) && flags & MAP_ANONYMOUS;
        if (is_wish && bytes <= CLUSTERED_BYTES_MAX && next_page)
                address = place_in_cluster(bytes);
        return (void *) syscall(SYS_mmap, address, bytes, protection, flags, fd, offset);
}
EXPORT void *mmap64(void *, size_t, int, int, int, off_t) __attribute__((alias("mmap")));

/* What pthread_atfork(3) is made of in glibc. */
EXPORT int __register_atfork(handler prepare, handler parent, handler child, void *library);
int __register_atfork(handler prepare, handler parent, handler child, void *library) {
        register_function libc_register;

        if (n_handlers == HANDLERS_MAX)
                return ENOMEM;
        handlers[n_handlers].prepare = prepare;
        handlers[n_handlers].parent = parent;
        handlers[n_handlers].child = child;
        n_handlers++;
        *(void **) &libc_register = next("__register_atfork");
        return libc_register(prepare, parent, child, library);
}

/* In the order of fork(3): the latest registered prepares first, and is the last to hear of the outcome. */
EXPORT void hob_atfork_prepare(void);
void hob_atfork_prepare(void) {
        for (size_t i = n_handlers; i-- > 0;)
                if (handlers[i].prepare)
                        handlers[i].prepare();
}

EXPORT void hob_atfork_parent(void);
void hob_atfork_parent(void) {
        for (size_t i = 0; i < n_handlers; i++)
                if (handlers[i].parent)
                        handlers[i].parent();
}

EXPORT void hob_atfork_child(void);
void hob_atfork_child(void) {
        for (size_t i = 0; i < n_handlers; i++)
                if (handlers[i].child)
                        handlers[i].child();
}
