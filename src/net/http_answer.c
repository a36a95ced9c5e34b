/*
 * http_answer.c - answers: whole or streamed, compressed or not, from a loop or a worker.
 *
 * A streamed answer gathers STAGE_BYTES before its first byte goes out.  One that ends before that is
 * sent whole, with a Content-Length, so handlers may stream without knowing how much it will be.
 */
#include <stdio.h>

#include "base/assert.h"
#include "net/http_internal.h"

/* ---- compression ---- */

/* Text shrinks; images, archives and what is already encoded do not. */
static bool type_compressible(const struct http_answer *a)
{
    for (const struct http_answer_field *f = a->fields; f; f = f->next) {
        struct slice name = slice_str(f->name), value = slice_str(f->value);
        if (http_token_eq(name, "content-encoding"))
            return false;
        if (!http_token_eq(name, "content-type"))
            continue;
        static const char *const worth[] = {
            "text/",           "application/json",        "application/javascript", "application/openmetrics-text",
            "application/xml", "application/stream+json", "application/x-ndjson",   "image/svg+xml"};
        for (size_t i = 0; i < sizeof worth / sizeof *worth; i++)
            if (slice_starts_with(value, slice_str(worth[i])))
                return true;
        return false;
    }
    return true;
}

static enum http_coding coding_of(const struct http_request_state *q)
{
    if (!q->head.accept_encoding.len || !q->route || (q->route->flags & HTTP_NO_COMPRESS) ||
        !http_status_has_body(q->answer.status) || !type_compressible(&q->answer))
        return HTTP_IDENTITY;
    return http_coding_choose(q->head.accept_encoding);
}

/* ---- whole ---- */

static void answer_finish(struct http_request_state *q, bool aborted)
{
    q->answer.phase = ANSWER_DONE;
    http_request_passed_on(q);
    http_out_finish(q->conn, aborted);
}

/* The head goes out with the first bytes of the body, in one write. */
static bool head_send(struct http_request_state *q, enum http_coding coding, bool has_length, uint64_t length)
{
    q->answer.head_sent = true;
    return http_out_append(q->conn, http_reply_head(q, coding, has_length, length));
}

static void whole_send(struct http_request_state *q, enum http_coding coding, struct slice body)
{
    struct http_answer *a = &q->answer;
    if (coding != HTTP_IDENTITY) {
        struct http_encoder *e = http_encoder_new(coding);
        buf_reset(&a->encoded);
        bool encoded = http_encoder_feed(e, body, true, &a->encoded);
        assert(encoded); /* the buffer has no limit */
        http_encoder_free(e);
        body = buf_view(&a->encoded);
    }
    bool send_body = q->head.method != HTTP_HEAD && http_status_has_body(a->status);
    a->body_bytes = send_body ? body.len : 0;
    if (head_send(q, coding, true, body.len) && send_body)
        http_out_append(q->conn, body);
    answer_finish(q, false);
}

static void stage_send_on_worker(struct http_request *r, void *ctx)
{
    struct http_request_state *q = http_state_of(r);
    (void)ctx;
    whole_send(q, coding_of(q), buf_view(&q->answer.stage));
}

/* Compressing much text would hold up the other connections of the loop: a worker does it, if one is free. */
static bool whole_to_worker(struct http_request_state *q, struct slice body)
{
    struct http_server *s = http_server_of(q->conn);
    if (body.data != q->answer.stage.data)
        buf_slice(&q->answer.stage, body);
    if (q->answer.stage.failed)
        return false;
    q->work = stage_send_on_worker;
    q->work_ctx = NULL;
    http_request_passed_on(q);
    http_count(&s->stats.deferred_waiting, 1);
    if (http_pool_push(&s->pool, q))
        return true;
    atomic_fetch_sub_explicit(&s->stats.deferred_waiting, 1, memory_order_relaxed);
    return false;
}

static void whole(struct http_request_state *q, struct slice body)
{
    enum http_coding coding = body.len >= COMPRESS_BYTES_MIN ? coding_of(q) : HTTP_IDENTITY;
    if (coding != HTTP_IDENTITY && body.len > LOOP_ENCODE_BYTES_MAX && http_loop_is_current(q->conn->loop)) {
        if (whole_to_worker(q, body))
            return;
        coding = HTTP_IDENTITY;
    }
    whole_send(q, coding, body);
}

void http_respond(struct http_request *r, int status, struct slice body)
{
    struct http_request_state *q = http_state_of(r);
    assert(q->answer.phase == ANSWER_OPEN && status >= 200);
    q->answer.status = status;
    q->answer.phase = ANSWER_BEGUN;
    whole(q, body);
}

void http_answer_text(struct http_request_state *q, int status, const char *text)
{
    http_respond(&q->pub, status, slice_str(arena_printf(&q->arena, "%s\n", text)));
}

/* ---- streamed ---- */

void http_begin(struct http_request *r, int status)
{
    struct http_request_state *q = http_state_of(r);
    assert(q->answer.phase == ANSWER_OPEN && status >= 200);
    q->answer.status = status;
    q->answer.phase = ANSWER_BEGUN;
}

static bool stream_begin(struct http_request_state *q)
{
    struct http_answer *a = &q->answer;
    enum http_coding coding = coding_of(q);
    a->chunked = q->head.minor == 1;
    a->close = a->close || !a->chunked;
    if (coding != HTTP_IDENTITY && q->head.method != HTTP_HEAD)
        a->encoder = http_encoder_new(coding);
    return head_send(q, coding, false, 0);
}

static bool frame_send(struct http_request_state *q, struct slice data)
{
    char size[20];
    if (data.len == 0)
        return true;
    q->answer.body_bytes += data.len;
    if (!q->answer.chunked)
        return http_out_append(q->conn, data);
    int n = snprintf(size, sizeof size, "%zx\r\n", data.len);
    return http_out_append(q->conn, slice_of(size, (size_t)n)) && http_out_append(q->conn, data) &&
           http_out_append(q->conn, SLICE_LIT("\r\n"));
}

/* Sends a piece, through the encoder if there is one.  False: nobody reads any more. */
static bool piece_send(struct http_request_state *q, struct slice data, bool end)
{
    struct http_answer *a = &q->answer;
    if (!a->head_sent && !stream_begin(q))
        return false;
    if (q->head.method == HTTP_HEAD || !http_status_has_body(a->status))
        return true;
    if (a->encoder) {
        buf_reset(&a->encoded);
        if (!http_encoder_feed(a->encoder, data, end, &a->encoded))
            return false;
        data = buf_view(&a->encoded);
    }
    return frame_send(q, data) && (!end || !a->chunked || http_out_append(q->conn, SLICE_LIT("0\r\n\r\n")));
}

enum err http_write(struct http_request *r, const void *data, size_t bytes)
{
    struct http_request_state *q = http_state_of(r);
    struct buf *stage = &q->answer.stage;
    assert(q->answer.phase == ANSWER_BEGUN);
    while (stage->len + bytes >= STAGE_BYTES) {
        size_t n = STAGE_BYTES - stage->len;
        buf_append(stage, data, n);
        if (!piece_send(q, buf_view(stage), false))
            return ERR_CANCELED;
        http_out_push(q->conn);
        buf_reset(stage);
        data = (const uint8_t *)data + n;
        bytes -= n;
    }
    buf_append(stage, data, bytes);
    return ERR_OK;
}

void http_end(struct http_request *r)
{
    struct http_request_state *q = http_state_of(r);
    struct http_answer *a = &q->answer;
    assert(a->phase == ANSWER_BEGUN);
    if (!a->head_sent) {
        whole(q, buf_view(&a->stage));
        return;
    }
    piece_send(q, buf_view(&a->stage), true);
    answer_finish(q, false);
}

void http_abort(struct http_request *r)
{
    struct http_request_state *q = http_state_of(r);
    assert(q->answer.phase == ANSWER_BEGUN);
    q->answer.status = 500; /* for `after`; the client sees a body that breaks off */
    answer_finish(q, true);
}

void http_answer_drop(struct http_request_state *q)
{
    q->answer.status = 499;
    answer_finish(q, true);
}
