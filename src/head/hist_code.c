/*
 * hist_code.c - one histogram as bytes, for the log and for recent samples.
 *
 *     flags u8: 1 = counts are whole numbers below 2^53
 *     schema zigzag varint, reset hint u8, zero threshold 8 bytes, sum 8 bytes
 *     count, zero count: varint (flag 1) or 8 bytes each
 *     positive, then negative: span count varint, per span offset zigzag varint and length varint;
 *         buckets (as many as the lengths say): zigzag varint difference to the one before (flag 1), or 8 bytes
 *     bound count varint, bounds 8 bytes each
 */
#include <math.h>

#include "chunk/hist_chunk.h"
#include "head/hist_internal.h"

enum { WHOLE = 1 };

static bool is_whole(double v)
{
    return v >= 0 && v < 9007199254740992.0 && v == floor(v) && f64_bits(v) != UINT64_C(1) << 63;
}

static bool all_whole(const double *list, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (!is_whole(list[i]))
            return false;
    return true;
}

static void put_number(struct buf *out, double v, bool whole)
{
    if (whole)
        buf_varint(out, (uint64_t)v);
    else
        buf_le64(out, f64_bits(v));
}

static void put_side(struct buf *out, const struct histogram_span *spans, uint32_t span_count, const double *counts,
                     uint32_t count, bool whole)
{
    int64_t before = 0;
    buf_varint(out, span_count);
    for (uint32_t i = 0; i < span_count; i++) {
        buf_varint(out, zigzag_put(spans[i].offset));
        buf_varint(out, spans[i].length);
    }
    for (uint32_t i = 0; i < count; i++) {
        if (whole)
            buf_varint(out, zigzag_put((int64_t)counts[i] - before));
        else
            buf_le64(out, f64_bits(counts[i]));
        before = whole ? (int64_t)counts[i] : 0;
    }
}

void hist_encode(const struct histogram *h, struct buf *out)
{
    bool whole = is_whole(h->count) && is_whole(h->zero_count) && all_whole(h->positive, h->positive_count) &&
                 all_whole(h->negative, h->negative_count);
    buf_u8(out, whole ? WHOLE : 0);
    buf_varint(out, zigzag_put(h->schema));
    buf_u8(out, (uint8_t)h->reset_hint);
    buf_le64(out, f64_bits(h->zero_threshold));
    buf_le64(out, f64_bits(h->sum));
    put_number(out, h->count, whole);
    put_number(out, h->zero_count, whole);
    put_side(out, h->positive_spans, h->positive_span_count, h->positive, h->positive_count, whole);
    put_side(out, h->negative_spans, h->negative_span_count, h->negative, h->negative_count, whole);
    buf_varint(out, h->bound_count);
    for (uint32_t i = 0; i < h->bound_count; i++)
        buf_le64(out, f64_bits(h->bounds[i]));
}

struct reader {
    const uint8_t *p, *end; /* p is NULL once something did not fit */
    struct arena *arena;
    bool whole;
};

static uint64_t get_varint(struct reader *r, uint64_t max)
{
    uint64_t v = 0;
    r->p = r->p ? varint_get(r->p, r->end, &v) : NULL;
    if (v > max)
        r->p = NULL;
    return r->p ? v : 0;
}

static double get_f64(struct reader *r)
{
    if (!r->p || r->end - r->p < 8) {
        r->p = NULL;
        return 0;
    }
    r->p += 8;
    return f64_from_bits(le64_get(r->p - 8));
}

static double get_number(struct reader *r)
{
    return r->whole ? (double)get_varint(r, (UINT64_C(1) << 53) - 1) : get_f64(r);
}

static void *room(struct reader *r, size_t bytes)
{
    void *p = r->p ? arena_try_alloc(r->arena, bytes + 1) : NULL;
    if (!p)
        r->p = NULL;
    return p;
}

static const struct histogram_span *get_spans(struct reader *r, uint32_t *span_count, uint32_t *bucket_count)
{
    uint64_t total = 0;
    *span_count = (uint32_t)get_varint(r, r->p ? (uint64_t)(r->end - r->p) / 2 : 0); /* two bytes each at least */
    struct histogram_span *spans = room(r, *span_count * sizeof *spans);
    for (uint32_t i = 0; i < *span_count && r->p; i++) {
        int64_t offset = zigzag_get(get_varint(r, UINT64_MAX));
        uint64_t length = get_varint(r, HIST_CHUNK_BUCKETS_MAX);
        total += length;
        if (offset < INT32_MIN || offset > INT32_MAX || total > HIST_CHUNK_BUCKETS_MAX)
            r->p = NULL;
        spans[i] = (struct histogram_span){(int32_t)offset, (uint32_t)length};
    }
    *bucket_count = r->p ? (uint32_t)total : 0;
    return spans;
}

static const double *get_buckets(struct reader *r, uint32_t count)
{
    int64_t value = 0;
    if (r->p && count > (uint64_t)(r->end - r->p)) /* a byte each at least */
        r->p = NULL;
    double *list = room(r, count * sizeof *list);
    for (uint32_t i = 0; i < count && r->p; i++) {
        if (r->whole) {
            value = (int64_t)((uint64_t)value + (uint64_t)zigzag_get(get_varint(r, UINT64_MAX)));
            if (value < 0 || value >= INT64_C(1) << 53)
                r->p = NULL;
            list[i] = (double)value;
        } else {
            list[i] = get_f64(r);
        }
    }
    return list;
}

const struct histogram *hist_decode(struct slice in, struct arena *arena)
{
    struct reader r = {in.data, in.data + in.len, arena, false};
    struct histogram *h = arena_try_alloc(arena, sizeof *h);
    if (!h || in.len < 2)
        return NULL;
    *h = (struct histogram){0};
    uint8_t flags = *r.p++;
    r.whole = flags & WHOLE;
    int64_t schema = zigzag_get(get_varint(&r, UINT64_MAX));
    uint64_t hint = get_varint(&r, RESET_GAUGE);
    h->schema = (int32_t)schema;
    h->reset_hint = (uint32_t)hint;
    h->zero_threshold = get_f64(&r);
    h->sum = get_f64(&r);
    h->count = get_number(&r);
    h->zero_count = get_number(&r);
    h->positive_spans = get_spans(&r, &h->positive_span_count, &h->positive_count);
    h->positive = get_buckets(&r, h->positive_count);
    h->negative_spans = get_spans(&r, &h->negative_span_count, &h->negative_count);
    h->negative = get_buckets(&r, h->negative_count);
    h->bound_count = (uint32_t)get_varint(&r, r.p ? (uint64_t)(r.end - r.p) / 8 : 0);
    double *bounds = room(&r, h->bound_count * sizeof *bounds);
    for (uint32_t i = 0; i < h->bound_count && r.p; i++)
        bounds[i] = get_f64(&r);
    h->bounds = bounds;
    bool fine = r.p == r.end && flags <= WHOLE && schema >= -64 && schema <= 64;
    const struct histogram *one = h;
    return fine && hist_chunk_fit(&one, 1) == 1 ? h : NULL;
}
