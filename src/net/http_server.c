/* http_server.c - options, life and end of the whole; the contract is in net/http.h. */
#include <unistd.h>

#include "base/assert.h"
#include "base/log.h"
#include "net/http_internal.h"

enum { FORCED_STOP_MS_MAX = 3000 }; /* how long handlers may take to notice that they are canceled */

void http_options_default(struct http_options *o)
{
    *o = (struct http_options){
        .listen_address = "127.0.0.1:8428",
        .worker_queue_max = 1024,
        .connections_max = 1024,
        .header_bytes_max = 32 << 10,
        .body_bytes_max = 32 << 20,
        .pipeline_bytes_max = 64 << 10,
        .head_timeout_ms = 5000,
        .read_timeout_ms = 300000,
        .body_bytes_per_s_min = 1024,
        .idle_timeout_ms = 360000, /* Go clients give idle connections up after 5 minutes: let them be first */
        .write_timeout_ms = 60000,
        .stop_timeout_ms = 6000,
        .clock = clock_system(),
    };
}

static unsigned cores(void)
{
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    return n < 1 ? 1 : n > 256 ? 256 : (unsigned)n;
}

enum err http_server_new(const struct http_options *o, struct http_server **out, struct errmsg *why)
{
    if (o->header_bytes_max < 256 || !o->connections_max || !o->listen_address || !o->clock ||
        o->body_bytes_max > (uint64_t)1 << 40)
        return err_set(why, ERR_INVALID, "http options: a bound is missing or out of range");
    struct http_server *s = MEM_NEW(struct http_server);
    s->options = *o;
    s->options.listen_address = s->address = mem_strdup(o->listen_address);
    s->loop_count = o->loops ? o->loops : cores();
    s->pool.count = o->workers ? o->workers : cores();
    s->pool.waiting_max = o->worker_queue_max;
    s->pool.lent_max = o->connections_max;
    mutex_init(&s->lock);
    cond_init(&s->loop_ended);
    mutex_init(&s->pool.lock);
    cond_init(&s->pool.work);
    *out = s;
    return ERR_OK;
}

void http_server_route(struct http_server *s, const struct http_route *route)
{
    assert(!s->started);
    http_routes_add(&s->routes, route);
}

enum err http_server_start(struct http_server *s, struct errmsg *why)
{
    assert(!s->started);
    TRY(http_acceptor_open(&s->acceptor, s, why));
    http_routes_ready(&s->routes);
    s->started = true;
    s->loops = mem_array(s->loop_count, sizeof *s->loops);
    s->loops_running = s->loop_count;
    for (unsigned i = 0; i < s->loop_count; i++)
        http_loop_init(&s->loops[i], s, i);
    http_pool_start(&s->pool, s);
    for (unsigned i = 0; i < s->loop_count; i++)
        http_loop_start(&s->loops[i]);
    http_acceptor_start(&s->acceptor);
    return ERR_OK;
}

unsigned http_server_port(const struct http_server *s)
{
    return s->acceptor.port;
}

unsigned http_server_loops(const struct http_server *s)
{
    return s->loop_count;
}

struct http_stats *http_server_stats(struct http_server *s)
{
    return &s->stats;
}

static void order_all(struct http_server *s, enum http_order order)
{
    for (unsigned i = 0; i < s->loop_count; i++)
        http_loop_order(&s->loops[i], order);
}

/* Waits until every loop has ended; false when `ms` passed first. */
static bool loops_wait(struct http_server *s, int64_t ms)
{
    int64_t end_ns = http_now_ns(s) + ms * 1000000, left_ns;
    mutex_lock(&s->lock);
    while (s->loops_running && (left_ns = end_ns - http_now_ns(s)) > 0)
        if (!cond_wait_ns(&s->loop_ended, &s->lock, left_ns))
            break;
    bool ended = !s->loops_running;
    mutex_unlock(&s->lock);
    return ended;
}

void http_server_retire(struct http_server *s)
{
    atomic_store(&s->retired, true);
}

void http_server_stop(struct http_server *s)
{
    if (!s->started || s->pool.stopping)
        return;
    http_server_retire(s);
    http_acceptor_stop(&s->acceptor);
    order_all(s, ORDER_STOP);
    if (!loops_wait(s, s->options.stop_timeout_ms)) {
        log_warn("net", "requests still running at shutdown are canceled", "connections=%llu",
                 (unsigned long long)atomic_load(&s->stats.connections_open));
        order_all(s, ORDER_FORCE);
        int64_t forced_ms = s->options.stop_timeout_ms;
        if (!loops_wait(s, forced_ms < FORCED_STOP_MS_MAX ? forced_ms : FORCED_STOP_MS_MAX)) {
            log_error("net", "requests do not end, leaving them behind", "connections=%llu",
                      (unsigned long long)atomic_load(&s->stats.connections_open));
            order_all(s, ORDER_ABANDON);
        }
    }
    for (unsigned i = 0; i < s->loop_count; i++)
        pthread_join(s->loops[i].thread, NULL);
    http_pool_stop(&s->pool);
}

void http_server_free(struct http_server *s)
{
    if (!s)
        return;
    http_server_stop(s);
    bool abandoned = false;
    for (unsigned i = 0; s->started && i < s->loop_count; i++)
        abandoned = abandoned || s->loops[i].conns;
    if (abandoned)
        return; /* somebody may still wake a parked request: its memory stays */
    for (unsigned i = 0; s->started && i < s->loop_count; i++)
        http_loop_deinit(&s->loops[i]);
    mem_free(s->loops);
    http_routes_deinit(&s->routes);
    cond_deinit(&s->pool.work);
    mutex_deinit(&s->pool.lock);
    cond_deinit(&s->loop_ended);
    mutex_deinit(&s->lock);
    mem_free(s->address);
    mem_free(s);
}
