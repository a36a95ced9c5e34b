/*
 * http_accept.c - one thread accepts and hands each socket to the loop with the fewest connections.
 *
 * Not SO_REUSEPORT: the kernel's hash puts 8 connections 2:6 on two loops in every fourth start, and a
 * sender keeps its connections for days.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/log.h"
#include "net/http_address_internal.h"
#include "net/http_internal.h"

enum { ACCEPT_BATCH = 64, ACCEPT_PAUSE_NS = 20000000 };
static const int64_t WARN_EVERY_NS = 10000000000;

static struct http_loop *loop_choose(struct http_server *s, unsigned *open)
{
    struct http_loop *best = &s->loops[0];
    unsigned least = UINT32_MAX;
    *open = 0;
    for (unsigned i = 0; i < s->loop_count; i++) {
        unsigned n = atomic_load_explicit(&s->loops[i].connections, memory_order_relaxed);
        *open += n;
        if (n < least) {
            least = n;
            best = &s->loops[i];
        }
    }
    return best;
}

static void turn_away(struct http_server *s, int fd)
{
    static const char text[] =
        "HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain; charset=utf-8\r\n"
        "Content-Length: 21\r\nRetry-After: 1\r\nConnection: close\r\n\r\ntoo many connections\n";
    ssize_t n = send(fd, text, sizeof text - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
    (void)n; /* the refusal is a courtesy */
    close(fd);
    http_count(&s->stats.connections_refused, 1);
}

static void take(struct http_server *s, int fd, const struct sockaddr_storage *address)
{
    unsigned open;
    int one = 1;
    struct http_loop *loop = loop_choose(s, &open);
    if (open >= s->options.connections_max) {
        turn_away(s, fd);
        return;
    }
    struct http_socket socket = {.fd = fd};
    http_address_format(address, socket.peer, sizeof socket.peer);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    atomic_fetch_add(&loop->connections, 1);
    http_count(&s->stats.connections, 1);
    http_count(&s->stats.connections_open, 1);
    http_loop_give(loop, &socket);
}

/* No descriptor or memory is left: without this the client would wait for ever and the listener stay readable. */
static void accept_exhausted(struct http_acceptor *a, int listener, int error)
{
    int64_t now_ns = http_now_ns(a->server);
    if (!a->warned_ns || now_ns - a->warned_ns > WARN_EVERY_NS)
        log_warn("net", "cannot accept, turning connections away", "error=\"%s\" open=%llu", strerror(error),
                 (unsigned long long)atomic_load(&a->server->stats.connections_open));
    a->warned_ns = now_ns;
    if (a->reserve_fd >= 0) {
        close(a->reserve_fd);
        int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0)
            turn_away(a->server, fd);
    }
    a->reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    a->server->options.clock->sleep_ns(a->server->options.clock, ACCEPT_PAUSE_NS); /* this thread only accepts */
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    struct http_acceptor *a = poll->loop->data;
    struct http_listener *l = poll->data;
    (void)status;
    (void)events;
    for (int i = 0; i < ACCEPT_BATCH; i++) {
        struct sockaddr_storage address = {0};
        socklen_t bytes = sizeof address;
        int fd = accept4(l->fd, (struct sockaddr *)&address, &bytes, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            take(a->server, fd, &address);
        } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            accept_exhausted(a, l->fd, errno);
            return;
        } else if (errno != ECONNABORTED && errno != EINTR) {
            return;
        }
    }
}

static void on_stop(uv_async_t *stop)
{
    struct http_acceptor *a = stop->data;
    for (size_t i = 0; i < a->count; i++)
        uv_close((uv_handle_t *)&a->listeners[i].poll, NULL);
    uv_close((uv_handle_t *)stop, NULL);
}

static void *acceptor_run(void *arg)
{
    struct http_acceptor *a = arg;
    uv_run(&a->uv, UV_RUN_DEFAULT);
    return NULL;
}

static enum err listeners_open(struct http_acceptor *a, const char *addresses, struct errmsg *why)
{
    struct slice rest = slice_str(addresses);
    size_t capacity = 0;
    while (rest.len) {
        const uint8_t *comma = memchr(rest.data, ',', rest.len);
        size_t n = comma ? (size_t)(comma - rest.data) : rest.len;
        struct http_address address;
        int fd;
        TRY(http_address_parse(slice_of(rest.data, n), &address, why));
        TRY(http_address_listen(&address, &fd, why));
        a->listeners = mem_grow(a->listeners, &capacity, a->count + 1, sizeof *a->listeners);
        a->listeners[a->count++].fd = fd;
        rest = comma ? slice_from(rest, n + 1) : (struct slice){0};
    }
    return a->count ? ERR_OK : err_set(why, ERR_INVALID, "no listen address");
}

static void listeners_close(struct http_acceptor *a)
{
    for (size_t i = 0; i < a->count; i++)
        close(a->listeners[i].fd);
    mem_free(a->listeners);
    a->listeners = NULL;
    a->count = 0;
}

enum err http_listen_check(const char *addresses, struct errmsg *why)
{
    struct http_acceptor a = {0};
    enum err err = listeners_open(&a, addresses, why);
    listeners_close(&a);
    return err;
}

enum err http_acceptor_open(struct http_acceptor *a, struct http_server *s, struct errmsg *why)
{
    a->server = s;
    enum err err = listeners_open(a, s->options.listen_address, why);
    if (err != ERR_OK) {
        listeners_close(a);
        return err;
    }
    a->port = http_address_port(a->listeners[0].fd);
    return ERR_OK;
}

void http_acceptor_start(struct http_acceptor *a)
{
    int failed = uv_loop_init(&a->uv);
    assert(!failed);
    a->uv.data = a;
    failed = uv_async_init(&a->uv, &a->stop, on_stop);
    assert(!failed);
    a->stop.data = a;
    a->reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    for (size_t i = 0; i < a->count; i++) {
        struct http_listener *l = &a->listeners[i];
        failed = uv_poll_init(&a->uv, &l->poll, l->fd);
        assert(!failed); /* a fresh listening socket can be polled */
        failed = uv_poll_start(&l->poll, UV_READABLE, on_readable);
        assert(!failed);
        l->poll.data = l;
    }
    a->thread = thread_start("http-accept", acceptor_run, a);
}

void http_acceptor_stop(struct http_acceptor *a)
{
    uv_async_send(&a->stop);
    pthread_join(a->thread, NULL);
    int closed = uv_loop_close(&a->uv);
    assert(closed == 0);
    if (a->reserve_fd >= 0)
        close(a->reserve_fd);
    listeners_close(a);
}
