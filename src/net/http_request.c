/*
 * http_request.c - a request between its head and its handler: route, limits, decoding, defaults.
 *
 * What can be refused from the head alone is refused before the body is read.  Unknown paths and
 * methods read a small body first, so that the connection can be kept.
 */
#include "base/assert.h"
#include "net/http_internal.h"

void http_request_init(struct http_conn *c)
{
    struct http_server *s = http_server_of(c);
    struct http_request_state *q = &c->request;
    assert(!c->busy);
    *q = (struct http_request_state){.conn = c};
    arena_init(&q->arena, s->options.budget);
    cancel_init(&q->pub.cancel, s->options.clock, 0);
    q->pub.arena = &q->arena;
    q->pub.peer = slice_str(c->peer);
    q->pub.loop = c->loop->index;
    q->pub.start_ns = c->since_ns;
    q->answer.fields_end = &q->answer.fields;
    c->close_after = c->linger = false;
    c->busy = true;
}

void http_request_deinit(struct http_conn *c, bool gone)
{
    struct http_request_state *q = &c->request;
    const struct http_options *o = &http_server_of(c)->options;
    if (o->after && q->head_known && q->answer.phase == ANSWER_DONE)
        o->after(&q->pub, gone ? 499 : q->answer.status, q->answer.body_bytes,
                 http_now_ns(http_server_of(c)) - q->pub.start_ns, o->hook_ctx);
    http_decoder_free(q->decoder);
    http_encoder_free(q->answer.encoder);
    buf_deinit(&q->answer.stage);
    buf_deinit(&q->answer.encoded);
    arena_deinit(&q->arena);
    q->on_loop_handler = false;
    c->busy = false;
}

void http_request_passed_on(struct http_request_state *q)
{
    if (q->worker) {
        q->worker->holds = false;
        q->worker = NULL;
    } else if (http_loop_is_current(q->conn->loop)) {
        q->on_loop_handler = false;
    }
}

/* ---- from the head ---- */

uint64_t http_request_body_max(const struct http_request_state *q)
{
    if (!q->route)
        return UNROUTED_BODY_BYTES_MAX;
    return q->route->body_bytes_max ? q->route->body_bytes_max : http_server_of(q->conn)->options.body_bytes_max;
}

static bool is_encoded(const struct http_request_state *q)
{
    return q->head.content_encoding.len && !http_token_eq(q->head.content_encoding, "identity");
}

/* The codings that a 415 names. */
static const char *codings_accepted(const struct http_request_state *q)
{
    return q->route->flags & HTTP_NO_ENCODED_BODY ? "identity" : "gzip, deflate, zstd";
}

static bool encoding_refused(const struct http_request_state *q)
{
    enum http_coding coding;
    if (!q->route || !is_encoded(q) || (q->route->flags & HTTP_RAW_BODY))
        return false;
    return (q->route->flags & HTTP_NO_ENCODED_BODY) || http_coding_parse(q->head.content_encoding, &coding) != ERR_OK;
}

/* In alphabetical order, OPTIONS always among them: it is answered everywhere. */
static const char *methods_text(unsigned methods, struct arena *arena)
{
    static const char *const names[] = {"DELETE", "GET", "HEAD", "OPTIONS", "POST", "PUT"};
    static const enum http_method bits[] = {HTTP_DELETE, HTTP_GET, HTTP_HEAD, HTTP_OPTIONS, HTTP_POST, HTTP_PUT};
    const char *text = "";
    for (size_t i = 0; i < sizeof bits / sizeof *bits; i++)
        if (methods & bits[i])
            text = arena_printf(arena, "%s%s%s", text, *text ? ", " : "", names[i]);
    return text;
}

/* Unknown path, method that the path does not have, OPTIONS that nobody handles. */
static void unrouted_answer(struct http_request_state *q)
{
    bool any = slice_eq_str(q->pub.path, "*");
    unsigned all = HTTP_GET | HTTP_HEAD | HTTP_POST | HTTP_PUT | HTTP_DELETE | HTTP_OPTIONS;
    if (q->head.method != HTTP_OPTIONS || (!q->methods && !any))
        http_header(&q->pub, "X-Content-Type-Options", "nosniff");
    if (!q->methods && !any) {
        http_answer_text(q, 404, "404 page not found");
        return;
    }
    http_header(&q->pub, "Allow", methods_text(any ? all : q->methods | HTTP_OPTIONS, &q->arena));
    if (q->head.method == HTTP_OPTIONS)
        http_respond(&q->pub, 204, (struct slice){0});
    else
        http_answer_text(q, 405, "Method Not Allowed");
}

static void pub_fill(struct http_request_state *q)
{
    struct http_request *r = &q->pub;
    r->method = q->head.method;
    r->target = q->head.target;
    r->path = q->head.path;
    r->query = q->head.query;
    r->headers = q->head.headers;
    r->header_count = q->head.header_count;
}

static void route_find(struct http_request_state *q)
{
    if (q->head.dot_segments)
        return;
    const struct http_routes *routes = &http_server_of(q->conn)->routes;
    struct slice path = q->pub.path;
    struct http_route_match m = http_routes_find(routes, q->head.method, path);
    if (!m.methods && path.len > 1 && path.data[path.len - 1] == '/') {
        /* As if the slash were not there, for all who look at the path; Prometheus redirects such requests. */
        path.len--;
        struct http_route_match shorter = http_routes_find(routes, q->head.method, path);
        if (shorter.route) {
            m = shorter;
            q->pub.path = path;
        }
    }
    q->route = m.route;
    q->methods = m.methods;
    q->pub.path_rest = m.rest;
    q->pub.routed = m.route;
}

static bool too_large(const struct http_request_state *q)
{
    return !q->head.chunked && q->head.content_length > http_request_body_max(q);
}

/* Asks the guard; a refusal waits for no body.  False: refused. */
static bool admit(struct http_conn *c)
{
    const struct http_guard *guard = http_server_of(c)->options.guard;
    struct http_request_state *q = &c->request;
    bool has_body = q->head.chunked || q->head.content_length;
    if (guard)
        q->admission = guard->admit(&q->pub, guard->ctx);
    if (q->admission <= 0 || !has_body)
        return true; /* http_request_dispatch() refuses, and the connection can be kept */
    http_conn_refuse(c, q->admission, http_status_text(q->admission));
    return false;
}

/* Refuses from what the head says; false: it did. */
static bool head_acceptable(struct http_conn *c)
{
    struct http_request_state *q = &c->request;
    if (encoding_refused(q)) {
        http_header(&q->pub, "Accept-Encoding", codings_accepted(q));
        http_conn_refuse(c, 415, "Content-Encoding not supported");
        return false;
    }
    if (!too_large(q))
        return true;
    if (q->route) {
        http_conn_refuse(c, 413, "body too large");
        return false;
    }
    c->state = CONN_BUSY;
    c->close_after = c->linger = true;
    unrouted_answer(q);
    return false;
}

/* Room for the body that is announced; believed up to IN_GROW_BYTES. */
static bool body_room(struct http_conn *c)
{
    uint64_t want = c->request.head.content_length + READ_AHEAD_BYTES;
    return http_input_reserve(c, (size_t)(want < IN_GROW_BYTES ? want : IN_GROW_BYTES));
}

static bool continue_wanted(const struct http_conn *c)
{
    const struct http_head *h = &c->request.head;
    return h->expect_continue && c->start == c->len && (h->chunked || h->content_length);
}

bool http_request_head(struct http_conn *c, struct slice head)
{
    struct http_reject why = {0};
    struct http_request_state *q = &c->request;
    http_request_init(c);
    if (!http_head_parse(arena_copy(&q->arena, head), &q->arena, &q->head, &why)) {
        if (why.status == 405)
            http_header(&q->pub, "Allow", "GET, HEAD, POST, PUT, DELETE, OPTIONS");
        http_conn_refuse(c, why.status, why.text);
        return false;
    }
    q->head_known = true;
    pub_fill(q);
    route_find(q);
    if (!admit(c) || !head_acceptable(c))
        return false;
    if (!body_room(c)) {
        http_header(&q->pub, "Retry-After", "1");
        http_conn_refuse(c, 503, "memory limit reached, try again later");
        return false;
    }
    if (continue_wanted(c)) {
        http_out_append(c, SLICE_LIT("HTTP/1.1 100 Continue\r\n\r\n"));
        http_out_push(c);
    }
    return true;
}

/* ---- to the handler ---- */

static void run_on_loop(struct http_request_state *q, http_handler handler, void *ctx)
{
    q->on_loop_handler = true;
    handler(&q->pub, ctx);
    assert(!q->on_loop_handler); /* it has answered, deferred or parked */
}

static void to_handler(struct http_request_state *q)
{
    if (q->route->flags & HTTP_DEFER)
        http_defer(&q->pub, q->route->handler, q->route->ctx);
    else
        run_on_loop(q, q->route->handler, q->route->ctx);
}

static void decode_failed(struct http_request_state *q, enum err err, const char *text)
{
    int status = err == ERR_LIMIT ? 413 : err == ERR_NO_MEMORY ? 503 : 400;
    if (status == 503)
        http_header(&q->pub, "Retry-After", "1");
    http_answer_text(q, status, text);
}

static void decoded(struct http_request_state *q)
{
    q->pub.body = http_decoder_output(q->decoder);
    q->params_parsed = false; /* `before` may have looked at the body as it was sent */
}

/* On a worker: the rest of a large body, then the handler where it belongs. */
static void decode_on_worker(struct http_request *r, void *ctx)
{
    struct http_request_state *q = http_state_of(r);
    struct errmsg why = {{0}};
    bool done;
    (void)ctx;
    enum err err = http_decoder_run(q->decoder, SIZE_MAX, &done, &why);
    if (err != ERR_OK) {
        decode_failed(q, err, why.text);
        return;
    }
    decoded(q);
    if (q->route->flags & HTTP_DEFER) {
        q->route->handler(r, q->route->ctx);
        return;
    }
    http_park(r);
    http_wake(r, q->route->handler, q->route->ctx);
}

static void decode_then_handle(struct http_request_state *q)
{
    struct errmsg why = {{0}};
    enum http_coding coding;
    bool done = false;
    enum err err = http_coding_parse(q->head.content_encoding, &coding);
    assert(err == ERR_OK); /* head_acceptable() */
    q->decoder =
        http_decoder_new(coding, q->pub.body, http_request_body_max(q), http_server_of(q->conn)->options.budget);
    if (q->pub.body.len <= LOOP_DECODE_IN_BYTES_MAX && !(q->route->flags & HTTP_DEFER))
        err = http_decoder_run(q->decoder, LOOP_DECODE_OUT_BYTES_MAX, &done, &why);
    if (err != ERR_OK) {
        decode_failed(q, err, why.text);
    } else if (done) {
        decoded(q);
        to_handler(q);
    } else {
        http_defer(&q->pub, decode_on_worker, NULL);
    }
}

/* Admitted: the hook, then the handler. */
static void request_go(struct http_request_state *q)
{
    struct http_server *s = http_server_of(q->conn);
    if (s->options.before) {
        q->on_loop_handler = true;
        if (s->options.before(&q->pub, s->options.hook_ctx)) {
            assert(!q->on_loop_handler);
            return;
        }
        q->on_loop_handler = false;
    }
    if (!q->route)
        unrouted_answer(q);
    else if (q->pub.body.len && is_encoded(q) && !(q->route->flags & HTTP_RAW_BODY))
        decode_then_handle(q);
    else
        to_handler(q);
}

void http_admitted(struct http_request *r)
{
    assert(http_loop_is_current(http_state_of(r)->conn->loop));
    request_go(http_state_of(r));
}

void http_request_dispatch(struct http_conn *c, struct slice body)
{
    struct http_server *s = http_server_of(c);
    struct http_request_state *q = &c->request;
    c->state = CONN_BUSY;
    c->close_after = !q->head.keep_alive;
    q->pub.body = body;
    http_count(&s->stats.requests, 1);
    if (q->admission == HTTP_ADMIT) {
        request_go(q);
    } else if (q->admission == HTTP_DECIDE) {
        run_on_loop(q, s->options.guard->decide, s->options.guard->ctx);
    } else {
        http_answer_text(q, q->admission, http_status_text(q->admission));
    }
}

void http_request_resume(struct http_conn *c)
{
    run_on_loop(&c->request, c->request.work, c->request.work_ctx);
}
