/*
 * http_output.c - from the thread that answers to the socket.
 *
 * Two buffers change places: answers go into `pending` under the lock, the loop swaps it with the empty
 * `writing` and writes that without the lock.  A worker waits while pending and unsent bytes together
 * reach OUT_BYTES_MAX, so a slow reader holds twice that much and one thread, until the write timeout; while others
 * wait for a worker, that thread is replaced (http_worker.c).
 */
#include "base/assert.h"
#include "net/http_internal.h"

void http_out_init(struct http_out *out)
{
    mutex_init(&out->lock);
    cond_init(&out->room);
}

void http_out_release(struct http_conn *c)
{
    struct http_out *o = &c->out;
    struct mem_budget *budget = http_server_of(c)->options.budget;
    mutex_lock(&o->lock);
    buf_deinit(&o->pending);
    buf_deinit(&o->writing);
    if (c->tls)
        buf_deinit(http_tls_sealed(c->tls));
    if (budget && o->charged)
        mem_budget_give(budget, o->charged);
    o->charged = 0;
    mutex_unlock(&o->lock);
}

void http_out_deinit(struct http_conn *c)
{
    http_out_release(c);
    cond_deinit(&c->out.room);
    mutex_deinit(&c->out.lock);
}

/* Refused by the budget or the heap: the answer cannot be completed, so the connection ends. */
static bool pending_append(struct http_conn *c, struct slice bytes) REQUIRES(c->out.lock)
{
    struct http_out *o = &c->out;
    struct mem_budget *budget = http_server_of(c)->options.budget;
    size_t before = o->pending.capacity;
    buf_slice(&o->pending, bytes);
    size_t more = o->pending.capacity - before;
    bool counted = !budget || !more || mem_budget_take(budget, more);
    if (counted)
        o->charged += more;
    if (o->pending.failed || !counted)
        o->gone = true;
    return !o->gone;
}

enum { LOOK_AROUND_NS = 5000000 };

static bool must_wait(const struct http_out *o)
{
    return !o->gone && o->pending.len + o->unsent >= OUT_BYTES_MAX;
}

/* A short wait costs nothing; after it the worker lets another one work when somebody needs one. */
static void wait_for_room(struct http_out *o, struct http_server *s) REQUIRES(o->lock)
{
    bool lent = false;
    while (must_wait(o)) {
        if (lent) {
            cond_wait(&o->room, &o->lock);
            continue;
        }
        cond_wait_ns(&o->room, &o->lock, LOOK_AROUND_NS);
        if (!must_wait(o))
            break;
        mutex_unlock(&o->lock);
        lent = http_pool_is_pressed(&s->pool);
        if (lent)
            http_pool_lend(&s->pool, s);
        mutex_lock(&o->lock);
    }
    if (lent) {
        mutex_unlock(&o->lock);
        http_pool_return(&s->pool);
        mutex_lock(&o->lock);
    }
}

bool http_out_append(struct http_conn *c, struct slice bytes)
{
    bool may_wait = !http_loop_is_current(c->loop);
    mutex_lock(&c->out.lock);
    while (bytes.len && !c->out.gone) {
        size_t waiting = c->out.pending.len + c->out.unsent, n = bytes.len;
        size_t room = waiting < OUT_BYTES_MAX ? OUT_BYTES_MAX - waiting : 0;
        if (may_wait && n > room)
            n = room;
        if (!pending_append(c, slice_of(bytes.data, n)))
            break;
        bytes = slice_from(bytes, n);
        if (bytes.len) {
            http_loop_post(c, EVENT_OUT);
            wait_for_room(&c->out, http_server_of(c));
        }
    }
    bool there = !c->out.gone;
    mutex_unlock(&c->out.lock);
    return there;
}

void http_out_push(struct http_conn *c)
{
    if (http_loop_is_current(c->loop))
        http_out_flush(c);
    else
        http_loop_post(c, EVENT_OUT);
}

void http_out_finish(struct http_conn *c, bool aborted)
{
    struct http_out *o = &c->out;
    bool on_loop = http_loop_is_current(c->loop);
    mutex_lock(&o->lock);
    assert(!o->finished);
    o->finished = true;
    o->aborted = aborted;
    if (!on_loop)
        http_loop_post(c, EVENT_OUT); /* under the lock: once it is free, the loop may free the connection */
    mutex_unlock(&o->lock);
    if (on_loop)
        http_out_flush(c);
}

void http_out_gone(struct http_conn *c)
{
    mutex_lock(&c->out.lock);
    c->out.gone = true;
    cond_broadcast(&c->out.room);
    mutex_unlock(&c->out.lock);
}

void http_out_reset(struct http_conn *c)
{
    mutex_lock(&c->out.lock);
    c->out.finished = c->out.aborted = false;
    mutex_unlock(&c->out.lock);
}

/* ---- loop side ---- */

/* Swaps in what is pending; returns whether that is the end of the answer. */
static bool out_take(struct http_out *o, bool *gone)
{
    mutex_lock(&o->lock);
    buf_reset(&o->writing);
    *gone = o->gone;
    if (o->gone) {
        buf_reset(&o->pending);
    } else {
        struct buf filled = o->pending;
        o->pending = o->writing;
        o->writing = filled;
    }
    o->unsent = o->writing.len;
    bool finished = o->finished;
    mutex_unlock(&o->lock);
    return finished;
}

static void out_sent(struct http_conn *c)
{
    struct http_out *o = &c->out;
    mutex_lock(&o->lock);
    o->unsent = 0;
    cond_broadcast(&o->room);
    mutex_unlock(&o->lock);
}

static void on_written(uv_write_t *write, int status)
{
    struct http_conn *c = write->data;
    c->out.write_active = false;
    out_sent(c);
    if (status < 0)
        http_conn_close(c);
    http_out_flush(c);
}

/* Straight to the socket, and what it does not take through libuv.  False: the connection is gone. */
static bool out_write(struct http_conn *c)
{
    struct http_out *o = &c->out;
    uv_buf_t bytes = uv_buf_init((char *)o->writing.data, (unsigned)o->writing.len);
    int n = uv_try_write((uv_stream_t *)&c->tcp, &bytes, 1);
    if (n < 0 && n != UV_EAGAIN)
        return false;
    size_t done = n < 0 ? 0 : (size_t)n;
    http_count(&http_server_of(c)->stats.bytes_out, o->writing.len);
    if (done == o->writing.len) {
        out_sent(c);
        return true;
    }
    bytes = uv_buf_init((char *)o->writing.data + done, (unsigned)(o->writing.len - done));
    o->write.data = c;
    if (uv_write(&o->write, (uv_stream_t *)&c->tcp, &bytes, 1, on_written) < 0)
        return false;
    o->write_active = true;
    o->progress_ns = http_now_ns(http_server_of(c));
    return true;
}

/* Seals what was taken; the three buffers change places.  False: the connection is broken. */
static bool out_seal(struct http_conn *c)
{
    struct http_out *o = &c->out;
    struct mem_budget *budget = http_server_of(c)->options.budget;
    struct buf *sealed = http_tls_sealed(c->tls);
    size_t before = sealed->capacity;
    bool fine = http_tls_seal(c->tls, buf_view(&o->writing));
    size_t more = sealed->capacity - before;
    if (budget && more && !mem_budget_take(budget, more))
        return false;
    struct buf plain = o->writing;
    o->writing = *sealed;
    *sealed = plain;
    buf_reset(sealed);
    mutex_lock(&o->lock);
    o->charged += budget ? more : 0;
    mutex_unlock(&o->lock);
    return fine;
}

void http_out_flush(struct http_conn *c)
{
    struct http_out *o = &c->out;
    while (!o->write_active) {
        bool gone, finished = out_take(o, &gone);
        if (gone && c->state != CONN_CLOSED)
            http_conn_close(c);
        if (c->tls && c->state != CONN_CLOSED && !out_seal(c))
            http_conn_close(c);
        if (o->writing.len == 0) {
            if (finished)
                http_conn_answered(c);
            return;
        }
        if (!out_write(c))
            http_conn_close(c);
    }
}
