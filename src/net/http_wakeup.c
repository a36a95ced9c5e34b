/*
 * http_wakeup.c - another thread wakes a loop.
 *
 * Not uv_async_send: a loop that meets a send half done turns round until it is whole.  The write of the eventfd wakes
 * the loop, the loop takes the sender's core, and with many runnable programs the sender gets it back late: half of the
 * loop's CPU went there, and answers waited up to 0.9 s.  Here a wake-up is one write, and nobody waits for its end.
 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>
#if defined(__linux__)
#include <sys/eventfd.h>
#endif

#include "base/assert.h"
#include "net/http_internal.h"

static void on_readable(uv_poll_t *poll, int status, int events)
{
    struct http_wakeup *w = poll->data;
    uint64_t sink[8];
    (void)status, (void)events;
    while (read(w->fds[0], sink, sizeof sink) ==
           (ssize_t)sizeof sink) /* a pipe may hold more; an eventfd has 8 bytes */
        ;
    w->run(w->loop);
}

static int open_pair(int fds[2])
{
#if defined(__linux__)
    fds[0] = fds[1] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    return fds[0] < 0 ? -errno : 0;
#else
    if (pipe(fds) != 0)
        return -errno;
    for (int i = 0; i < 2; i++) {
        fcntl(fds[i], F_SETFD, FD_CLOEXEC);
        fcntl(fds[i], F_SETFL, O_NONBLOCK);
    }
    return 0;
#endif
}

int http_wakeup_init(struct http_wakeup *w, struct http_loop *loop, uv_loop_t *uv, void (*run)(struct http_loop *loop))
{
    *w = (struct http_wakeup){.loop = loop, .run = run};
    int failed = open_pair(w->fds);
    if (failed == 0)
        failed = uv_poll_init(uv, &w->poll, w->fds[0]);
    w->poll.data = w;
    return failed ? failed : uv_poll_start(&w->poll, UV_READABLE, on_readable);
}

void http_wakeup_send(struct http_wakeup *w)
{
    uint64_t one = 1;
    ssize_t written;
    do
        written = write(w->fds[1], &one, sizeof one);
    while (written < 0 && errno == EINTR);
    assert(written == (ssize_t)sizeof one || errno == EAGAIN); /* full: it is awake or will be */
}

void http_wakeup_close(struct http_wakeup *w)
{
    uv_close((uv_handle_t *)&w->poll, NULL);
}

void http_wakeup_deinit(struct http_wakeup *w)
{
    close(w->fds[0]);
    if (w->fds[1] != w->fds[0])
        close(w->fds[1]);
}
