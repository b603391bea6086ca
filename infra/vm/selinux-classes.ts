/**
 * The classes and permissions that SELinux of Linux 6.1 asks about, in the kernel's names. A policy that leaves one out would
 * allow everything of it.
 */

const words = (text: string): readonly string[] => text.trim().split(/\s+/);

/** Permissions that several classes share. */
export const commons = {
  file: words(`ioctl read write create getattr setattr lock relabelfrom relabelto append map unlink link rename execute quotaon
    mounton audit_access open execmod watch watch_mount watch_sb watch_with_perm watch_reads`),
  socket:
    words(`ioctl read write create getattr setattr lock relabelfrom relabelto append map bind connect listen accept getopt
    setopt shutdown recvfrom sendto name_bind`),
  ipc: words('create destroy getattr setattr read write associate unix_read unix_write'),
  cap: words(`chown dac_override dac_read_search fowner fsetid kill setgid setuid setpcap linux_immutable net_bind_service
    net_broadcast net_admin net_raw ipc_lock ipc_owner sys_module sys_rawio sys_chroot sys_ptrace sys_pacct sys_admin sys_boot
    sys_nice sys_resource sys_time sys_tty_config mknod lease audit_write audit_control setfcap`),
  cap2: words('mac_override mac_admin syslog wake_alarm block_suspend audit_read perfmon bpf checkpoint_restore'),
} as const;

export interface SecurityClass {
  readonly name: string;
  readonly common: keyof typeof commons | undefined;
  /** Permissions of its own. */
  readonly own: readonly string[];
}

const of = (common: keyof typeof commons | undefined, table: Readonly<Record<string, string>>): SecurityClass[] =>
  Object.entries(table).map(([name, own]) => ({ name, common, own: own === '' ? [] : words(own) }));

const plain = (names: string): Record<string, string> => Object.fromEntries(words(names).map((name) => [name, '']));

const NETLINK = 'nlmsg_read nlmsg_write';

export const classes: readonly SecurityClass[] = [
  ...of(undefined, {
    security: `compute_av compute_create compute_member check_context load_policy compute_relabel compute_user setenforce setbool
      setsecparam setcheckreqprot read_policy validate_trans`,
    process: `fork transition sigchld sigkill sigstop signull signal ptrace getsched setsched getsession getpgid setpgid getcap
      setcap share getattr setexec setfscreate noatsecure siginh setrlimit rlimitinh dyntransition setcurrent execmem execstack
      execheap setkeycreate setsockcreate getrlimit`,
    process2: 'nnp_transition nosuid_transition',
    system: 'ipc_info syslog_read syslog_mod syslog_console module_request module_load',
    filesystem: 'mount remount unmount getattr relabelfrom relabelto associate quotamod quotaget watch',
    fd: 'use',
    node: 'recvfrom sendto',
    netif: 'ingress egress',
    msg: 'send receive',
    association: 'sendto recvfrom setcontext polmatch',
    packet: 'send recv relabelto forward_in forward_out',
    key: 'view read write search link setattr create',
    memprotect: 'mmap_zero',
    peer: 'recv',
    kernel_service: 'use_as_override create_files_as',
    binder: 'impersonate call set_context_mgr transfer',
    infiniband_pkey: 'access',
    infiniband_endport: 'manage_subnet',
    bpf: 'map_create map_read map_write prog_load prog_run',
    perf_event: 'open cpu kernel tracepoint read write',
    io_uring: 'override_creds sqpoll cmd',
    user_namespace: 'create',
  }),
  ...of('cap', plain('capability cap_userns')),
  ...of('cap2', plain('capability2 cap2_userns')),
  ...of('ipc', { sem: '', ipc: '', msgq: 'enqueue', shm: 'lock' }),
  ...of('file', {
    ...{ file: 'execute_no_trans entrypoint', dir: 'add_name remove_name reparent search rmdir' },
    ...plain('lnk_file chr_file blk_file sock_file fifo_file anon_inode'),
  }),
  ...of('socket', {
    tcp_socket: 'node_bind name_connect',
    udp_socket: 'node_bind',
    rawip_socket: 'node_bind',
    dccp_socket: 'node_bind name_connect',
    sctp_socket: 'node_bind name_connect association',
    icmp_socket: 'node_bind',
    unix_stream_socket: 'connectto',
    tun_socket: 'attach_queue',
    netlink_route_socket: NETLINK,
    netlink_tcpdiag_socket: NETLINK,
    netlink_xfrm_socket: NETLINK,
    netlink_audit_socket: `${NETLINK} nlmsg_relay nlmsg_readpriv nlmsg_tty_audit`,
    ...plain(`socket unix_dgram_socket packet_socket key_socket netlink_socket netlink_nflog_socket netlink_selinux_socket
      netlink_iscsi_socket netlink_fib_lookup_socket netlink_connector_socket netlink_netfilter_socket netlink_dnrt_socket
      netlink_kobject_uevent_socket netlink_generic_socket netlink_scsitransport_socket netlink_rdma_socket
      netlink_crypto_socket appletalk_socket ax25_socket ipx_socket netrom_socket atmpvc_socket x25_socket rose_socket
      decnet_socket atmsvc_socket rds_socket irda_socket pppox_socket llc_socket can_socket tipc_socket bluetooth_socket
      iucv_socket rxrpc_socket isdn_socket phonet_socket ieee802154_socket caif_socket alg_socket nfc_socket vsock_socket
      kcm_socket qipcrtr_socket smc_socket xdp_socket mctp_socket`),
  }),
];
