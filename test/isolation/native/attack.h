/*
 * What the hostile program is made of: raw system calls, as it has no C library, and the list of its attempts. Each attempt
 * runs in a process of its own, so that one which is killed tells by its signal.
 */
#ifndef ATTACK_H
#define ATTACK_H

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>

/* Calls that are newer than the headers of some hosts; their numbers are the same on every architecture. */
#ifndef SYS_statmount
#define SYS_statmount 457
#define SYS_listmount 458
#endif
/* No kernel has it. */
#define SYS_unknown 4000

/* What an attempt gave: 0 or a positive number that it got, or -errno. */
typedef long (*attempt_call)(void);

struct attempt {
        const char *name;
        attempt_call call;
        long in_place; /* it is made by a container's first process itself, or not at all */
} __attribute__((aligned(32)));

#define LIST(id, here)                                                                                                 \
        static long id(void);                                                                                          \
        static const struct attempt entry_##id __attribute__((section("attempts"), used)) = { #id, id, here };        \
        static long id(void)

/* An attempt with a body of its own. */
#define ATTEMPT(id) LIST(id, 0)
/* The same, made by the container's first process itself. */
#define ATTEMPT_IN_PLACE(id) LIST(id, 1)
/* An attempt that is one system call: TRY(name, call, arguments…). */
#define TRY(id, call, ...)                                                                                             \
        ATTEMPT(id) {                                                                                                  \
                return SYS(call, __VA_ARGS__);                                                                         \
        }

/* SYS(open, "/", 0): arguments that are not given are 0. */
#define SYS(call, ...) PADDED(SYS_##call, __VA_ARGS__, 0, 0, 0, 0, 0, 0)
#define PADDED(number, a, b, c, d, e, f, ...)                                                                          \
        raw_syscall((const long[]) { number, (long) (a), (long) (b), (long) (c), (long) (d), (long) (e), (long) (f) })

static inline __attribute__((always_inline)) long raw_syscall(const long *v) {
#if defined(__x86_64__)
        long result;
        register long r10 __asm__("r10") = v[4];
        register long r8 __asm__("r8") = v[5];
        register long r9 __asm__("r9") = v[6];
        __asm__ volatile("syscall"
                         : "=a"(result)
                         : "a"(v[0]), "D"(v[1]), "S"(v[2]), "d"(v[3]), "r"(r10), "r"(r8), "r"(r9)
                         : "rcx", "r11", "memory");
        return result;
#elif defined(__aarch64__)
        register long x8 __asm__("x8") = v[0];
        register long x0 __asm__("x0") = v[1];
        register long x1 __asm__("x1") = v[2];
        register long x2 __asm__("x2") = v[3];
        register long x3 __asm__("x3") = v[4];
        register long x4 __asm__("x4") = v[5];
        register long x5 __asm__("x5") = v[6];
        __asm__ volatile("svc 0"
                         : "+r"(x0)
                         : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
                         : "memory");
        return x0;
#else
#error "hob runs on x64 and arm64"
#endif
}

/* Forks as a C library would: the same call on both architectures. */
static inline long fork_process(void) {
        return SYS(clone, 17 /* SIGCHLD */);
}

static inline long open_file(const char *path, int flags) {
        return SYS(openat, AT_FDCWD, path, flags, 0600);
}

/* Opens a file for writing and writes a text. */
static inline long write_text(const char *path, const char *text) {
        size_t bytes = 0;
        while (text[bytes])
                bytes++;
        long fd = open_file(path, O_WRONLY);
        return fd < 0 ? fd : SYS(write, fd, text, bytes);
}

#endif
