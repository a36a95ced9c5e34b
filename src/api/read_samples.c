/*
 * read_samples.c - remote read answered with SAMPLES: one message with everything, in one snappy block.
 *
 *     ReadResponse { repeated QueryResult results = 1; }   QueryResult { repeated TimeSeries timeseries = 1; }
 *     TimeSeries   { repeated Label labels = 1; repeated Sample samples = 2; repeated Histogram histograms = 4; }
 *
 * Lengths stand before what they measure, in protobuf and in snappy, so the answer cannot go out while it
 * is formed.  Parts of a snappy block do not refer to earlier ones, though: each 64 KiB are compressed at
 * once, and memory holds only the compressed form, which has a bound (query.max-memory).
 */
#include <snappy-c.h>

#include "api/read_internal.h"
#include "base/mem.h"
#include "base/wire.h"

enum { PART_BYTES = 64 << 10, LITERAL_SHORT_MAX = 60 };

struct result_part {
    uint64_t raw_bytes; /* of the QueryResult, before compression */
    size_t start;       /* in the compressed bytes */
};

struct gather {
    struct api *api;
    uint64_t samples, samples_max; /* of the current query */
    size_t taken;                  /* of the budget */
    struct result_part *results;   /* one per query */
    uint32_t result_count;
    struct buf part;    /* not yet compressed */
    struct buf series;  /* one TimeSeries */
    struct buf message; /* something inside of it */
    struct buf packed;
};

/* ---- snappy ---- */

/* Compresses `raw` and leaves out the length that a block of its own would start with. */
static enum err pack(struct gather *g, struct slice raw, struct errmsg *why)
{
    uint64_t unused;
    size_t bytes = snappy_max_compressed_length(raw.len);
    if (!mem_budget_take(&g->api->read_memory, bytes))
        return err_set(why, ERR_LIMIT,
                       "the answer needs more memory than query.max-memory; ask for fewer series, less time, or "
                       "STREAMED_XOR_CHUNKS");
    g->taken += bytes;
    uint8_t *to = buf_reserve(&g->packed, bytes);
    if (!to || snappy_compress((const char *)raw.data, raw.len, (char *)to, &bytes) != SNAPPY_OK)
        return err_set(why, ERR_NO_MEMORY, "no memory for the answer");
    const uint8_t *body = varint_get(to, to + bytes, &unused);
    size_t len = bytes - (size_t)(body - to);
    memmove(to, body, len);
    g->packed.len += len;
    mem_budget_give(&g->api->read_memory, g->taken - g->packed.len);
    g->taken = g->packed.len;
    return ERR_OK;
}

static enum err pack_part(struct gather *g, struct errmsg *why)
{
    if (!g->part.len)
        return ERR_OK;
    g->results[g->result_count - 1].raw_bytes += g->part.len;
    for (size_t at = 0; at < g->part.len; at += PART_BYTES) {
        size_t left = g->part.len - at;
        TRY(pack(g, slice_of(g->part.data + at, left < PART_BYTES ? left : PART_BYTES), why));
    }
    buf_reset(&g->part);
    return ERR_OK;
}

/* ---- protobuf ---- */

static void put_spans(struct buf *out, uint32_t field, const struct histogram_span *spans, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        uint8_t bytes[2 * (1 + VARINT_BYTES_MAX)], *p = bytes;
        *p++ = WIRE_TAG(1, WIRE_VARINT);
        p = varint_put(p, (uint32_t)zigzag_put(spans[i].offset));
        *p++ = WIRE_TAG(2, WIRE_VARINT);
        p = varint_put(p, spans[i].length);
        wire_put_bytes(out, field, slice_of(bytes, (size_t)(p - bytes)));
    }
}

static void put_doubles(struct buf *out, uint32_t field, const double *values, uint32_t count)
{
    if (!count)
        return;
    buf_varint(out, WIRE_TAG(field, WIRE_BYTES));
    buf_varint(out, (uint64_t)count * 8);
    for (uint32_t i = 0; i < count; i++)
        buf_le64(out, f64_bits(values[i]));
}

static void put_histogram(struct buf *out, int64_t t_ms, const struct histogram *h)
{
    wire_put_double(out, 2, h->count);
    wire_put_double(out, 3, h->sum);
    wire_put_varint(out, 4, (uint32_t)zigzag_put(h->schema));
    wire_put_double(out, 5, h->zero_threshold);
    wire_put_double(out, 7, h->zero_count);
    put_spans(out, 8, h->negative_spans, h->negative_span_count);
    put_doubles(out, 10, h->negative, h->negative_count);
    put_spans(out, 11, h->positive_spans, h->positive_span_count);
    put_doubles(out, 13, h->positive, h->positive_count);
    wire_put_varint(out, 14, h->reset_hint);
    wire_put_varint(out, 15, (uint64_t)t_ms);
    put_doubles(out, 16, h->bounds, h->bound_count);
}

static void put_sample(struct buf *out, int64_t t_ms, double v)
{
    size_t bytes = 9 + 1 + wire_varint_bytes((uint64_t)t_ms);
    buf_varint(out, WIRE_TAG(2, WIRE_BYTES));
    buf_varint(out, bytes);
    wire_put_double(out, 1, v);
    wire_put_varint(out, 2, (uint64_t)t_ms);
}

static void put_samples(struct gather *g, const struct samples *s)
{
    for (uint32_t i = 0; i < s->count; i++)
        if (!(s->hists && s->hists[i]))
            put_sample(&g->series, s->times_ms[i], s->values[i]);
    for (uint32_t i = 0; s->hists && i < s->count; i++) {
        if (!s->hists[i])
            continue;
        buf_reset(&g->message);
        put_histogram(&g->message, s->times_ms[i], s->hists[i]);
        wire_put_bytes(&g->series, 4, buf_view(&g->message));
    }
}

static enum err on_series_samples(void *ctx, const struct labels *labels, const struct samples *s, struct errmsg *why)
{
    struct gather *g = ctx;
    g->samples += s->count;
    if (g->samples_max && g->samples > g->samples_max)
        return err_set(why, ERR_LIMIT, "exceeded sample limit (%llu)", (unsigned long long)g->samples_max);
    buf_reset(&g->series);
    read_put_labels(&g->series, labels);
    put_samples(g, s);
    wire_put_bytes(&g->part, 1, buf_view(&g->series));
    return g->part.len >= PART_BYTES ? pack_part(g, why) : ERR_OK;
}

static enum err on_query_samples(void *ctx, uint32_t index, struct errmsg *why)
{
    struct gather *g = ctx;
    if (index)
        TRY(pack_part(g, why));
    g->samples = 0; /* the limit is one of each query */
    g->results[g->result_count++] = (struct result_part){.start = g->packed.len};
    return ERR_OK;
}

/* ---- the answer ---- */

/* Tag and length of a QueryResult. */
static void put_result_head(struct buf *out, const struct result_part *part)
{
    buf_varint(out, WIRE_TAG(1, WIRE_BYTES));
    buf_varint(out, part->raw_bytes);
}

static enum err send(struct http_request *r, const struct gather *g, struct errmsg *why)
{
    struct buf head = {0}, out = {0};
    uint64_t total = 0;
    for (uint32_t i = 0; i < g->result_count; i++)
        total += 1 + wire_varint_bytes(g->results[i].raw_bytes) + g->results[i].raw_bytes;
    if (total > UINT32_MAX)
        return err_set(why, ERR_LIMIT,
                       "the answer is longer than snappy can tell (4 GiB); ask for fewer series, less time, or "
                       "STREAMED_XOR_CHUNKS");
    http_header(r, "Content-Type", "application/x-protobuf");
    http_header(r, "Content-Encoding", "snappy");
    http_begin(r, 200);
    buf_varint(&out, total);
    enum err err = ERR_OK;
    for (uint32_t i = 0; i < g->result_count && err == ERR_OK; i++) {
        size_t start = g->results[i].start;
        size_t end = i + 1 < g->result_count ? g->results[i + 1].start : g->packed.len;
        buf_reset(&head);
        put_result_head(&head, &g->results[i]);
        buf_u8(&out, (uint8_t)((head.len - 1) << 2)); /* a literal of up to 60 bytes */
        buf_slice(&out, buf_view(&head));
        err = http_write(r, out.data, out.len);
        buf_reset(&out);
        if (err == ERR_OK && end > start)
            err = http_write(r, g->packed.data + start, end - start);
    }
    if (out.len && err == ERR_OK)
        err = http_write(r, out.data, out.len);
    http_end(r);
    buf_deinit(&head);
    buf_deinit(&out);
    return ERR_OK;
}

void read_answer_samples(struct http_request *r, struct api *api, const struct read_request *request)
{
    static const struct read_visitor visitor = {on_query_samples, on_series_samples, false};
    struct gather g = {.api = api,
                       .samples_max = config_count(api->o.config, OPT_REMOTE_READ_SAMPLE_LIMIT),
                       .results = mem_array(request->query_count + 1u, sizeof *g.results)};
    struct errmsg why = {0};
    enum err err = read_visit(api, r, request, &visitor, &g, &why);
    if (err == ERR_OK)
        err = pack_part(&g, &why);
    if (err == ERR_OK)
        err = send(r, &g, &why);
    if (err != ERR_OK)
        api_text(r, err == ERR_LIMIT ? 400 : 500, arena_printf(r->arena, "%s\n", why.text));
    mem_budget_give(&api->read_memory, g.taken);
    mem_free(g.results);
    buf_deinit(&g.part);
    buf_deinit(&g.series);
    buf_deinit(&g.message);
    buf_deinit(&g.packed);
}
