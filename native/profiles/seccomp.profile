# System calls that a container may make. src/filter.c describes the language. Whatever is not named answers ENOSYS, as on a
# kernel that does not have it, so that programs fall back; what is known to be dangerous answers EPERM, so that it shows.

default errno ENOSYS    # unknown calls look like an older kernel's
foreign kill            # another architecture's calls (and x32) would pass under other numbers

# Files and descriptors: reach is bounded by the read-only root filesystem and by file permissions.
allow read, write, readv, writev, pread64, pwrite64, preadv, pwritev, preadv2, pwritev2    # plain input and output
allow open, openat, openat2, close, close_range, creat                                     # opening files
allow stat, fstat, lstat, newfstatat, statx, access, faccessat, faccessat2                 # looking at files
allow lseek, ftruncate, truncate, fallocate, fadvise64, readahead                          # positions and sizes
allow fsync, fdatasync, sync_file_range                                                    # flushing own files
allow getdents, getdents64, getcwd, chdir, fchdir                                          # folders
allow mkdir, mkdirat, rmdir, rename, renameat, renameat2, unlink, unlinkat                 # names in /tmp
allow link, linkat, symlink, symlinkat, readlink, readlinkat                               # links in /tmp
allow chmod, fchmod, fchmodat, chown, fchown, lchown, fchownat, umask                      # modes in /tmp; one uid exists
allow utime, utimes, utimensat, futimesat                                                  # times in /tmp
allow statfs, fstatfs                                                                      # Node's fs.statfs
allow dup, dup2, dup3, fcntl, flock                                                        # descriptors
allow getxattr, lgetxattr, fgetxattr, listxattr, llistxattr, flistxattr                    # cp and ls ask for them
allow copy_file_range, sendfile                                                            # fs.copyFile
allow mknod when 1 & 0170000 == 0010000     # named pipes only, no device
allow mknodat when 2 & 0170000 == 0010000   # named pipes only, no device
allow pipe, pipe2                                                                          # pipes
errno EPERM memfd_create                                                                   # programs to run, on no noexec mount
allow inotify_init, inotify_init1, inotify_add_watch, inotify_rm_watch                     # fs.watch; counted per user

# Waiting.
allow poll, ppoll, select, pselect6                                                        # waiting for descriptors
allow epoll_create, epoll_create1, epoll_ctl, epoll_wait, epoll_pwait, epoll_pwait2        # the event loop
allow eventfd, eventfd2, timerfd_create, timerfd_settime, timerfd_gettime, signalfd, signalfd4    # the event loop
allow nanosleep, clock_nanosleep, pause, restart_syscall                                   # sleeping
allow futex, futex_waitv, get_robust_list, set_robust_list, rseq, membarrier               # threads' locks

# Memory.
allow brk, mmap, munmap, mremap, mprotect, madvise, msync, mincore                         # memory
allow mlock, mlock2, munlock, mlockall, munlockall                                         # bounded by RLIMIT_MEMLOCK
allow pkey_alloc, pkey_free, pkey_mprotect                                                 # V8 guards its code with keys
allow shmget, shmat, shmdt, shmctl, semget, semop, semctl, semtimedop                      # in an ipc namespace of its own
allow msgget, msgsnd, msgrcv, msgctl                                                       # in an ipc namespace of its own

# Processes and threads, within the container's pid namespace and its limit of processes.
allow clone when 0 & 0x7e020080 == 0        # threads and children, but no new namespace (CLONE_NEW*)
errno EPERM clone when 0 & 0x00020000 == 0x00020000    # CLONE_NEWNS
errno EPERM clone when 0 & 0x02000000 == 0x02000000    # CLONE_NEWCGROUP
errno EPERM clone when 0 & 0x04000000 == 0x04000000    # CLONE_NEWUTS
errno EPERM clone when 0 & 0x08000000 == 0x08000000    # CLONE_NEWIPC
errno EPERM clone when 0 & 0x10000000 == 0x10000000    # CLONE_NEWUSER
errno EPERM clone when 0 & 0x20000000 == 0x20000000    # CLONE_NEWPID
errno EPERM clone when 0 & 0x40000000 == 0x40000000    # CLONE_NEWNET
errno ENOSYS clone3                         # its flags are in memory, out of a filter's sight; libc falls back to clone
allow fork, vfork                           # children
allow execve, execveat, exit, exit_group    # programs of the root filesystem
allow wait4, waitid, kill, tkill, tgkill    # own processes
allow pidfd_open, pidfd_send_signal         # own processes
allow getpid, getppid, gettid, getpgid, getpgrp, setpgid, getsid, setsid                   # job control
allow getuid, geteuid, getgid, getegid, getresuid, getresgid, getgroups                    # who am I
allow setuid, setgid, setreuid, setregid, setresuid, setresgid, setfsuid, setfsgid         # to the one id that is mapped
allow capget                                # asking is harmless; there is none to have
allow set_tid_address, arch_prctl                                                          # the start of a program
allow personality when 0 == 0xffffffff      # asking only
allow prctl when 0 == 1 and 1 == 9          # PR_SET_PDEATHSIG: SIGKILL only, or the first process could outlive the host's
allow prctl when 0 == 2                     # PR_GET_PDEATHSIG
allow prctl when 0 == 3                     # PR_GET_DUMPABLE
allow prctl when 0 == 4                     # PR_SET_DUMPABLE
allow prctl when 0 == 15                    # PR_SET_NAME
allow prctl when 0 == 16                    # PR_GET_NAME
allow prctl when 0 == 21                    # PR_GET_SECCOMP
allow prctl when 0 == 23                    # PR_CAPBSET_READ
allow prctl when 0 == 38                    # PR_SET_NO_NEW_PRIVS
allow prctl when 0 == 39                    # PR_GET_NO_NEW_PRIVS
allow prctl when 0 == 40                    # PR_GET_TID_ADDRESS
allow prctl when 0 == 0x53564d41            # PR_SET_VMA: allocators name their memory
errno EPERM prctl when 0 == 35              # PR_SET_MM moves the program's own memory map under the kernel's view
allow prlimit64, getrlimit, setrlimit, getrusage, times                                    # limits can only fall
allow sched_yield, sched_getaffinity, sched_getparam, sched_getscheduler                   # schedulers ask
allow sched_get_priority_max, sched_get_priority_min, sched_rr_get_interval                # schedulers ask
allow sched_setaffinity, getpriority, setpriority                                          # only to the worse
allow ioprio_get, getcpu                                                                   # asking

# Signals.
allow rt_sigaction, rt_sigprocmask, rt_sigreturn, rt_sigpending, rt_sigsuspend             # signals
allow rt_sigtimedwait, rt_sigqueueinfo, rt_tgsigqueueinfo, sigaltstack, alarm              # signals
allow getitimer, setitimer, timer_create, timer_settime, timer_gettime                     # timers
allow timer_getoverrun, timer_delete                                                       # timers

# Clocks and the machine.
allow clock_gettime, clock_getres, gettimeofday, time                                      # reading clocks
allow getrandom, uname, sysinfo                                                            # os.*

# Sockets: Unix, IPv4 and IPv6; in a network namespace of its own.
allow socket when 0 == 1                                                                   # AF_UNIX
# Other protocols (MPTCP, SCTP, DCCP, L2TP, UDP-Lite, …) are rarely used kernel code, some loaded as modules on demand.
allow socket when 0 == 2 and 1 & 0xf == 1 and 2 == 0                                       # AF_INET, SOCK_STREAM
allow socket when 0 == 2 and 1 & 0xf == 1 and 2 == 6                                       # AF_INET, SOCK_STREAM, TCP
allow socket when 0 == 2 and 1 & 0xf == 2 and 2 == 0                                       # AF_INET, SOCK_DGRAM
allow socket when 0 == 2 and 1 & 0xf == 2 and 2 == 17                                      # AF_INET, SOCK_DGRAM, UDP
allow socket when 0 == 10 and 1 & 0xf == 1 and 2 == 0                                      # AF_INET6, SOCK_STREAM
allow socket when 0 == 10 and 1 & 0xf == 1 and 2 == 6                                      # AF_INET6, SOCK_STREAM, TCP
allow socket when 0 == 10 and 1 & 0xf == 2 and 2 == 0                                      # AF_INET6, SOCK_DGRAM
allow socket when 0 == 10 and 1 & 0xf == 2 and 2 == 17                                     # AF_INET6, SOCK_DGRAM, UDP
errno EAFNOSUPPORT socket when 0 == 16                                                     # AF_NETLINK: kernel bugs behind it
errno EAFNOSUPPORT socket when 0 == 17                                                     # AF_PACKET: raw frames
errno EAFNOSUPPORT socket when 0 == 38                                                     # AF_ALG: page-cache writes
errno EAFNOSUPPORT socket when 0 == 40                                                     # AF_VSOCK: no network namespace bounds it
allow socketpair when 0 == 1                                                               # AF_UNIX
allow bind, listen, accept, accept4, connect, shutdown                                     # sockets
allow getsockname, getpeername, getsockopt, setsockopt                                     # sockets
allow sendto, recvfrom, sendmsg, recvmsg, sendmmsg, recvmmsg                               # sockets

# ioctl: no terminal injection (TIOCSTI, TIOCLINUX), no device is open.
allow ioctl when 1 == 0x5401      # TCGETS: isatty
allow ioctl when 1 == 0x5413      # TIOCGWINSZ
allow ioctl when 1 == 0x541b      # FIONREAD
allow ioctl when 1 == 0x5421      # FIONBIO
allow ioctl when 1 == 0x5450      # FIONCLEX
allow ioctl when 1 == 0x5451      # FIOCLEX
allow ioctl when 1 == 0x5452      # FIOASYNC

# Known to be dangerous: EPERM rather than ENOSYS, so that an attempt is told from a typo.
errno EPERM mount, umount2, pivot_root, chroot                                             # the file tree
errno EPERM fsopen, fsconfig, fsmount, fspick, open_tree, move_mount, mount_setattr        # the newer mount calls
errno EPERM unshare, setns                                                                 # namespaces
errno EPERM ptrace, process_vm_readv, process_vm_writev, kcmp, pidfd_getfd                 # other processes' insides
errno EPERM process_madvise                                                                # other processes' memory
errno EPERM bpf, perf_event_open, userfaultfd                                              # kernel programs; race helpers
errno EPERM io_uring_setup, io_uring_enter, io_uring_register                              # calls past this filter
errno EPERM add_key, request_key, keyctl                                                   # keyrings are not namespaced
errno EPERM init_module, finit_module, delete_module                                       # kernel modules
errno EPERM kexec_load, kexec_file_load, reboot                                            # the machine
errno EPERM swapon, swapoff, acct, quotactl, quotactl_fd                                   # the machine's administration
errno EPERM syslog, settimeofday, clock_settime, clock_adjtime, adjtimex, stime            # the machine's log and clock
errno EPERM iopl, ioperm, modify_ldt                                                       # hardware; old entry points
errno EPERM name_to_handle_at, open_by_handle_at                                           # files past the root (shocker)
errno EPERM fanotify_init, fanotify_mark                                                   # watches over whole mounts
errno EPERM mbind, set_mempolicy, get_mempolicy, migrate_pages, move_pages                 # NUMA placement
errno EPERM memfd_secret                                                                   # memory the kernel cannot see
errno EPERM splice, vmsplice, tee                                                          # page-cache writes (dirty pipe)
errno EPERM sethostname, setdomainname, vhangup                                            # the host's names
errno EPERM capset, setgroups                                                              # there is nothing to gain
errno EPERM setxattr, lsetxattr, fsetxattr, removexattr, lremovexattr, fremovexattr        # file capabilities
errno EPERM lookup_dcookie, nfsservctl, uselib, ustat, sysfs, _sysctl, vserver             # relics
errno EPERM mq_open, mq_unlink, mq_timedsend, mq_timedreceive, mq_notify, mq_getsetattr    # queues outside the memory limit
errno EPERM landlock_create_ruleset, landlock_add_rule, landlock_restrict_self             # confinement is hob's to set
errno EPERM seccomp                                                                        # filters with listeners
