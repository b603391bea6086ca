#!/bin/busybox sh
# First process of a guest. The host's files, read-only over 9p, lie below a file system in memory, so that everything is at its
# place and nothing that is done here reaches the host. Then /share/job.sh runs; its exit code goes to /share/exit-code.
#
# The kernel and this script speak to the first serial line, the job to the second.
fail() {
  echo "guest: $1 failed"
  poweroff -f
}
/bin/busybox mkdir -p /sbin /usr/bin /usr/sbin /proc /sys /dev /memory /host /root
/bin/busybox --install -s /bin
export PATH=/bin
mount -t proc proc /proc && mount -t sysfs sysfs /sys || fail "mounting /proc and /sys"
# The kernel makes /dev before the first process starts only for a root file system of its own.
mount -t devtmpfs dev /dev || fail "mounting /dev"
for module in /modules/*.ko; do insmod "$module" || fail "loading $module"; done

mount -t tmpfs -o size=80%,mode=755 memory /memory && mkdir /memory/upper /memory/work || fail "mounting a tmpfs"
mount -t 9p -o trans=virtio,version=9p2000.L,ro,cache=loose,msize=1048576 host /host || fail "mounting the host's files"
# With metacopy a new label or owner of a file does not copy the file.
mount -t overlay -o metacopy=on,lowerdir=/host,upperdir=/memory/upper,workdir=/memory/work overlay /root ||
  fail "mounting the overlay"
cd /root || fail "entering the overlay"
mkdir -p proc sys dev run tmp share
mount -t proc proc proc && mount -t sysfs sysfs sys && mount -t devtmpfs dev dev || fail "mounting /proc, /sys and /dev"
mkdir -p dev/pts dev/shm dev/mqueue
mount -t devpts -o ptmxmode=666,mode=620 devpts dev/pts && mount -t tmpfs shm dev/shm && mount -t mqueue mqueue dev/mqueue ||
  fail "mounting in /dev"
mount -t tmpfs -o mode=755 run run || fail "mounting /run"
mount -t securityfs securityfs sys/kernel/security || fail "mounting securityfs"
if [ -d sys/fs/selinux ]; then mount -t selinuxfs selinuxfs sys/fs/selinux || fail "mounting selinuxfs"; fi
# As systemd mounts it, and with the first process in a cgroup of its own, as on a host that has booted.
mount -t cgroup2 -o nsdelegate,memory_recursiveprot cgroup2 sys/fs/cgroup || fail "mounting cgroup2"
mkdir sys/fs/cgroup/init.scope && echo $$ >sys/fs/cgroup/init.scope/cgroup.procs || fail "entering a cgroup"
mount -t 9p -o trans=virtio,version=9p2000.L,cache=none,msize=1048576 share share || fail "mounting the share"
ip link set lo up && hostname guest || fail "the network"
ulimit -n 65536
stty -F /dev/ttyS1 raw -echo || fail "the second serial line"

cat >run/guest.sh <<'SCRIPT'
sh /share/job.sh </dev/null >/dev/ttyS1 2>&1
echo $? >/share/exit-code
sync
echo o >/proc/sysrq-trigger
sleep 60
SCRIPT
echo "guest: ready after $(cut -d' ' -f1 proc/uptime) s, kernel $(uname -r), $(cat sys/kernel/security/lsm)"
export HOME=/root TERM=dumb PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
exec switch_root /root /bin/sh /run/guest.sh
