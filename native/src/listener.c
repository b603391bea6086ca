/*
 * Installing a filter with notices, inside the container. Its listener must reach the host before the first call that the
 * filter holds up, but from the installation on every call of this thread may be one. So another thread, which the filter
 * does not bind and which is gone before anything else runs here, takes the listener to the host.
 */
#include <limits.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/syscall.h>

#include "internal.h"

#define COURIER_STACK_BYTES (256 * 1024)
#define COURIER_PAUSE_US 20
#define NOT_YET INT_MIN

struct courier {
        int socket;
        atomic_int listener; /* NOT_YET, then the descriptor or -errno: told by memory, as every other way is a call */
        int result;
};

static void *carry(void *argument) {
        struct courier *courier = argument;
        int listener;
        while ((listener = atomic_load(&courier->listener)) == NOT_YET)
                usleep(COURIER_PAUSE_US);
        courier->result = listener < 0 ? listener : hob_send(courier->socket, 0, &listener, 1);
        return NULL;
}

static int install(const struct hob_filter *filter) {
        unsigned flags = SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;
        long listener = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &filter->program);
        if (listener < 0 && errno == EINVAL) { /* before Linux 5.19 a signal may interrupt a call that is held up */
                flags = SECCOMP_FILTER_FLAG_NEW_LISTENER;
                listener = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &filter->program);
        }
        return listener < 0 ? -errno : (int) listener;
}

static int start_courier(pthread_t *thread, struct courier *courier) {
        pthread_attr_t attributes;
        int r = pthread_attr_init(&attributes);
        if (r != 0)
                return -r;
        r = pthread_attr_setstacksize(&attributes, COURIER_STACK_BYTES);
        if (r == 0)
                r = pthread_create(thread, &attributes, carry, courier);
        (void) pthread_attr_destroy(&attributes);
        return -r;
}

int install_watched_filter(const struct hob_filter *filter, int socket) {
        struct courier courier = { .socket = socket, .listener = NOT_YET };
        pthread_t thread;

        int r = start_courier(&thread, &courier);
        if (r < 0)
                return r;
        int listener = install(filter);
        atomic_store(&courier.listener, listener);
        (void) pthread_join(thread, NULL);
        if (listener >= 0)
                (void) close(listener);
        (void) close(socket);
        return courier.result;
}
