/*
 * hob-network - namespaces, links, packet-filter elements and their log, for containers' networks.
 *
 * Used by the process that makes containers, as root in the initial user namespace. The order of use:
 *
 *   once:            hob_namespace_create()                      a namespace to route through
 *                    hob_netlink_open() in each namespace        then links, addresses and routes by that socket
 *                    hob_socket_bind(), hob_denials_open()       sockets that belong to a namespace
 *   per container:   hob_namespace_create()                      its own namespace, given to hob_enter() by hob_spec.netns
 *                    hob_veth_create()                           where it may reach something
 *                    hob_element_set()                           what it may reach
 *                    hob_flows_delete()                          when it is gone
 *
 * Every function returns 0 or a descriptor (close-on-exec, the caller's), or -errno. None waits: the kernel's answer to a
 * request is there when the request returns. Not thread-safe: hob_namespace_enter() moves the calling thread only.
 */
#ifndef HOB_NETWORK_H
#define HOB_NETWORK_H

#include <stdint.h>

#include "hob.h"

#define HOB_KEY_BYTES_MAX 24
#define HOB_ADDRESS_CHARS 46
#define HOB_PREFIX_CHARS 32

/* hob_namespace_own - a descriptor of the calling thread's network namespace. */
HOB_API int hob_namespace_own(void);

/*
 * hob_namespace_create - a new network namespace, with its loopback interface up. The calling thread visits it and comes
 * back; a thread that cannot come back aborts the process. The namespace lives as long as a descriptor or process has it.
 */
HOB_API int hob_namespace_create(char *step);

/* hob_namespace_enter - moves the calling thread into a network namespace. */
HOB_API int hob_namespace_enter(int fd);

/* hob_netlink_open - a netlink socket (NETLINK_ROUTE, NETLINK_NETFILTER) of the namespace that the thread is in. */
HOB_API int hob_netlink_open(int protocol);

/*
 * hob_veth_create - two connected interfaces. @name appears in the namespace of @route, @peer in that of @peer_namespace.
 * Neither has addresses of its own making. Interfaces' names have 1..15 characters. -EEXIST: @name is taken.
 */
HOB_API int hob_veth_create(int route, const char *name, const char *peer, int peer_namespace);

HOB_API int hob_link_up(int route, const char *name);

/* hob_link_index - the number of an interface, positive, as packets' logs have it. */
HOB_API int hob_link_index(int route, const char *name);

/* hob_link_delete - and its peer, and every address and route of both. */
HOB_API int hob_link_delete(int route, const char *name);

/* hob_address_add - @address is IPv4 or IPv6 in text; an IPv6 one is usable at once (no duplicate detection). */
HOB_API int hob_address_add(int route, const char *name, const char *address, int prefix_bits);

/* hob_route_add - @via NULL: the destination is on the link itself. A @via need not be in any of the link's networks. */
HOB_API int hob_route_add(int route, const char *name, const char *destination, int prefix_bits, const char *via);

/* One element of a set or map of a table of family inet. */
struct hob_element {
        uint8_t key[HOB_KEY_BYTES_MAX];     /* as the kernel has it: fields in network order, each padded to 4 bytes */
        uint8_t key_end[HOB_KEY_BYTES_MAX]; /* last key of a range, field by field */
        uint32_t key_bytes;
        uint32_t has_end;    /* not 0: key_end counts */
        uint32_t has_mark;   /* not 0: the set is a map to marks, and mark counts */
        uint32_t mark;
        uint32_t timeout_ms; /* 0: none */
};

/* hob_element_set - adds an element, or changes nothing when it is there. -ENOENT: no such table or set. */
HOB_API int hob_element_set(int netfilter, const char *table, const char *set, const struct hob_element *element);

/* hob_element_delete - @element's key is enough. -ENOENT: it is not there. */
HOB_API int hob_element_delete(int netfilter, const char *table, const char *set, const struct hob_element *element);

/* hob_table_delete - a table of family inet with all that is in it. -ENOENT: there is none. */
HOB_API int hob_table_delete(int netfilter, const char *table);

/* hob_flows_delete - forgets the tracked connections whose mark, under @mask, is @mark. */
HOB_API int hob_flows_delete(int netfilter, uint32_t mark, uint32_t mask);

/* One packet that a rule with "log group" told of. */
struct hob_denial {
        uint32_t protocol;                    /* 6 TCP, 17 UDP, ... */
        uint32_t link;                        /* number of the interface that it came in by, 0 for none */
        uint32_t port;                        /* destination port, 0 when the protocol has none or it cannot be seen */
        char source[HOB_ADDRESS_CHARS];       /* in text */
        char destination[HOB_ADDRESS_CHARS];  /* in text */
        char prefix[HOB_PREFIX_CHARS];        /* what the rule says */
};

/* hob_denials_open - a socket that gets what rules of the thread's namespace log to a group. */
HOB_API int hob_denials_open(int group);

/*
 * hob_denials_read - the next one, without waiting. Returns 1, or 0 when there is none now. Packets that are neither
 * IPv4 nor IPv6 are passed over. -ENOBUFS: some were lost; go on reading.
 */
HOB_API int hob_denials_read(int fd, struct hob_denial *ret_denial);

/*
 * hob_socket_bind - a socket of the thread's namespace, bound to an address.
 * @stream: 1 for TCP, which then listens; 0 for UDP.
 */
HOB_API int hob_socket_bind(int stream, const char *address, int port);

#endif
