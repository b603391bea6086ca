# What AppArmor lets a container do, where AppArmor is in force: `hob serve` loads it with apparmor_parser(8). It stands behind
# the mounts, the file modes and the system call filter, and names what those allow, no more. Whatever has no rule is
# refused: every capability, mount, umount, pivot_root, ptrace, change of profile, and every file that is not named here.

abi <abi/3.0>,    # rules mean the same whatever the host's parser is: 3.0 is the oldest still shipped (Debian 12)

profile hob-container flags=(attach_disconnected,mediate_deleted) {
  / r,                                      # listing the root; attach_disconnected: descriptors that were opened outside
  /{bin,lib,lib64,sbin,usr}/{,**} mrix,     # programs and libraries of hob's own read-only copy; they stay in this profile
  /etc/{,**} r,                             # hob's own names, certificates and time zone
  /var/{,**} r,                             # the function's assets in /var/task

  owner /tmp/{,**} rwkl,                    # the function's own files; no m, no x: nothing runs from there
  /tmp/ rw,                                 # the folder belongs to root
  owner /dev/shm/{,**} rwkl,                # POSIX shared memory
  /dev/shm/ rw,                             # the folder belongs to root
  /dev/ r,                                  # listing it
  /dev/{null,zero,full,random,urandom} rw,  # the five devices that there are

  /proc/ r,                                 # listing the container's own processes, which are all that it shows
  owner /proc/[0-9]*/{,**} r,               # what a process asks about itself and its children
  /{,**/}pipe:* rw,                         # descriptors that were opened again through /proc/self/fd

  network unix stream,                      # the frames socket, and sockets in /tmp
  network unix dgram,                       # sockets in /tmp
  network inet stream,                      # TCP, in a network namespace of its own
  network inet dgram,                       # UDP, in the same
  network inet6 stream,                     # TCP over IPv6
  network inet6 dgram,                      # UDP over IPv6

  signal (send, receive) peer=hob-container,    # a function and its children; the pid namespace keeps containers apart
  signal (receive) peer=unconfined,             # hob ends containers
}
