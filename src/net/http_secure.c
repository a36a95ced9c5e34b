/*
 * http_secure.c - TLS of a connection: from sealed bytes in the loop's buffer to plain ones in the input
 * buffer, handshakes, and saying goodbye.
 *
 * Reading stops when the input buffer has no room (a request is being worked on), as it does without
 * TLS; then at most one read of sealed bytes waits in http_tls.
 */
#include "base/log.h"
#include "net/http_internal.h"

bool http_secure_begin(struct http_conn *c)
{
    const struct http_options *o = &http_server_of(c)->options;
    struct tls_server *server = o->guard && o->guard->tls ? o->guard->tls(o->guard->ctx) : NULL;
    if (!server)
        return true;
    if (o->budget && !mem_budget_take(o->budget, TLS_CONN_BYTES)) {
        tls_server_unref(server);
        return false;
    }
    c->tls = http_tls_new(server);
    if (!c->tls && o->budget)
        mem_budget_give(o->budget, TLS_CONN_BYTES);
    return c->tls;
}

void http_secure_end(struct http_conn *c)
{
    struct mem_budget *budget = http_server_of(c)->options.budget;
    if (!c->tls)
        return;
    http_out_release(c); /* before what it sealed into goes away */
    http_tls_free(c->tls);
    c->tls = NULL;
    if (budget)
        mem_budget_give(budget, TLS_CONN_BYTES);
}

/* As Go's server does: whoever mixed up the ports reads what happened. */
static void answer_plain(struct http_conn *c)
{
    static const char text[] = "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\n"
                               "Connection: close\r\n\r\nClient sent an HTTP request to an HTTPS server.\n";
    uv_buf_t bytes = uv_buf_init((char *)(uintptr_t)text, sizeof text - 1);
    uv_try_write((uv_stream_t *)&c->tcp, &bytes, 1); /* a courtesy */
    http_conn_close(c);
}

static void broken(struct http_conn *c)
{
    if (!http_tls_established(c->tls)) {
        http_count(&http_server_of(c)->stats.tls_handshakes_failed, 1);
        log_debug("net", "TLS handshake failed", "peer=%s err=\"%s\"", c->peer, http_tls_why(c->tls));
    }
    http_out_flush(c); /* the alert */
    http_conn_close(c);
}

/* Room in the input buffer for what will be opened; 0: the buffer is full, or the connection was refused. */
static size_t room_for_plain(struct http_conn *c)
{
    if (c->state == CONN_BUSY)
        return http_input_room(c);
    size_t room = http_input_make_room(c) ? http_input_room(c) : 0;
    if (!room)
        http_conn_refuse(c, 503, "memory limit reached, try again later");
    return room;
}

/* One piece; false when there is nothing more to do now. */
static bool open_piece(struct http_conn *c)
{
    enum http_tls_state state;
    bool was_established = http_tls_established(c->tls);
    if (c->state == CONN_CLOSED || c->state == CONN_LINGER)
        return false;
    size_t room = room_for_plain(c);
    if (!room)
        return false;
    size_t n = http_tls_open(c->tls, c->in + c->len, room, &state);
    if (!was_established && http_tls_established(c->tls)) {
        http_count(&http_server_of(c)->stats.tls_handshakes, 1);
        c->since_ns = http_now_ns(http_server_of(c)); /* the first request's time begins now */
    }
    if (n) {
        http_count(&http_server_of(c)->stats.bytes_in, n);
        c->len += n;
        http_conn_drive(c);
        return true;
    }
    if (state == HTTP_TLS_ENDED && !c->eof) {
        uv_read_stop((uv_stream_t *)&c->tcp);
        http_conn_on_eof(c);
    } else if (state == HTTP_TLS_FAILED) {
        broken(c);
    } else if (state == HTTP_TLS_PLAIN) {
        answer_plain(c);
    }
    return false;
}

void http_secure_drive(struct http_conn *c)
{
    if (c->opening || c->state == CONN_CLOSED)
        return;
    c->opening = true;
    while (open_piece(c))
        ;
    c->opening = false;
    if (c->state != CONN_CLOSED && http_tls_sealed(c->tls)->len)
        http_out_flush(c); /* handshake */
}

void http_secure_arrived(struct http_conn *c, size_t bytes)
{
    http_tls_feed(c->tls, slice_of(c->loop->trash, bytes));
    http_secure_drive(c);
    http_tls_keep(c->tls);
}

void http_secure_goodbye(struct http_conn *c)
{
    if (!c->tls || c->out.write_active)
        return;
    http_tls_goodbye(c->tls);
    struct buf *sealed = http_tls_sealed(c->tls);
    uv_buf_t bytes = uv_buf_init((char *)sealed->data, (unsigned)sealed->len);
    if (sealed->len)
        uv_try_write((uv_stream_t *)&c->tcp, &bytes, 1);
    buf_reset(sealed);
}
