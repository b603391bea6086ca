/* Sockets: kinds that a network namespace does not bound, and places that must be out of reach. */
#include <linux/in.h>
#include <linux/in6.h>
#include <linux/socket.h>

#include "attack.h"

enum { UNIX = 1, INET = 2, INET6 = 10, STREAM = 1, DGRAM = 2, RAW = 3, SEQPACKET = 5 };

TRY(socket_netlink, socket, 16, RAW, 0)
TRY(socket_netfilter, socket, 16, RAW, 12 /* NETLINK_NETFILTER */)
TRY(socket_xfrm, socket, 16, RAW, 6 /* NETLINK_XFRM */)
TRY(socket_packet, socket, 17, RAW, 0x300)
TRY(socket_alg, socket, 38, SEQPACKET, 0)
TRY(socket_alg_high_bits, socket, 38 | 1L << 32, SEQPACKET, 0)
TRY(socket_vsock, socket, 40, STREAM, 0)
TRY(socket_key, socket, 15, RAW, 2)
TRY(socket_rds, socket, 21, SEQPACKET, 0)
TRY(socket_can, socket, 29, RAW, 1)
TRY(socket_tipc, socket, 30, STREAM, 0)
TRY(socket_bluetooth, socket, 31, STREAM, 3)
TRY(socket_smc, socket, 43, STREAM, 0)
TRY(socket_xdp, socket, 44, RAW, 0)
TRY(socket_raw, socket, INET, RAW, 1)
TRY(socket_raw6, socket, INET6, RAW, 58)
TRY(socket_ping, socket, INET, DGRAM, 1)
TRY(socket_ping6, socket, INET6, DGRAM, 58)
TRY(socket_dccp, socket, INET, 6, 33)
TRY(socket_sctp, socket, INET, STREAM, 132)
TRY(socket_sctp_sequenced, socket, INET, SEQPACKET, 132)
TRY(socket_mptcp, socket, INET, STREAM, 262)
TRY(socket_udplite, socket, INET, DGRAM, 136)
TRY(socket_l2tp, socket, INET, DGRAM, 115)

/* Terminals: the high half of the argument is cut off by the kernel, after the filter has seen it. */
TRY(push_terminal_input, ioctl, 0, 0x5412 /* TIOCSTI */, "x")
TRY(push_terminal_input_high_bits, ioctl, 0, 0x5412 | 1L << 32, "x")
TRY(terminal_selection, ioctl, 0, 0x541c /* TIOCLINUX */, "x")
TRY(take_terminal, ioctl, 0, 0x540e /* TIOCSCTTY */, 1)

static long connect4(unsigned a, unsigned b, unsigned c, unsigned d) {
        struct sockaddr_in to = { .sin_family = INET, .sin_port = 0x5000 /* 80 */ };
        to.sin_addr.s_addr = a | b << 8 | c << 16 | d << 24;
        long fd = SYS(socket, INET, STREAM, 0);
        return fd < 0 ? fd : SYS(connect, fd, &to, sizeof to);
}

static long connect6(const unsigned char *address) {
        struct sockaddr_in6 to = { .sin6_family = INET6, .sin6_port = 0x5000 };
        for (int i = 0; i < 16; i++)
                to.sin6_addr.s6_addr[i] = address[i];
        long fd = SYS(socket, INET6, STREAM, 0);
        return fd < 0 ? fd : SYS(connect, fd, &to, sizeof to);
}

ATTEMPT(connect_metadata) {
        return connect4(169, 254, 169, 254);
}

ATTEMPT(connect_private) {
        return connect4(10, 0, 0, 1);
}

ATTEMPT(connect_public) {
        return connect4(192, 0, 2, 1);
}

ATTEMPT(connect_metadata6) {
        static const unsigned char ec2[16] = { 0xfd, 0x00, 0x0e, 0xc2, [14] = 0x02, [15] = 0x54 };
        return connect6(ec2);
}

ATTEMPT(connect_metadata_mapped) {
        static const unsigned char mapped[16] = { [10] = 0xff, [11] = 0xff, [12] = 169, [13] = 254, [14] = 169, [15] = 254 };
        return connect6(mapped);
}

ATTEMPT(send_datagram) {
        struct sockaddr_in to = { .sin_family = INET, .sin_port = 0x3500 /* 53 */, .sin_addr = { 0x01010101 } };
        long fd = SYS(socket, INET, DGRAM, 0);
        return fd < 0 ? fd : SYS(sendto, fd, "x", 1, 0, &to, sizeof to);
}

/* The loopback device is the container's own, so nothing of the host's listens there. */
ATTEMPT(connect_loopback_redis) {
        struct sockaddr_in to = { .sin_family = INET, .sin_port = 0xeb18 /* 6379 */, .sin_addr = { 0x0100007f } };
        long fd = SYS(socket, INET, STREAM, 0);
        return fd < 0 ? fd : SYS(connect, fd, &to, sizeof to);
}

ATTEMPT(listen_on_low_port) {
        struct sockaddr_in at = { .sin_family = INET, .sin_port = 0x5000 };
        long fd = SYS(socket, INET, STREAM, 0);
        return fd < 0 ? fd : SYS(bind, fd, &at, sizeof at);
}

ATTEMPT(take_interface_down) {
        char request[40] = "lo";
        return SYS(ioctl, SYS(socket, INET, DGRAM, 0), 0x8914 /* SIOCSIFFLAGS */, request);
}

static long set_option(long level, long name) {
        int value = 1 << 30;
        return SYS(setsockopt, SYS(socket, INET, STREAM, 0), level, name, &value, sizeof value);
}

ATTEMPT(force_send_buffer) {
        return set_option(1, 32 /* SO_SNDBUFFORCE */);
}

ATTEMPT(force_receive_buffer) {
        return set_option(1, 33 /* SO_RCVBUFFORCE */);
}

ATTEMPT(mark_packets) {
        return set_option(1, 36 /* SO_MARK */);
}

ATTEMPT(replace_firewall) {
        return set_option(0, 64 /* IPT_SO_SET_REPLACE */);
}
