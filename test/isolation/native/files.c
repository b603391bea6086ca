/* Files: devices, programs, and what lies in the page cache. */
#include <linux/memfd.h>
#include <sys/stat.h>

#include "attack.h"

#define PROGRAM "/usr/bin/true"
#define PROT_READ_EXEC 5
#define EMPTY_PATH 0x1000

TRY(make_block_device, mknodat, AT_FDCWD, "/tmp/attack-sda", S_IFBLK | 0600, 0x800)
TRY(make_character_device, mknodat, AT_FDCWD, "/tmp/attack-mem", S_IFCHR | 0600, 0x101)

/* The program that runs, which a container runtime would share with the host. */
ATTEMPT(write_own_program) {
        return open_file("/proc/self/exe", O_WRONLY);
}

ATTEMPT(write_first_program) {
        return open_file("/proc/1/exe", O_RDWR);
}

ATTEMPT(truncate_a_program) {
        return SYS(truncate, PROGRAM, 0);
}

ATTEMPT(map_a_program_for_writing) {
        long fd = open_file(PROGRAM, O_RDONLY);
        return fd < 0 ? fd : SYS(mmap, 0, 4096, 3, 1 /* MAP_SHARED */, fd, 0);
}

static long first_byte(long fd) {
        unsigned char byte = 0;
        long n = SYS(pread64, fd, &byte, 1, 0);
        return n == 1 ? byte : -EIO;
}

/* A page of a file in a pipe, then written to: 0 when the file stays as it is, as on a kernel without "dirty pipe". */
ATTEMPT(write_page_cache_by_pipe) {
        int ends[2];
        long offset = 0;
        long fd = open_file(PROGRAM, O_RDONLY), before = first_byte(fd);
        if (fd < 0 || before < 0 || SYS(pipe2, ends, 0) < 0)
                return -EIO;
        long r = SYS(sendfile, ends[1], fd, &offset, 1);
        if (r >= 0)
                r = SYS(write, ends[1], "X", 1);
        return r < 0 ? r : first_byte(fd) != before;
}

static long map_for_execution(const char *path, int flags) {
        long fd = SYS(openat, AT_FDCWD, path, flags, 0700);
        if (fd < 0)
                return fd;
        if (flags & O_CREAT) {
                (void) SYS(write, fd, "x", 1);
                (void) SYS(unlinkat, AT_FDCWD, path, 0);
        }
        long address = SYS(mmap, 0, 4096, PROT_READ_EXEC, 2 /* MAP_PRIVATE */, fd, 0);
        return address < 0 && address > -4096 ? address : 0;
}

ATTEMPT(map_code_from_tmp) {
        return map_for_execution("/tmp/attack-code", O_RDWR | O_CREAT);
}

ATTEMPT(map_code_from_shm) {
        return map_for_execution("/dev/shm/attack-code", O_RDWR | O_CREAT);
}

ATTEMPT(map_code_from_assets) {
        return map_for_execution("/var/task/program", O_RDONLY);
}

/* A file in memory is on no mount that could be noexec. */
ATTEMPT(run_a_program_from_memory) {
        char *const argv[] = { (char *) (uintptr_t) "x", NULL };
        char buffer[4096];
        long n, from = open_file("/var/task/program", O_RDONLY), fd = SYS(memfd_create, "x", MFD_CLOEXEC);
        if (from < 0 || fd < 0)
                return fd < 0 ? fd : from;
        while ((n = SYS(read, from, buffer, sizeof buffer)) > 0)
                (void) SYS(write, fd, buffer, n);
        return SYS(execveat, fd, "", argv, 0, EMPTY_PATH);
}


ATTEMPT(run_a_program_from_tmp) {
        char *const argv[] = { (char *) (uintptr_t) "x", NULL };
        char buffer[4096];
        long n, from = open_file("/var/task/program", O_RDONLY);
        long fd = SYS(openat, AT_FDCWD, "/tmp/attack-program", O_WRONLY | O_CREAT, 0700);
        if (from < 0 || fd < 0)
                return fd < 0 ? fd : from;
        while ((n = SYS(read, from, buffer, sizeof buffer)) > 0)
                (void) SYS(write, fd, buffer, n);
        (void) SYS(close, fd);
        return SYS(execve, "/tmp/attack-program", argv, 0);
}
