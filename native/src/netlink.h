/* Building netlink requests, and asking the kernel. */
#ifndef HOB_NETLINK_H
#define HOB_NETLINK_H

#include <linux/netlink.h>
#include <stddef.h>
#include <stdint.h>

#define REQUEST_BYTES 2048

/* One or more messages on their way to the kernel. What does not fit is counted and refused by netlink_ask(). */
struct request {
        _Alignas(struct nlmsghdr) uint8_t bytes[REQUEST_BYTES];
        size_t length;
        size_t message; /* where the last message starts */
        int overflowed;
};

/* Starts a message with its fixed part. NLM_F_REQUEST is added. */
void request_message(struct request *r, uint16_t type, uint16_t flags, const void *fixed, size_t bytes);
void request_add(struct request *r, uint16_t type, const void *data, size_t bytes);
void request_add_text(struct request *r, uint16_t type, const char *text);
/* A number of 32 bits in network order, as netfilter wants them. */
void request_add_be32(struct request *r, uint16_t type, uint32_t value);
/* Opens an attribute that holds others, until request_close() of what this gives. */
size_t request_open(struct request *r, uint16_t type);
void request_close(struct request *r, size_t at);

/*
 * Sends the messages and reads the kernel's answer: 0, or the first error. An answer other than an acknowledgement is
 * copied to @answer when that is not NULL, at most @answer_bytes of it.
 */
int netlink_ask(int fd, struct request *r, void *answer, size_t answer_bytes);

#endif
