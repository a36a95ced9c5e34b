/*
 * http_conn.c - a connection: reading, its state, its end.
 *
 *   IDLE ─byte─▶ HEAD ─head complete─▶ BODY ─body complete─▶ BUSY ─answer written─▶ IDLE
 *                  └───── refused ───────┴──▶ BUSY ─▶ LINGER ─▶ CLOSED
 *
 * One request at a time: what a client pipelines waits in the input buffer.  While BUSY we keep reading,
 * as far as there is room, because only a read tells that the client has gone away.
 */
#include <sys/socket.h>
#include <unistd.h>

#include "base/assert.h"
#include "net/http_internal.h"

static void conn_read_start(struct http_conn *c);

/* ---- end ---- */

void http_conn_free_if_unused(struct http_conn *c)
{
    if (!c->handle_closed || c->busy || atomic_load_explicit(&c->events, memory_order_acquire))
        return;
    struct http_loop *loop = c->loop;
    *(c->prev ? &c->prev->next : &loop->conns) = c->next;
    if (c->next)
        c->next->prev = c->prev;
    http_input_release(c);
    http_secure_end(c);
    http_out_deinit(c);
    mem_free(c);
}

static void on_closed(uv_handle_t *handle)
{
    struct http_conn *c = handle->data;
    struct http_loop *loop = c->loop;
    c->handle_closed = true;
    atomic_fetch_sub(&loop->connections, 1);
    atomic_fetch_sub(&loop->server->stats.connections_open, 1);
    http_conn_free_if_unused(c);
    if (!loop->conns && atomic_load(&loop->order) != ORDER_RUN)
        uv_stop(&loop->uv);
}

void http_conn_close(struct http_conn *c)
{
    if (c->state == CONN_CLOSED)
        return;
    enum http_conn_state was = c->state;
    http_secure_goodbye(c);
    c->state = CONN_CLOSED;
    http_out_gone(c);
    if (was == CONN_BUSY)
        cancel_set(&c->request.pub.cancel, ERR_CANCELED);
    else if (c->busy)
        http_request_deinit(c, true); /* nobody but us has seen it */
    uv_close((uv_handle_t *)&c->tcp, on_closed);
}

/* Everything of ours is written; the client may still be sending.  Closing now could make its kernel
 * throw our answer away (reset), so we end our side and read on for a moment. */
static void conn_linger(struct http_conn *c)
{
    uv_os_fd_t fd;
    c->state = CONN_LINGER;
    c->since_ns = http_now_ns(http_server_of(c));
    if (c->eof || uv_fileno((uv_handle_t *)&c->tcp, &fd) < 0) {
        http_conn_close(c);
        return;
    }
    http_secure_goodbye(c);
    shutdown(fd, SHUT_WR);
    conn_read_start(c);
}

static bool is_stopping(const struct http_conn *c)
{
    return atomic_load_explicit(&c->loop->order, memory_order_relaxed) != ORDER_RUN;
}

bool http_conn_is_ending(const struct http_conn *c)
{
    return c->close_after || is_stopping(c) ||
           atomic_load_explicit(&http_server_of(c)->retired, memory_order_relaxed);
}

void http_conn_answered(struct http_conn *c)
{
    bool gone = c->state == CONN_CLOSED, aborted = c->out.aborted;
    bool known = c->close_after || c->request.answer.close, last = known || http_conn_is_ending(c);
    /* Who did not know that this was the last answer may have sent the next request. */
    bool linger = c->linger || (!known && !is_stopping(c));
    http_request_deinit(c, gone);
    http_out_reset(c);
    if (gone)
        return; /* freed by the close callback or by who posted */
    if (aborted || (last && !linger)) {
        http_conn_close(c);
        return;
    }
    if (last) {
        conn_linger(c);
        return;
    }
    c->state = CONN_IDLE;
    c->since_ns = http_now_ns(http_server_of(c));
    conn_read_start(c);
    if (c->tls && !c->opening && http_tls_has_more(c->tls))
        http_loop_post(c, EVENT_DRIVE);
    http_conn_drive(c);
}

void http_conn_refuse(struct http_conn *c, int status, const char *text)
{
    http_count(&http_server_of(c)->stats.requests_bad, 1);
    if (!c->busy)
        http_request_init(c);
    c->state = CONN_BUSY;
    c->close_after = c->linger = true;
    http_answer_text(&c->request, status, text);
}

/* ---- what has arrived ---- */

/* The client has sent all it will.  Requests that are complete are still answered. */
static void conn_starved(struct http_conn *c)
{
    if (!c->eof)
        return;
    if (c->state != CONN_IDLE)
        http_count(&http_server_of(c)->stats.requests_bad, 1);
    http_conn_close(c);
}

static void head_step(struct http_conn *c)
{
    struct http_reject why;
    struct slice in = slice_of(c->in + c->start, c->len - c->start);
    switch (http_head_scan(&c->scan, in, http_server_of(c)->options.header_bytes_max, &why)) {
    case HTTP_SCAN_MORE:
        conn_starved(c);
        return;
    case HTTP_SCAN_BAD:
        http_conn_refuse(c, why.status, why.text);
        return;
    case HTTP_SCAN_DONE:
        break;
    }
    size_t end = c->scan.end;
    struct slice head = slice_of(in.data + c->scan.start, end - c->scan.start);
    c->scan = (struct http_head_scan){0};
    http_input_consume(c, end);
    c->state = CONN_BODY;
    c->chunk = (struct http_chunk){0};
    c->body_bytes = 0;
    http_request_head(c, head);
}

static void chunked_step(struct http_conn *c)
{
    struct http_reject why;
    uint8_t *in = c->in + c->start;
    size_t len = c->len - c->start, raw = c->body_bytes;
    uint64_t bytes_max = http_request_body_max(&c->request);
    switch (http_chunk_feed(&c->chunk, in, len, &c->body_bytes, &raw, bytes_max, &why)) {
    case HTTP_CHUNK_MORE:
        memmove(in + c->body_bytes, in + raw, len - raw);
        c->len -= raw - c->body_bytes;
        conn_starved(c);
        return;
    case HTTP_CHUNK_BAD:
        http_conn_refuse(c, why.status, why.text);
        return;
    case HTTP_CHUNK_END:
        http_input_consume(c, raw);
        http_request_dispatch(c, slice_of(in, c->body_bytes));
        return;
    }
}

static void body_step(struct http_conn *c)
{
    if (c->request.head.chunked) {
        chunked_step(c);
        return;
    }
    uint64_t length = c->request.head.content_length;
    if (c->len - c->start < length) {
        conn_starved(c);
        return;
    }
    struct slice body = slice_of(c->in + c->start, (size_t)length);
    http_input_consume(c, body.len);
    http_request_dispatch(c, body);
}

/* One step; true when it changed something, so that another may follow. */
static bool conn_step(struct http_conn *c)
{
    enum http_conn_state before = c->state;
    switch (before) {
    case CONN_IDLE:
        if (c->start == c->len) {
            conn_starved(c);
            return false;
        }
        c->state = CONN_HEAD;
        c->since_ns = http_now_ns(http_server_of(c));
        return true;
    case CONN_HEAD:
        head_step(c);
        return c->state != before;
    case CONN_BODY:
        body_step(c);
        return c->state != before;
    default:
        return false;
    }
}

void http_conn_drive(struct http_conn *c)
{
    if (c->driving)
        return;
    unsigned requests = 0;
    c->driving = true;
    while (conn_step(c)) {
        if (c->state == CONN_IDLE && ++requests == DRIVE_REQUESTS_MAX) {
            http_loop_post(c, EVENT_DRIVE);
            break;
        }
    }
    c->driving = false;
    if (c->state == CONN_BUSY && c->reading && http_input_room(c) == 0) {
        uv_read_stop((uv_stream_t *)&c->tcp);
        c->reading = false;
    }
}

void http_conn_on_eof(struct http_conn *c)
{
    c->eof = true;
    c->reading = false;
    if (c->state == CONN_LINGER) {
        http_conn_close(c);
        return;
    }
    /* As Go does: a client that ends its side while we work is taken to have lost interest.  What is
     * answered nevertheless is written; it may have closed only its sending half. */
    if (c->state == CONN_BUSY)
        cancel_set(&c->request.pub.cancel, ERR_CANCELED);
    http_conn_drive(c);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct http_conn *c = stream->data;
    (void)buf;
    if (n == UV_EOF) {
        http_conn_on_eof(c);
    } else if (n == UV_ENOBUFS) {
        http_conn_refuse(c, 503, "memory limit reached, try again later");
    } else if (n < 0) {
        http_conn_close(c);
    } else if (n > 0 && c->state != CONN_LINGER && c->tls) {
        http_secure_arrived(c, (size_t)n);
    } else if (n > 0 && c->state != CONN_LINGER) {
        http_count(&http_server_of(c)->stats.bytes_in, (uint64_t)n);
        c->len += (size_t)n;
        http_conn_drive(c);
    }
}

static void conn_read_start(struct http_conn *c)
{
    if (c->reading || c->eof)
        return;
    c->reading = uv_read_start((uv_stream_t *)&c->tcp, http_input_on_alloc, on_read) == 0;
    if (!c->reading)
        http_conn_close(c);
}

void http_conn_run(struct http_conn *c, unsigned events)
{
    if (events & EVENT_WAKE) {
        c->driving = true; /* the next request waits until the handler has returned */
        http_request_resume(c);
        c->driving = false;
        http_conn_drive(c);
    }
    if (events & EVENT_OUT)
        http_out_flush(c);
    if (events & EVENT_DRIVE) {
        if (c->tls)
            http_secure_drive(c);
        http_conn_drive(c);
    }
    http_conn_free_if_unused(c);
}

/* ---- time ---- */

static bool passed(int64_t since_ns, int64_t now_ns, int64_t ms)
{
    return ms > 0 && now_ns - since_ns > ms * 1000000;
}

static bool body_too_slow(const struct http_conn *c, const struct http_options *o, int64_t age_ns)
{
    if (!o->body_bytes_per_s_min || age_ns < BODY_GRACE_MS * INT64_C(1000000))
        return false;
    int64_t due = (age_ns / 1000000 - BODY_GRACE_MS) * o->body_bytes_per_s_min / 1000;
    return (int64_t)(c->len - c->start) < due;
}

static void sweep_reading(struct http_conn *c, const struct http_options *o, int64_t now_ns)
{
    bool head = c->state == CONN_HEAD;
    if (!passed(c->since_ns, now_ns, o->read_timeout_ms) &&
        !(head ? passed(c->since_ns, now_ns, o->head_timeout_ms) : body_too_slow(c, o, now_ns - c->since_ns)))
        return;
    http_count(&http_server_of(c)->stats.timeouts, 1);
    http_conn_refuse(c, 408, head ? "request head took too long" : "request body took too long");
}

static void sweep_writing(struct http_conn *c, const struct http_options *o, int64_t now_ns)
{
    size_t waiting = uv_stream_get_write_queue_size((uv_stream_t *)&c->tcp);
    if (!c->out.write_active || waiting != c->out.queue_bytes_seen) {
        c->out.queue_bytes_seen = waiting;
        c->out.progress_ns = now_ns;
    } else if (passed(c->out.progress_ns, now_ns, o->write_timeout_ms)) {
        http_count(&http_server_of(c)->stats.timeouts, 1);
        http_conn_close(c);
    }
}

void http_conn_sweep(struct http_conn *c, int64_t now_ns)
{
    const struct http_options *o = &http_server_of(c)->options;
    switch (c->state) {
    case CONN_IDLE:
        if (passed(c->since_ns, now_ns, o->idle_timeout_ms)) {
            http_conn_close(c);
        } else if (c->tls && !http_tls_established(c->tls) && passed(c->since_ns, now_ns, o->head_timeout_ms)) {
            http_count(&http_server_of(c)->stats.timeouts, 1);
            http_conn_close(c); /* a handshake must be as quick as a head */
        } else if (c->start == c->len && passed(c->since_ns, now_ns, IDLE_RELEASE_MS)) {
            http_input_release(c);
            http_out_release(c);
        }
        break;
    case CONN_HEAD:
    case CONN_BODY:
        sweep_reading(c, o, now_ns);
        break;
    case CONN_BUSY:
        sweep_writing(c, o, now_ns);
        break;
    case CONN_LINGER:
        if (passed(c->since_ns, now_ns, LINGER_MS))
            http_conn_close(c);
        break;
    case CONN_CLOSED:
        break;
    }
}

/* ---- birth ---- */

void http_conn_open(struct http_loop *loop, const struct http_socket *socket)
{
    struct http_conn *c = MEM_NEW(struct http_conn);
    c->loop = loop;
    memcpy(c->peer, socket->peer, sizeof c->peer);
    http_out_init(&c->out);
    c->next = loop->conns;
    if (c->next)
        c->next->prev = c;
    loop->conns = c;
    int failed = uv_tcp_init(&loop->uv, &c->tcp);
    assert(failed == 0);
    c->tcp.data = c;
    c->since_ns = http_now_ns(loop->server);
    if (uv_tcp_open(&c->tcp, socket->fd) < 0) {
        close(socket->fd);
        http_conn_close(c);
        return;
    }
    if (http_secure_begin(c))
        conn_read_start(c);
    else
        http_conn_close(c);
}
