/* What a zygote does all its life: requests are read and containers forked, with nothing of the program that it is run by. */
#include <string.h>

#include "internal.h"

/* What a request begins with. The host is a process of the same machine: numbers are as this one has them. */
struct header {
        uint32_t bytes;  /* of what follows */
        uint32_t serial; /* 0: not for a fork, and left to the caller */
};

/* A fork follows with this and then, each ended by a NUL, the texts of take_texts(); then with @filter_bytes bytes. */
struct fork_request {
        uint64_t tmp_bytes;
        uint64_t tmp_inodes;
        uint64_t shm_bytes;
        uint64_t nofile_max;
        uint64_t nproc_max;
        uint64_t file_bytes_max;
        uint32_t host_uid;
        uint32_t tcp_allowed;
        uint32_t n_cgroups;
        uint32_t filter_bytes; /* a filter with notices in place of the zygote's; 0: none */
};

/* What is left to be read of a request. */
struct rest {
        const uint8_t *at;
        size_t bytes;
};

/* A filter for one container, and the socket that its listener leaves through. */
struct own_filter {
        struct hob_filter *filter;
        int notices_fd;
};

static void own_filter_free(struct own_filter *own) {
        hob_filter_free(own->filter);
        close_fd(&own->notices_fd);
}

/* Returns 1, 0 at the end of the stream, or -errno. */
static int read_all(int fd, void *ret, size_t bytes) {
        for (size_t done = 0; done < bytes;) {
                ssize_t n = read(fd, (uint8_t *) ret + done, bytes - done);
                if (n == 0)
                        return 0;
                if (n < 0 && errno != EINTR)
                        return -errno;
                if (n > 0)
                        done += (size_t) n;
        }
        return 1;
}

static int write_all(int fd, const char *text, size_t bytes) {
        while (bytes > 0) {
                ssize_t n = write(fd, text, bytes);
                if (n < 0 && errno != EINTR)
                        return -errno;
                if (n > 0) {
                        text += n;
                        bytes -= (size_t) n;
                }
        }
        return 0;
}

static const char *take_text(struct rest *rest) {
        const uint8_t *end = memchr(rest->at, '\0', rest->bytes);
        if (!end)
                return NULL;
        const char *text = (const char *) rest->at;
        rest->bytes -= (size_t) (end + 1 - rest->at);
        rest->at = end + 1;
        return text;
}

/* An empty text stands for none, where there may be none. */
static int take_texts(struct rest *rest, uint32_t n_cgroups, struct hob_spec *spec) {
        const char **needed[] = { &spec->root, &spec->hostname, &spec->netns };
        const char **optional[] = { &spec->cgroup2_dir, &spec->apparmor_profile, &spec->selinux_context, &spec->selinux_files };
        for (size_t i = 0; i < sizeof needed / sizeof *needed; i++)
                if (!(*needed[i] = take_text(rest)))
                        return -EBADMSG;
        for (size_t i = 0; i < sizeof optional / sizeof *optional; i++) {
                if (!(*optional[i] = take_text(rest)))
                        return -EBADMSG;
                if (**optional[i] == '\0')
                        *optional[i] = NULL;
        }
        if (n_cgroups >= HOB_CGROUPS_MAX)
                return -E2BIG;
        for (uint32_t i = 0; i < n_cgroups; i++)
                if (!(spec->cgroup_dirs[i] = take_text(rest)))
                        return -EBADMSG;
        return 0;
}

/* Leaves the bytes of the filter. */
static int take_spec(const struct hob_server *server, struct rest *rest, struct hob_spec *ret) {
        struct fork_request request;
        if (rest->bytes < sizeof request)
                return -EBADMSG;
        memcpy(&request, rest->at, sizeof request);
        rest->at += sizeof request;
        rest->bytes -= sizeof request;
        *ret = (struct hob_spec){
                .host_uid = request.host_uid,
                .inside_uid = server->inside_uid,
                .tmp_bytes = request.tmp_bytes,
                .tmp_inodes = request.tmp_inodes,
                .shm_bytes = request.shm_bytes,
                .nofile_max = request.nofile_max,
                .nproc_max = request.nproc_max,
                .file_bytes_max = request.file_bytes_max,
                .clock_start_ns = server->clock_start_ns,
                .tcp_allowed = request.tcp_allowed,
                .frames_fd = server->frames_fd,
        };
        memcpy(ret->loop_fds, server->loop_fds, sizeof ret->loop_fds);
        int r = take_texts(rest, request.n_cgroups, ret);
        return r < 0 ? r : rest->bytes == request.filter_bytes ? 0 : -EBADMSG;
}

/* The socket has come over the channel before the request. What came with another number is of a request that never did. */
static int take_notices_socket(int channel, uint32_t serial) {
        for (;;) {
                uint32_t came = 0;
                int32_t fd = -EBADF;
                int r = hob_receive(channel, &came, &fd, 1);
                if (r < 0)
                        return r;
                if (came == serial)
                        return fd;
                close_fd(&fd);
        }
}

/* Returns the pid, 0 in the child, which is inside its container, or -errno in the caller. */
static int serve_fork(const struct hob_server *server, uint32_t serial, struct rest rest, char *step) {
        __attribute__((cleanup(own_filter_free))) struct own_filter own = { NULL, -EBADF };
        int32_t pipes[HOB_PIPES] = { -1, -1, -1, -1 };
        const struct hob_filter *filter = server->filter;
        struct hob_spec spec;

        STEP("request", take_spec(server, &rest, &spec));
        if (rest.bytes > 0) {
                own.notices_fd = take_notices_socket(server->channel, serial);
                STEP("notices", own.notices_fd < 0 ? own.notices_fd : 0);
                STEP("filter", hob_filter_read(rest.at, (uint32_t) rest.bytes, &own.filter));
                spec.notices_fd = own.notices_fd;
                filter = own.filter;
        }
        int pid = hob_fork_into(&spec, filter, server->channel, serial, pipes, step);
        if (pid == 0)
                own.notices_fd = -EBADF; /* closed with all others */
        if (pid < 0 && pipes[HOB_PIPE_STDERR] >= 0)
                leave_unentered(pipes, step, pid);
        return pid;
}

static int answer(int control, uint32_t serial, int pid, const char *step) {
        char text[HOB_STEP_BYTES + 128];
        int n = pid > 0 ? snprintf(text, sizeof text, "{\"op\":\"done\",\"serial\":%u,\"pid\":%d}\n", serial, pid) :
                          snprintf(text, sizeof text, "{\"op\":\"failed\",\"serial\":%u,\"message\":\"%s: %s\"}\n", serial,
                                   step, strerrorname_np(-pid));
        return write_all(control, text, (size_t) n);
}

int hob_serve(const struct hob_server *server, uint8_t *ret_text, uint32_t bytes_max) {
        for (;;) {
                struct header header;
                char step[HOB_STEP_BYTES];

                int r = read_all(server->control, &header, sizeof header);
                if (r > 0 && (header.bytes == 0 || header.bytes > bytes_max))
                        return -EMSGSIZE;
                if (r > 0)
                        r = read_all(server->control, ret_text, header.bytes);
                if (r <= 0)
                        return r < 0 ? r : -ENODATA;
                if (header.serial == 0)
                        return (int) header.bytes;
                int pid = serve_fork(server, header.serial, (struct rest) { ret_text, header.bytes }, step);
                if (pid == 0)
                        return 0;
                r = answer(server->control, header.serial, pid, step);
                if (r < 0)
                        return r;
        }
}
