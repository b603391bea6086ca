/* What the packet filter logs: NFLOG packets, read one by one. */
#include <arpa/inet.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_log.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <string.h>
#include <sys/socket.h>

#include "hob-network.h"
#include "internal.h"
#include "netlink.h"

/* Enough for either IP header with options or a few extensions, and the ports. */
#define COPIED_BYTES 128
#define BUFFER_BYTES (1024 * 1024)

static int configure(int fd, int group) {
        struct request r = { 0 };
        const struct nfgenmsg message = {
                .nfgen_family = AF_UNSPEC,
                .version = NFNETLINK_V0,
                .res_id = htons((uint16_t) group),
        };
        const struct nfulnl_msg_config_cmd bind_group = { .command = NFULNL_CFG_CMD_BIND };
        const struct nfulnl_msg_config_mode mode = {
                .copy_mode = NFULNL_COPY_PACKET,
                .copy_range = htonl(COPIED_BYTES),
        };
        request_message(&r, NFNL_SUBSYS_ULOG << 8 | NFULNL_MSG_CONFIG, NLM_F_ACK, &message, sizeof message);
        request_add(&r, NFULA_CFG_CMD, &bind_group, sizeof bind_group);
        request_add(&r, NFULA_CFG_MODE, &mode, sizeof mode);
        /* Each packet at once, rather than some of them after a second. */
        request_add_be32(&r, NFULA_CFG_QTHRESH, 1);
        return netlink_ask(fd, &r, NULL, 0);
}

int hob_denials_open(int group) {
        const int bytes = BUFFER_BYTES;
        _cleanup_close_ int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
        if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes) < 0)
                return -errno;
        const int r = configure(fd, group);
        return r < 0 ? r : take_fd(&fd);
}

static uint32_t port_at(const uint8_t *packet, size_t bytes, size_t at, uint32_t protocol) {
        if (protocol != IPPROTO_TCP && protocol != IPPROTO_UDP)
                return 0;
        return at + 4 <= bytes ? (uint32_t) packet[at + 2] << 8 | packet[at + 3] : 0;
}

/* Reads the packet's own headers: it was sent by a function, so nothing in it is believed but its place. */
static int read_packet(const uint8_t *packet, size_t bytes, struct hob_denial *d) {
        if (bytes >= sizeof(struct iphdr) && packet[0] >> 4 == 4) {
                struct iphdr ip;
                memcpy(&ip, packet, sizeof ip);
                d->protocol = ip.protocol;
                const int is_first = (ntohs(ip.frag_off) & IP_OFFMASK) == 0;
                d->port = is_first ? port_at(packet, bytes, (size_t) ip.ihl * 4, ip.protocol) : 0;
                (void) inet_ntop(AF_INET, &ip.saddr, d->source, sizeof d->source);
                (void) inet_ntop(AF_INET, &ip.daddr, d->destination, sizeof d->destination);
                return 1;
        }
        if (bytes >= sizeof(struct ip6_hdr) && packet[0] >> 4 == 6) {
                struct ip6_hdr ip;
                memcpy(&ip, packet, sizeof ip);
                d->protocol = ip.ip6_nxt;
                d->port = port_at(packet, bytes, sizeof ip, ip.ip6_nxt);
                (void) inet_ntop(AF_INET6, &ip.ip6_src, d->source, sizeof d->source);
                (void) inet_ntop(AF_INET6, &ip.ip6_dst, d->destination, sizeof d->destination);
                return 1;
        }
        return 0;
}

static int read_attributes(const uint8_t *bytes, size_t length, struct hob_denial *d) {
        const size_t head = sizeof(struct nlattr);
        int found = 0;
        for (size_t at = 0; length - at >= head;) {
                struct nlattr attribute;
                memcpy(&attribute, bytes + at, sizeof attribute);
                if (attribute.nla_len < head || attribute.nla_len > length - at)
                        break;
                const uint8_t *value = bytes + at + head;
                const size_t size = attribute.nla_len - head;
                const int type = attribute.nla_type & NLA_TYPE_MASK;
                if (type == NFULA_PAYLOAD)
                        found = read_packet(value, size, d);
                else if (type == NFULA_IFINDEX_INDEV && size == sizeof(uint32_t))
                        d->link = (uint32_t) value[0] << 24 | (uint32_t) value[1] << 16 | (uint32_t) value[2] << 8 | value[3];
                else if (type == NFULA_PREFIX && size > 0)
                        (void) snprintf(d->prefix, sizeof d->prefix, "%.*s", (int) size, (const char *) value);
                const size_t padded = ((size_t) attribute.nla_len + 3) & ~(size_t) 3;
                if (padded > length - at)
                        break;
                at += padded;
        }
        return found;
}

int hob_denials_read(int fd, struct hob_denial *ret_denial) {
        _Alignas(struct nlmsghdr) uint8_t bytes[4096];
        const size_t fixed = NLMSG_HDRLEN + NLMSG_ALIGN(sizeof(struct nfgenmsg));
        for (;;) {
                struct hob_denial denial = { 0 };
                ssize_t n = recv(fd, bytes, sizeof bytes, MSG_DONTWAIT);
                if (n < 0)
                        return errno == EAGAIN ? 0 : -errno;
                const struct nlmsghdr *h = (void *) bytes;
                if (!NLMSG_OK(h, (size_t) n) || h->nlmsg_len < fixed)
                        continue;
                if (h->nlmsg_type != (NFNL_SUBSYS_ULOG << 8 | NFULNL_MSG_PACKET))
                        continue;
                if (!read_attributes(bytes + fixed, h->nlmsg_len - fixed, &denial))
                        continue;
                *ret_denial = denial;
                return 1;
        }
}
