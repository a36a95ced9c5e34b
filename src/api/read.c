/*
 * read.c - POST /api/v1/read: remote read of Prometheus, Thanos, promxy and others.
 *
 * The request is snappy and protobuf; the answer is one snappy message with all samples, or a stream of
 * frames with chunks (read_samples.c, read_chunks.c), as the client prefers.  Only so many at once
 * (storage.remote.read-concurrent-limit): others wait without a thread.
 */
#include <snappy-c.h>

#include "api/read_internal.h"
#include "base/mem.h"
#include "base/wire.h"

enum { REQUEST_BYTES_MAX = 32 << 20 };

static void plain_error(struct http_request *r, int status, const char *text)
{
    http_header(r, "X-Content-Type-Options", "nosniff");
    api_text(r, status, arena_printf(r->arena, "%s\n", text));
}

static enum err uncompress(struct http_request *r, struct slice *out, struct errmsg *why)
{
    const char *in = (const char *)r->body.data;
    size_t bytes;
    if (snappy_uncompressed_length(in, r->body.len, &bytes) != SNAPPY_OK)
        return err_set(why, ERR_INVALID, "snappy: corrupt input");
    if (bytes > REQUEST_BYTES_MAX)
        return err_set(why, ERR_LIMIT, "snappy: decoded length %zu exceeds limit %d", bytes, REQUEST_BYTES_MAX);
    char *to = arena_try_alloc(r->arena, bytes ? bytes : 1);
    if (!to)
        return err_set(why, ERR_LIMIT, "the request needs more memory than it may take");
    if (snappy_uncompress(in, r->body.len, to, &bytes) != SNAPPY_OK)
        return err_set(why, ERR_INVALID, "snappy: corrupt input");
    *out = slice_of(to, bytes);
    return ERR_OK;
}

static void run(struct http_request *r, void *ctx)
{
    struct api *api = ctx;
    struct read_request request;
    struct errmsg why = {0};
    struct slice body;
    enum err err = uncompress(r, &body, &why);
    if (err == ERR_OK)
        err = read_request_parse(body, r->arena, &request, &why);
    if (err != ERR_OK)
        plain_error(r, 400, why.text);
    else if (request.streamed)
        read_answer_chunks(r, api, &request);
    else
        read_answer_samples(r, api, &request);
}

void on_read(struct http_request *r, void *ctx)
{
    struct api *api = ctx;
    gate_enter(&api->reads, r, run, api);
}

void read_put_labels(struct buf *out, const struct labels *labels)
{
    for (uint32_t i = 0; i < labels->count; i++) {
        struct slice name = labels->list[i]->name, value = labels->list[i]->value;
        size_t bytes = 2 + wire_varint_bytes(name.len) + name.len + wire_varint_bytes(value.len) + value.len;
        buf_varint(out, WIRE_TAG(1, WIRE_BYTES));
        buf_varint(out, bytes);
        wire_put_bytes(out, 1, name);
        wire_put_bytes(out, 2, value);
    }
}

/* ---- what was selected ---- */

struct visit {
    struct http_request *r;
    const struct read_visitor *visitor;
    void *ctx;
    struct warnings warnings;
    const struct external_labels *external;
    struct external_room room;
};

static enum err visit_series(struct visit *v, const struct read_query *q, struct series_set *set, struct errmsg *why)
{
    struct series_reader *reader = set->ops->reader(set);
    enum err err = ERR_OK;
    for (uint32_t i = 0; i < set->count && err == ERR_OK; i++) {
        struct samples samples;
        err = cancel_check(&v->r->cancel);
        if (err == ERR_OK)
            err = reader->ops->read(reader, i, q->start_ms, q->end_ms, &samples, why);
        if (err == ERR_OK && samples.count)
            err = v->visitor->series(v->ctx, external_merge(v->external, &set->labels[i], &v->room), &samples, why);
    }
    reader->ops->close(reader);
    return err;
}

static enum err visit_query(struct api *api, struct visit *v, const struct read_query *q, struct errmsg *why)
{
    struct querier *querier;
    struct series_set *set;
    struct selector sel = {.matchers = q->matchers,
                           .matcher_count = q->matcher_count,
                           .mint_ms = q->start_ms,
                           .maxt_ms = q->end_ms,
                           .sorted = v->visitor->sorted,
                           .warnings = &v->warnings};
    if (q->start_ms > q->end_ms)
        return ERR_OK;
    TRY(api->o.storage->ops->querier(api->o.storage, q->start_ms, q->end_ms, &querier, why));
    enum err err = querier->ops->select(querier, &sel, v->r->arena, &v->r->cancel, &set, why);
    if (err == ERR_OK)
        err = visit_series(v, q, set, why);
    querier->ops->close(querier);
    return err;
}

enum err read_visit(struct api *api, struct http_request *r, const struct read_request *request,
                    const struct read_visitor *visitor, void *ctx, struct errmsg *why)
{
    struct visit *v = ARENA_NEW(r->arena, struct visit);
    v->r = r;
    v->visitor = visitor;
    v->ctx = ctx;
    v->warnings.arena = r->arena;
    v->external = &api->external;
    enum err err = ERR_OK;
    for (uint32_t i = 0; i < request->query_count && err == ERR_OK; i++) {
        struct read_query q = request->queries[i];
        q.start_ms = q.start_ms < TIME_MIN_MS ? TIME_MIN_MS : q.start_ms;
        q.end_ms = q.end_ms > TIME_MAX_MS ? TIME_MAX_MS : q.end_ms;
        external_filter(v->external, q.matchers, q.matcher_count);
        if (visitor->query)
            err = visitor->query(ctx, i, why);
        if (err == ERR_OK)
            err = visit_query(api, v, &q, why);
    }
    external_room_deinit(&v->room);
    return err;
}
