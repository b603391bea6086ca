#include "netlink.h"

#include <arpa/inet.h>
#include <string.h>
#include <sys/socket.h>

#include "hob-network.h"
#include "internal.h"

static void append(struct request *r, const void *data, size_t bytes) {
        const size_t padded = NLMSG_ALIGN(bytes);
        if (r->overflowed || padded > sizeof r->bytes - r->length) {
                r->overflowed = 1;
                return;
        }
        memset(r->bytes + r->length, 0, padded);
        if (bytes > 0)
                memcpy(r->bytes + r->length, data, bytes);
        r->length += padded;
}

static void settle_length(struct request *r) {
        if (r->overflowed)
                return;
        struct nlmsghdr *header = (void *) (r->bytes + r->message);
        header->nlmsg_len = (uint32_t) (r->length - r->message);
}

void request_message(struct request *r, uint16_t type, uint16_t flags, const void *fixed, size_t bytes) {
        const struct nlmsghdr header = { .nlmsg_type = type, .nlmsg_flags = (uint16_t) (flags | NLM_F_REQUEST) };
        r->message = r->length;
        append(r, &header, sizeof header);
        append(r, fixed, bytes);
        settle_length(r);
}

void request_add(struct request *r, uint16_t type, const void *data, size_t bytes) {
        const struct nlattr attribute = { .nla_len = (uint16_t) (sizeof attribute + bytes), .nla_type = type };
        append(r, &attribute, sizeof attribute);
        append(r, data, bytes);
        settle_length(r);
}

void request_add_text(struct request *r, uint16_t type, const char *text) {
        request_add(r, type, text, strlen(text) + 1);
}

void request_add_be32(struct request *r, uint16_t type, uint32_t value) {
        const uint32_t swapped = htonl(value);
        request_add(r, type, &swapped, sizeof swapped);
}

size_t request_open(struct request *r, uint16_t type) {
        const size_t at = r->length;
        request_add(r, type | NLA_F_NESTED, NULL, 0);
        return at;
}

void request_close(struct request *r, size_t at) {
        if (r->overflowed)
                return;
        struct nlattr *attribute = (void *) (r->bytes + at);
        attribute->nla_len = (uint16_t) (r->length - at);
}

/* The kernel answers while it takes the request, so whatever it has to say is there. */
static int take_answer(int fd, void *answer, size_t answer_bytes) {
        _Alignas(struct nlmsghdr) uint8_t bytes[8192];
        for (;;) {
                ssize_t n = recv(fd, bytes, sizeof bytes, MSG_DONTWAIT);
                if (n < 0)
                        return -errno;
                size_t left = (size_t) n;
                for (const struct nlmsghdr *h = (void *) bytes; NLMSG_OK(h, left); h = NLMSG_NEXT(h, left)) {
                        if (h->nlmsg_type == NLMSG_ERROR)
                                return ((const struct nlmsgerr *) NLMSG_DATA(h))->error;
                        if (!answer)
                                continue;
                        const size_t held = h->nlmsg_len < answer_bytes ? h->nlmsg_len : answer_bytes;
                        memcpy(answer, h, held);
                        return 0;
                }
        }
}

/* What is left of an answer that had more than one part must not be taken for the next one. */
static void forget_answers(int fd) {
        uint8_t byte;
        while (recv(fd, &byte, sizeof byte, MSG_DONTWAIT) >= 0)
                ;
}

int netlink_ask(int fd, struct request *r, void *answer, size_t answer_bytes) {
        if (r->overflowed)
                return -EMSGSIZE;
        forget_answers(fd);
        const struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
        ssize_t n = sendto(fd, r->bytes, r->length, 0, (const struct sockaddr *) &kernel, sizeof kernel);
        if (n < 0)
                return -errno;
        return take_answer(fd, answer, answer_bytes);
}

int hob_netlink_open(int protocol) {
        int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);
        return fd < 0 ? -errno : fd;
}
