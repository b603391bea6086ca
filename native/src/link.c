/* Interfaces, addresses and routes, by rtnetlink. */
#include <arpa/inet.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <string.h>

#include "hob-network.h"
#include "internal.h"
#include "netlink.h"

/* An address of either family. */
struct address {
        uint8_t family;
        uint8_t bits;
        uint8_t bytes[sizeof(struct in6_addr)];
        size_t length;
};

static int read_address(const char *text, int prefix_bits, struct address *ret) {
        struct address a = { .family = AF_INET, .length = sizeof(struct in_addr), .bits = (uint8_t) prefix_bits };
        if (inet_pton(AF_INET, text, a.bytes) != 1) {
                a.family = AF_INET6;
                a.length = sizeof(struct in6_addr);
                if (inet_pton(AF_INET6, text, a.bytes) != 1)
                        return -EINVAL;
        }
        if (prefix_bits < 0 || (size_t) prefix_bits > 8 * a.length)
                return -EINVAL;
        *ret = a;
        return 0;
}

static int check_name(const char *name) {
        const size_t length = strlen(name);
        return length == 0 || length >= IFNAMSIZ ? -EINVAL : 0;
}

/* In the socket's namespace, which need not be the thread's. */
int hob_link_index(int route, const char *name) {
        struct request r = { 0 };
        const struct ifinfomsg any = { .ifi_family = AF_UNSPEC };
        struct {
                struct nlmsghdr header;
                struct ifinfomsg link;
        } answer;

        int result = check_name(name);
        if (result < 0)
                return result;
        request_message(&r, RTM_GETLINK, 0, &any, sizeof any);
        request_add_text(&r, IFLA_IFNAME, name);
        memset(&answer, 0, sizeof answer);
        result = netlink_ask(route, &r, &answer, sizeof answer);
        return result < 0 ? result : answer.link.ifi_index;
}

/* No link-local address made by the kernel: it would be probed for a second, and is of no use here. */
static void add_quiet_ipv6(struct request *r) {
        const uint8_t none = IN6_ADDR_GEN_MODE_NONE;
        const size_t families = request_open(r, IFLA_AF_SPEC);
        const size_t ipv6 = request_open(r, AF_INET6);
        request_add(r, IFLA_INET6_ADDR_GEN_MODE, &none, sizeof none);
        request_close(r, ipv6);
        request_close(r, families);
}

int hob_veth_create(int route, const char *name, const char *peer, int peer_namespace) {
        struct request r = { 0 };
        const struct ifinfomsg any = { .ifi_family = AF_UNSPEC };

        if (check_name(name) < 0 || check_name(peer) < 0)
                return -EINVAL;
        request_message(&r, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK, &any, sizeof any);
        request_add_text(&r, IFLA_IFNAME, name);
        const size_t info = request_open(&r, IFLA_LINKINFO);
        request_add_text(&r, IFLA_INFO_KIND, "veth");
        const size_t data = request_open(&r, IFLA_INFO_DATA);
        const size_t other = request_open(&r, VETH_INFO_PEER);
        /* The peer's own fixed part comes before its attributes. */
        const size_t before = r.length;
        if (!r.overflowed && sizeof r.bytes - before >= sizeof any) {
                memcpy(r.bytes + before, &any, sizeof any);
                r.length += NLMSG_ALIGN(sizeof any);
        }
        request_add_text(&r, IFLA_IFNAME, peer);
        request_add(&r, IFLA_NET_NS_FD, &peer_namespace, sizeof peer_namespace);
        request_close(&r, other);
        request_close(&r, data);
        request_close(&r, info);
        return netlink_ask(route, &r, NULL, 0);
}

int hob_link_up(int route, const char *name) {
        struct request r = { 0 };
        const int index = hob_link_index(route, name);
        if (index < 0)
                return index;
        const struct ifinfomsg up = { .ifi_index = index, .ifi_flags = IFF_UP, .ifi_change = IFF_UP };
        request_message(&r, RTM_NEWLINK, NLM_F_ACK, &up, sizeof up);
        add_quiet_ipv6(&r);
        return netlink_ask(route, &r, NULL, 0);
}

int hob_link_delete(int route, const char *name) {
        struct request r = { 0 };
        const struct ifinfomsg any = { .ifi_family = AF_UNSPEC };
        if (check_name(name) < 0)
                return -EINVAL;
        request_message(&r, RTM_DELLINK, NLM_F_ACK, &any, sizeof any);
        request_add_text(&r, IFLA_IFNAME, name);
        return netlink_ask(route, &r, NULL, 0);
}

int hob_address_add(int route, const char *name, const char *address, int prefix_bits) {
        struct request r = { 0 };
        struct address a;
        const uint32_t flags = IFA_F_NODAD;

        if (read_address(address, prefix_bits, &a) < 0)
                return -EINVAL;
        const int index = hob_link_index(route, name);
        if (index < 0)
                return index;
        const struct ifaddrmsg message = {
                .ifa_family = a.family,
                .ifa_prefixlen = a.bits,
                .ifa_index = (uint32_t) index,
        };
        request_message(&r, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK, &message, sizeof message);
        request_add(&r, IFA_LOCAL, a.bytes, a.length);
        request_add(&r, IFA_ADDRESS, a.bytes, a.length);
        if (a.family == AF_INET6)
                request_add(&r, IFA_FLAGS, &flags, sizeof flags);
        return netlink_ask(route, &r, NULL, 0);
}

int hob_route_add(int route, const char *name, const char *destination, int prefix_bits, const char *via) {
        struct request r = { 0 };
        struct address to, gateway;

        if (read_address(destination, prefix_bits, &to) < 0)
                return -EINVAL;
        if (via && (read_address(via, 0, &gateway) < 0 || gateway.family != to.family))
                return -EINVAL;
        const int index = hob_link_index(route, name);
        if (index < 0)
                return index;
        const struct rtmsg message = {
                .rtm_family = to.family,
                .rtm_dst_len = to.bits,
                .rtm_table = RT_TABLE_MAIN,
                .rtm_protocol = RTPROT_STATIC,
                .rtm_scope = via || to.family == AF_INET6 ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK,
                .rtm_type = RTN_UNICAST,
                .rtm_flags = via ? RTNH_F_ONLINK : 0,
        };
        request_message(&r, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK, &message, sizeof message);
        request_add(&r, RTA_DST, to.bytes, to.length);
        request_add(&r, RTA_OIF, &index, sizeof index);
        if (via)
                request_add(&r, RTA_GATEWAY, gateway.bytes, gateway.length);
        return netlink_ask(route, &r, NULL, 0);
}
