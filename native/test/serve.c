/* hob_serve() with requests that are none: each is refused, the next one is served, and nothing is left. */
#include <string.h>
#include <sys/socket.h>

#include "testing.h"

#define FORK_BYTES 64
#define N_CGROUPS_AT 56
#define FILTER_BYTES_AT 60

static int control[2], channel[2];

static void ask(uint32_t serial, const void *request, uint32_t bytes) {
        const uint32_t header[2] = { bytes, serial };
        CHECK(write(control[0], header, sizeof header) == sizeof header);
        CHECK(bytes == 0 || write(control[0], request, bytes) == bytes);
}

/* What hob_serve() returns; behind a refused request it finds a text. */
static int serve(char *ret_text, uint32_t bytes_max) {
        const struct hob_server server = { .control = control[1], .channel = channel[1], .inside_uid = 1000, .loop_fds = { -1 } };
        return hob_serve(&server, (uint8_t *) ret_text, bytes_max);
}

static void check_refused(const void *request, uint32_t bytes, const char *why) {
        char text[256], expected[256], said[256];
        ask(7, request, bytes);
        ask(0, "next", 4);
        CHECK(serve(text, sizeof text) == 4 && memcmp(text, "next", 4) == 0);
        ssize_t n = recv(control[0], said, sizeof said - 1, MSG_DONTWAIT);
        CHECK(n > 0);
        said[n] = '\0';
        (void) snprintf(expected, sizeof expected, "{\"op\":\"failed\",\"serial\":7,\"message\":\"%s\"}\n", why);
        CHECK(strcmp(said, expected) == 0);
}

void test_serve(void) {
        /* The texts: root, host name and network, four that may be empty, no cgroups. */
        static const char texts[] = "/root\0host\0/netns\0\0\0\0";
        char request[FORK_BYTES + sizeof texts + 8] = { 0 }, text[256];
        const uint32_t whole = FORK_BYTES + sizeof texts;
        const int before = count_fds();
        int stranger = 0;

        CHECK(hob_channel(0, channel) == 0 && socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, control) == 0);
        memcpy(request + FORK_BYTES, texts, sizeof texts);

        for (uint32_t bytes = 1; bytes < whole; bytes++)
                check_refused(request, bytes, "request: EBADMSG");
        check_refused(request, whole + 1, "request: EBADMSG");
        request[N_CGROUPS_AT] = HOB_CGROUPS_MAX;
        check_refused(request, whole, "request: E2BIG");
        request[N_CGROUPS_AT] = 1;
        check_refused(request, whole, "request: EBADMSG");
        request[N_CGROUPS_AT] = 0;
        request[FILTER_BYTES_AT] = 8;
        check_refused(request, whole, "request: EBADMSG");
        check_refused(request, whole + 8, "notices: EAGAIN");
        CHECK(hob_send(channel[0], 6, &stranger, 1) == 0);
        check_refused(request, whole + 8, "notices: EAGAIN");
        request[FILTER_BYTES_AT] = 7;
        CHECK(hob_send(channel[0], 6, &stranger, 1) == 0 && hob_send(channel[0], 7, &stranger, 1) == 0);
        check_refused(request, whole + 7, "filter: EINVAL");

        ask(7, request, 0);
        CHECK(serve(text, sizeof text) == -EMSGSIZE);
        ask(7, request, whole);
        CHECK(serve(text, whole - 1) == -EMSGSIZE);
        CHECK(recv(control[1], text, sizeof text, 0) == whole);
        const uint32_t header[2] = { whole, 7 };
        CHECK(write(control[0], header, sizeof header) == sizeof header && write(control[0], request, 9) == 9);
        CHECK(shutdown(control[0], SHUT_WR) == 0);
        CHECK(serve(text, sizeof text) == -ENODATA && serve(text, sizeof text) == -ENODATA);
        for (int i = 0; i < 2; i++)
                CHECK(close(control[i]) == 0 && close(channel[i]) == 0);
        CHECK(serve(text, sizeof text) == -EBADF && count_fds() == before);
}
