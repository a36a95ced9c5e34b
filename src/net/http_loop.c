/*
 * http_loop.c - the event loops: what other threads post, new sockets, the sweep, the end.
 *
 * A post pushes the connection on a lock-free list and wakes the loop only when the list was empty:
 * many answers and wakes (a WAL commit acknowledges dozens of requests) cost one eventfd write.
 *
 * Deadlines are checked by one timer per loop that walks all connections, not by a timer each: a walk
 * over 10,000 costs 0.1 ms, arming and stopping timers for each request would cost more.
 */
#include "base/assert.h"
#include "base/log.h"
#include "net/http_internal.h"

enum { SWEEP_MS_MIN = 5, SWEEP_MS_MAX = 250 };

int64_t http_now_ns(const struct http_server *s)
{
    return clock_mono_ns(s->options.clock);
}

bool http_loop_is_current(const struct http_loop *loop)
{
    return pthread_equal(loop->self, pthread_self());
}

/* ---- posts ---- */

void http_loop_post(struct http_conn *c, unsigned event)
{
    struct http_loop *loop = c->loop; /* c may be freed as soon as the loop sees it */
    if (atomic_fetch_or_explicit(&c->events, event | EVENT_POSTED, memory_order_acq_rel) & EVENT_POSTED)
        return;
    struct http_conn *top = atomic_load_explicit(&loop->posted, memory_order_relaxed);
    do {
        c->posted_next = top;
    } while (
        !atomic_compare_exchange_weak_explicit(&loop->posted, &top, c, memory_order_release, memory_order_relaxed));
    if (!top)
        http_wakeup_send(&loop->wake);
}

/* Takes the whole list and puts it in order of posting. */
static struct http_conn *posted_take(struct http_loop *loop)
{
    struct http_conn *newest = atomic_exchange_explicit(&loop->posted, NULL, memory_order_acquire), *oldest = NULL;
    while (newest) {
        struct http_conn *next = newest->posted_next;
        newest->posted_next = oldest;
        oldest = newest;
        newest = next;
    }
    return oldest;
}

static void posted_run(struct http_loop *loop)
{
    for (struct http_conn *c = posted_take(loop), *next; c; c = next) {
        next = c->posted_next; /* before events is cleared: from then on it may be posted again */
        unsigned events = atomic_exchange_explicit(&c->events, 0, memory_order_acq_rel);
        http_conn_run(c, events);
    }
}

/* ---- new sockets ---- */

void http_loop_give(struct http_loop *loop, const struct http_socket *socket)
{
    mutex_lock(&loop->lock);
    loop->inbox = mem_grow(loop->inbox, &loop->inbox_capacity, loop->inbox_count + 1, sizeof *loop->inbox);
    loop->inbox[loop->inbox_count++] = *socket;
    mutex_unlock(&loop->lock);
    http_wakeup_send(&loop->wake);
}

static void inbox_run(struct http_loop *loop)
{
    struct http_socket socket;
    for (;;) {
        mutex_lock(&loop->lock);
        bool some = loop->inbox_count > 0;
        if (some)
            socket = loop->inbox[--loop->inbox_count];
        mutex_unlock(&loop->lock);
        if (!some)
            return;
        http_conn_open(loop, &socket);
    }
}

/* ---- stopping ---- */

void http_loop_order(struct http_loop *loop, enum http_order order)
{
    atomic_store(&loop->order, (int)order);
    http_wakeup_send(&loop->wake);
}

static void order_run(struct http_loop *loop)
{
    int order = atomic_load(&loop->order);
    if (order == ORDER_RUN)
        return;
    for (struct http_conn *c = loop->conns, *next; c; c = next) {
        next = c->next; /* closing never frees at once */
        if (c->state == CONN_IDLE || c->state == CONN_LINGER || order >= ORDER_FORCE)
            http_conn_close(c);
    }
    if (!loop->conns || order == ORDER_ABANDON)
        uv_stop(&loop->uv);
}

/* ---- the loop ---- */

static void on_wake(struct http_loop *loop)
{
    inbox_run(loop);
    posted_run(loop);
    order_run(loop);
}

static void on_sweep(uv_timer_t *timer)
{
    struct http_loop *loop = timer->data;
    int64_t now_ns = http_now_ns(loop->server);
    /* This machine stood still: what came meanwhile is read, once, before anybody is called slow. */
    loop->passed_over = !loop->passed_over && now_ns - loop->swept_ns > 2000000 * (int64_t)uv_timer_get_repeat(timer);
    loop->swept_ns = now_ns;
    for (struct http_conn *c = loop->passed_over ? NULL : loop->conns, *next; c; c = next) {
        next = c->next;
        http_conn_sweep(c, now_ns);
    }
    order_run(loop); /* the last connection may have been freed by its close callback */
}

static uint64_t sweep_ms(const struct http_options *o)
{
    int64_t ms = SWEEP_MS_MAX,
            bounds[] = {o->head_timeout_ms, o->read_timeout_ms, o->idle_timeout_ms, o->write_timeout_ms};
    for (size_t i = 0; i < sizeof bounds / sizeof *bounds; i++)
        if (bounds[i] > 0 && bounds[i] / 8 < ms)
            ms = bounds[i] / 8;
    return (uint64_t)(ms < SWEEP_MS_MIN ? SWEEP_MS_MIN : ms);
}

static void *loop_run(void *arg)
{
    struct http_loop *loop = arg;
    struct http_server *s = loop->server;
    loop->self = pthread_self();
    thread_prompt(); /* requests are short, and everybody of this loop waits for each */
    uv_run(&loop->uv, UV_RUN_DEFAULT);
    mutex_lock(&s->lock);
    s->loops_running--;
    cond_broadcast(&s->loop_ended);
    mutex_unlock(&s->lock);
    return NULL;
}

static void must(int status)
{
    if (status < 0)
        log_error("net", "libuv failed", "error=\"%s\"", uv_strerror(status));
    assert(status >= 0); /* out of descriptors at start-up: nothing could be served */
}

void http_loop_init(struct http_loop *loop, struct http_server *s, unsigned index)
{
    loop->server = s;
    loop->index = index;
    mutex_init(&loop->lock);
    loop->trash = mem_alloc(IN_BYTES);
    must(uv_loop_init(&loop->uv));
    must(http_wakeup_init(&loop->wake, loop, &loop->uv, on_wake));
    must(uv_timer_init(&loop->uv, &loop->sweep));
    loop->sweep.data = loop;
}

void http_loop_start(struct http_loop *loop)
{
    uint64_t ms = sweep_ms(&loop->server->options);
    loop->swept_ns = http_now_ns(loop->server);
    must(uv_timer_start(&loop->sweep, on_sweep, ms, ms));
    loop->thread = thread_start("http-loop", loop_run, loop);
}

void http_loop_deinit(struct http_loop *loop)
{
    inbox_run(loop); /* accepted while we stopped */
    for (struct http_conn *c = loop->conns; c; c = c->next)
        http_conn_close(c);
    http_wakeup_close(&loop->wake);
    uv_close((uv_handle_t *)&loop->sweep, NULL);
    uv_run(&loop->uv, UV_RUN_DEFAULT);
    int closed = uv_loop_close(&loop->uv);
    assert(closed == 0);
    http_wakeup_deinit(&loop->wake);
    mem_free(loop->inbox);
    mem_free(loop->trash);
    mutex_deinit(&loop->lock);
}
