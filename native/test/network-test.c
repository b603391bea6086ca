/*
 * The network functions of libhob under AddressSanitizer and UndefinedBehaviorSanitizer, in namespaces that it makes: each
 * works once, each refuses what it must, any bytes of a packet's log can be read, and no descriptor is left.
 */
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_log.h>
#include <linux/netlink.h>
#include <string.h>
#include <sys/socket.h>

#include "hob-network.h"
#include "testing.h"

#define FUZZ_ROUNDS 20000

static void test_namespaces(void) {
        static const char *const steps[] = { "home", "unshare", "namespace", "loopback" };
        const int before = count_fds();
        int home = hob_namespace_own();

        CHECK(home >= 0);
        for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
                setenv("HOB_PROBE", steps[i], 1);
                CHECK(hob_namespace_create(step) == -EIO && strcmp(step, steps[i]) == 0);
                CHECK(count_fds() == before + 1);
        }
        unsetenv("HOB_PROBE");
        CHECK(hob_namespace_enter(-1) == -EBADF && hob_namespace_enter(0) < 0);
        int fd = hob_namespace_create(step);
        CHECK(fd >= 0 && hob_namespace_enter(fd) == 0 && hob_namespace_enter(home) == 0);
        CHECK(hob_close(fd) == 0 && hob_close(home) == 0 && count_fds() == before);
}

static void test_links(int here) {
        const int before = count_fds();
        int there = hob_namespace_create(step);
        int routes = hob_netlink_open(NETLINK_ROUTE);

        CHECK(there >= 0 && routes >= 0);
        CHECK(hob_veth_create(routes, "a-name-that-is-too-long", "eth0", there) == -EINVAL);
        CHECK(hob_veth_create(routes, "", "eth0", there) == -EINVAL);
        CHECK(hob_veth_create(routes, "s1", "eth0", -1) == -EBADF);
        CHECK(hob_veth_create(routes, "s1", "eth0", there) == 0);
        CHECK(hob_veth_create(routes, "s1", "eth1", there) == -EEXIST);
        CHECK(hob_link_index(routes, "s1") > 0 && hob_link_index(routes, "s2") == -ENODEV);
        CHECK(hob_link_up(routes, "s1") == 0 && hob_link_up(routes, "s2") == -ENODEV);
        CHECK(hob_address_add(routes, "s1", "10.1.2.3", 32) == 0);
        CHECK(hob_address_add(routes, "s1", "10.1.2.3", 32) == -EEXIST);
        CHECK(hob_address_add(routes, "s1", "fd00::1", 128) == 0);
        CHECK(hob_address_add(routes, "s1", "10.1.2", 32) == -EINVAL);
        CHECK(hob_address_add(routes, "s1", "10.1.2.3", 33) == -EINVAL);
        CHECK(hob_address_add(routes, "s1", "fd00::1", -1) == -EINVAL);
        CHECK(hob_address_add(routes, "s2", "10.1.2.3", 32) == -ENODEV);
        CHECK(hob_route_add(routes, "s1", "10.9.0.0", 16, NULL) == 0);
        CHECK(hob_route_add(routes, "s1", "0.0.0.0", 0, "169.254.1.1") == 0);
        CHECK(hob_route_add(routes, "s1", "::", 0, "fe80::1") == 0);
        CHECK(hob_route_add(routes, "s1", "::", 0, "10.1.2.3") == -EINVAL);
        CHECK(hob_route_add(routes, "s1", "x", 0, NULL) == -EINVAL);
        CHECK(hob_route_add(routes, "s2", "10.8.0.0", 16, NULL) == -ENODEV);
        /* The other end is in the other namespace, and goes with this one. */
        CHECK(hob_namespace_enter(there) == 0);
        int others = hob_netlink_open(NETLINK_ROUTE);
        CHECK(hob_namespace_enter(here) == 0);
        CHECK(others >= 0 && hob_link_index(others, "eth0") > 0);
        CHECK(hob_link_delete(routes, "s1") == 0 && hob_link_delete(routes, "s1") == -ENODEV);
        CHECK(hob_link_index(others, "eth0") == -ENODEV);
        CHECK(hob_close(others) == 0 && hob_close(routes) == 0 && hob_close(there) == 0 && count_fds() == before);
}

static void test_packet_filter(void) {
        struct hob_element element = { .key = { 10, 1, 2, 3 }, .key_bytes = 4, .has_mark = 1, .mark = 7 };
        char long_name[4096];
        int filter = hob_netlink_open(NETLINK_NETFILTER);

        CHECK(filter >= 0);
        CHECK(hob_element_set(filter, "none", "set", &element) == -ENOENT);
        CHECK(hob_element_delete(filter, "none", "set", &element) == -ENOENT);
        CHECK(hob_table_delete(filter, "none") == -ENOENT);
        element.key_bytes = HOB_KEY_BYTES_MAX + 1;
        CHECK(hob_element_set(filter, "none", "set", &element) == -EINVAL);
        element.key_bytes = 0;
        CHECK(hob_element_set(filter, "none", "set", &element) == -EINVAL);
        memset(long_name, 'x', sizeof long_name - 1);
        long_name[sizeof long_name - 1] = '\0';
        CHECK(hob_table_delete(filter, long_name) == -EMSGSIZE);
        CHECK(hob_flows_delete(filter, 1, 0xffff) == 0);
        /* An answer that was not fetched is not taken for the next one. */
        CHECK(hob_table_delete(filter, "none") == -ENOENT && hob_flows_delete(filter, 1, 0xffff) == 0);
        CHECK(hob_close(filter) == 0);
}

static void test_sockets(void) {
        const int before = count_fds();
        int tcp = hob_socket_bind(1, "127.0.0.1", 4000);
        int udp = hob_socket_bind(0, "::1", 4000);

        CHECK(tcp >= 0 && udp >= 0);
        CHECK(hob_socket_bind(1, "127.0.0.1", 4000) == -EADDRINUSE);
        CHECK(hob_socket_bind(1, "10.77.77.77", 4000) == -EADDRNOTAVAIL);
        CHECK(hob_socket_bind(0, "localhost", 4000) == -EINVAL);
        CHECK(hob_socket_bind(0, "127.0.0.1", 65536) == -EINVAL && hob_socket_bind(0, "127.0.0.1", -1) == -EINVAL);
        CHECK(hob_close(tcp) == 0 && hob_close(udp) == 0 && count_fds() == before);
}

/* Sends a message to a netlink socket as if it came from the kernel. */
static void forge(int from, int to, const void *bytes, size_t count) {
        struct sockaddr_nl address;
        socklen_t length = sizeof address;
        CHECK(getsockname(to, (struct sockaddr *) &address, &length) == 0);
        CHECK(sendto(from, bytes, count, 0, (const struct sockaddr *) &address, sizeof address) == (ssize_t) count);
}

static size_t add_attribute(uint8_t *at, uint16_t type, const void *value, size_t bytes) {
        const struct nlattr attribute = { .nla_len = (uint16_t) (sizeof attribute + bytes), .nla_type = type };
        memcpy(at, &attribute, sizeof attribute);
        memcpy(at + sizeof attribute, value, bytes);
        return (sizeof attribute + bytes + 3) & ~(size_t) 3;
}

/* A log of one packet of TCP from 10.0.0.1 to 10.0.0.2:80. */
static size_t make_log(uint8_t *bytes) {
        static const uint8_t packet[] = { 0x45, 0, 0, 40, 0, 0, 0, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2, 0x12, 0x34, 0, 80 };
        static const uint8_t link[] = { 0, 0, 1, 2 };
        struct nlmsghdr header = { .nlmsg_type = NFNL_SUBSYS_ULOG << 8 | NFULNL_MSG_PACKET };
        const struct nfgenmsg message = { 0 };
        size_t n = sizeof header;
        memcpy(bytes + n, &message, sizeof message);
        n += sizeof message;
        n += add_attribute(bytes + n, NFULA_PREFIX, "host", 5);
        n += add_attribute(bytes + n, NFULA_IFINDEX_INDEV, link, sizeof link);
        n += add_attribute(bytes + n, NFULA_PAYLOAD, packet, sizeof packet);
        header.nlmsg_len = (uint32_t) n;
        memcpy(bytes, &header, sizeof header);
        return n;
}

static void test_denials(void) {
        _Alignas(struct nlmsghdr) uint8_t bytes[512] = { 0 };
        const int before = count_fds();
        struct hob_denial denial = { 0 };
        int log = hob_denials_open(1);
        int other = hob_netlink_open(NETLINK_NETFILTER);

        CHECK(log >= 0 && other >= 0);
        CHECK(hob_denials_open(1) == -EPERM);
        CHECK(hob_denials_read(log, &denial) == 0);
        const size_t n = make_log(bytes);
        forge(other, log, bytes, n);
        CHECK(hob_denials_read(log, &denial) == 1);
        CHECK(denial.protocol == 6 && denial.port == 80 && denial.link == 258 && strcmp(denial.prefix, "host") == 0);
        CHECK(strcmp(denial.source, "10.0.0.1") == 0 && strcmp(denial.destination, "10.0.0.2") == 0);
        srand(1);
        for (int round = 0; round < FUZZ_ROUNDS; round++) {
                uint8_t damaged[sizeof bytes];
                memcpy(damaged, bytes, sizeof damaged);
                const size_t length = round % 4 == 0 ? (size_t) rand() % n + 1 : n;
                for (int i = rand() % 6; i > 0; i--)
                        damaged[(size_t) rand() % n] = (uint8_t) rand();
                forge(other, log, damaged, length);
                struct hob_denial read = { 0 };
                int r = hob_denials_read(log, &read);
                CHECK(r == 0 || r == 1);
                CHECK(memchr(read.prefix, 0, sizeof read.prefix) && memchr(read.source, 0, sizeof read.source));
        }
        CHECK(hob_close(log) == 0 && hob_close(other) == 0 && count_fds() == before);
}

int main(void) {
        const int before = count_fds();
        int here = hob_namespace_create(step);
        CHECK(here >= 0 && hob_namespace_enter(here) == 0);
        test_namespaces();
        test_links(here);
        test_packet_filter();
        test_sockets();
        test_denials();
        CHECK(hob_close(here) == 0 && count_fds() == before);
        printf("%d checks passed\n", checks);
        return 0;
}
