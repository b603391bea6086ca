/* The host's side of filters with notices: a thread that waits for the calls that they hold up. */
#include <fcntl.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#include "internal.h"

#define EVENTS_MAX 32
/* What the eventfd that ends the thread is known by; serials have 32 bits. */
#define STOP_KEY UINT64_MAX

/* One container: first the socket that its listener comes through, then the listener. */
struct watched {
        struct watched *next;
        uint32_t serial;
        int fd; /* -EBADF once there is nothing more to come */
        bool is_listener, learns;
        uint8_t calls[HOB_CALLS_MAX / 8];
};

struct hob_watch {
        pthread_t thread;
        pthread_mutex_t lock; /* over what follows */
        struct watched *first;
        int epoll, stop, notices; /* notices: the pipe's end to write into */
        struct seccomp_notif_sizes sizes;
        struct seccomp_notif *notice;
        struct seccomp_notif_resp *answer;
};

static int watch_fd(const struct hob_watch *watch, int fd, uint64_t key) {
        struct epoll_event event = { .events = EPOLLIN, .data.u64 = key };
        return epoll_ctl(watch->epoll, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

/* Listens no more. The descriptor stays open: else the call that is held up would go on with ENOSYS. */
static void look_away(const struct hob_watch *watch, const struct watched *one) {
        (void) epoll_ctl(watch->epoll, EPOLL_CTL_DEL, one->fd, NULL);
}

static void take_listener(struct hob_watch *watch, struct watched *one) {
        uint32_t unused;
        int listener;
        int r = hob_receive(one->fd, &unused, &listener, 1);
        if (r == -EAGAIN || r == -EINTR)
                return;
        look_away(watch, one);
        close_fd(&one->fd);
        /* Without a listener the container is dying: its end of the socket is closed. */
        one->is_listener = r == 0;
        one->fd = r == 0 ? listener : -EBADF;
        if (r == 0)
                (void) watch_fd(watch, one->fd, one->serial);
}

static void remember(struct watched *one, int number) {
        if (number >= 0 && number < HOB_CALLS_MAX)
                one->calls[number / 8] = (uint8_t) (one->calls[number / 8] | 1U << number % 8);
}

static void let_pass(const struct hob_watch *watch, const struct watched *one) {
        memset(watch->answer, 0, watch->sizes.seccomp_notif_resp);
        watch->answer->id = watch->notice->id;
        watch->answer->flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
        /* A process that was killed meanwhile needs no answer. */
        (void) ioctl(one->fd, SECCOMP_IOCTL_NOTIF_SEND, watch->answer);
}

static void take_notice(struct hob_watch *watch, struct watched *one) {
        memset(watch->notice, 0, watch->sizes.seccomp_notif);
        /* -ENOENT: the process died before it was asked. */
        if (ioctl(one->fd, SECCOMP_IOCTL_NOTIF_RECV, watch->notice) < 0)
                return;
        remember(one, watch->notice->data.nr);
        if (one->learns) {
                let_pass(watch, one);
                return;
        }
        look_away(watch, one);
        const struct hob_notice said = { .serial = one->serial, .number = watch->notice->data.nr };
        (void) !write(watch->notices, &said, sizeof said);
}

static struct watched **find(struct hob_watch *watch, uint64_t key) {
        struct watched **at = &watch->first;
        while (*at && (*at)->serial != key)
                at = &(*at)->next;
        return at;
}

static void serve(struct hob_watch *watch, const struct epoll_event *event) {
        (void) pthread_mutex_lock(&watch->lock);
        /* It may have been removed since the event was given. */
        struct watched *one = *find(watch, event->data.u64);
        if (one && one->fd >= 0) {
                if (!one->is_listener)
                        take_listener(watch, one);
                else if (event->events & EPOLLIN)
                        take_notice(watch, one);
                else
                        look_away(watch, one); /* no process is left that the filter binds */
        }
        (void) pthread_mutex_unlock(&watch->lock);
}

static void *run(void *argument) {
        struct hob_watch *watch = argument;
        struct epoll_event events[EVENTS_MAX];
        for (;;) {
                int n = epoll_wait(watch->epoll, events, EVENTS_MAX, -1);
                for (int i = 0; i < n; i++) {
                        if (events[i].data.u64 == STOP_KEY)
                                return NULL;
                        serve(watch, &events[i]);
                }
        }
}

/* Signals are for the caller's threads. */
static int start_thread(struct hob_watch *watch) {
        sigset_t all, before;
        (void) sigfillset(&all);
        int r = pthread_sigmask(SIG_SETMASK, &all, &before);
        if (r != 0)
                return -r;
        r = pthread_create(&watch->thread, NULL, run, watch);
        (void) pthread_sigmask(SIG_SETMASK, &before, NULL);
        return -r;
}

static void release(struct hob_watch **watch) {
        if (!*watch)
                return;
        for (struct watched *one = (*watch)->first, *next; one; one = next) {
                next = one->next;
                close_fd(&one->fd);
                free(one);
        }
        close_fd(&(*watch)->epoll);
        close_fd(&(*watch)->stop);
        close_fd(&(*watch)->notices);
        free((*watch)->notice);
        free((*watch)->answer);
        free(*watch);
}

static int allocate_messages(struct hob_watch *watch) {
        if (syscall(SYS_seccomp, SECCOMP_GET_NOTIF_SIZES, 0, &watch->sizes) < 0)
                return -errno;
        /* An older kernel's are shorter than what we know of, a newer one's longer. */
        if (watch->sizes.seccomp_notif < sizeof *watch->notice)
                watch->sizes.seccomp_notif = sizeof *watch->notice;
        if (watch->sizes.seccomp_notif_resp < sizeof *watch->answer)
                watch->sizes.seccomp_notif_resp = sizeof *watch->answer;
        watch->notice = malloc(watch->sizes.seccomp_notif);
        watch->answer = malloc(watch->sizes.seccomp_notif_resp);
        return watch->notice && watch->answer ? 0 : -ENOMEM;
}

int hob_watch_open(struct hob_watch **ret_watch, int32_t *ret_notices, char *step) {
        __attribute__((cleanup(release))) struct hob_watch *watch = calloc(1, sizeof *watch);
        int pipe_fds[2] = { -EBADF, -EBADF };

        if (!watch)
                return failed(step, "watch memory", -ENOMEM);
        watch->lock = (pthread_mutex_t) PTHREAD_MUTEX_INITIALIZER;
        watch->epoll = watch->stop = watch->notices = -EBADF;
        STEP("watch messages", allocate_messages(watch));
        watch->epoll = epoll_create1(EPOLL_CLOEXEC);
        STEP("watch epoll", watch->epoll < 0 ? -errno : 0);
        watch->stop = eventfd(0, EFD_CLOEXEC);
        STEP("watch stop", watch->stop < 0 ? -errno : watch_fd(watch, watch->stop, STOP_KEY));
        STEP("watch pipe", pipe2(pipe_fds, O_CLOEXEC) < 0 ? -errno : 0);
        watch->notices = pipe_fds[1];
        _cleanup_close_ int notices = pipe_fds[0];
        STEP("watch thread", start_thread(watch));
        *ret_notices = take_fd(&notices);
        *ret_watch = watch;
        watch = NULL;
        return 0;
}

int hob_watch_add(struct hob_watch *watch, uint32_t serial, int end, int learns) {
        _cleanup_close_ int fd = end;
        struct watched *one = calloc(1, sizeof *one);
        if (!one)
                return -ENOMEM;
        *one = (struct watched) { .serial = serial, .fd = fd, .learns = learns != 0 };
        (void) pthread_mutex_lock(&watch->lock);
        int r = *find(watch, serial) ? -EEXIST : watch_fd(watch, fd, serial);
        if (r == 0) {
                one->next = watch->first;
                watch->first = one;
                (void) take_fd(&fd);
        }
        (void) pthread_mutex_unlock(&watch->lock);
        if (r < 0)
                free(one);
        return r;
}

int hob_watch_remove(struct hob_watch *watch, uint32_t serial, uint8_t *ret_calls) {
        (void) pthread_mutex_lock(&watch->lock);
        struct watched **at = find(watch, serial), *one = *at;
        if (one)
                *at = one->next;
        (void) pthread_mutex_unlock(&watch->lock);
        if (!one)
                return -ENOENT;
        if (ret_calls)
                memcpy(ret_calls, one->calls, sizeof one->calls);
        close_fd(&one->fd);
        free(one);
        return 0;
}

void hob_watch_close(struct hob_watch *watch) {
        if (!watch)
                return;
        const uint64_t one = 1;
        (void) !write(watch->stop, &one, sizeof one);
        (void) pthread_join(watch->thread, NULL);
        (void) pthread_mutex_destroy(&watch->lock);
        release(&watch);
}
