/*
 * hist_chunk.c - histograms as columns.
 *
 *     schema zigzag varint, zero threshold 8 bytes
 *     bound count varint, [bounds: part]
 *     layout count varint, per layout: positive spans, negative spans; spans: count varint, per span
 *         offset zigzag varint, length varint
 *     layout count > 1: layout number of each sample, ints
 *     reset hint u8 0..3 of all samples; 4: of each sample, ints
 *     count, zero count, sum: part each
 *     every positive bucket index of any layout, ascending: part with the counts of the samples that have it
 *     the same for the negative side
 *
 * part: byte length varint, chunk of values (values.c).  A layout is a pair of span lists.
 */
#include <math.h>

#include "base/assert.h"
#include "chunk/chunk.h"
#include "chunk/hist_chunk_layout_internal.h"
#include "chunk/ints_internal.h"
#include "model/value.h"

enum { HINTS_DIFFER = 4, SPANS_MAX = HIST_CHUNK_BUCKETS_MAX };

enum side { POSITIVE, NEGATIVE, SIDES };

/* A chunk while it is written or read. */
struct hist_work {
    uint32_t count, layout_count, bound_count;
    struct hist_spans layout[SIDES][HIST_CHUNK_LAYOUTS_MAX];
    int64_t layout_of[HIST_CHUNK_SAMPLES_MAX];
    double value[HIST_CHUNK_SAMPLES_MAX];
};

static const struct histogram_span *spans_of(const struct histogram *h, enum side side, uint32_t *count)
{
    *count = side == POSITIVE ? h->positive_span_count : h->negative_span_count;
    return side == POSITIVE ? h->positive_spans : h->negative_spans;
}

static bool measure(const struct histogram *h, struct hist_spans out[SIDES])
{
    for (enum side s = POSITIVE; s < SIDES; s++) {
        uint32_t count, buckets = s == POSITIVE ? h->positive_count : h->negative_count;
        const struct histogram_span *list = spans_of(h, s, &count);
        if (count > SPANS_MAX || !hist_spans_measure(list, count, &out[s]) || out[s].buckets != buckets)
            return false;
    }
    return h->bound_count <= HIST_CHUNK_BUCKETS_MAX && h->reset_hint <= RESET_GAUGE;
}

static bool same_scale(const struct histogram *a, const struct histogram *b)
{
    if (a->schema != b->schema || f64_bits(a->zero_threshold) != f64_bits(b->zero_threshold) ||
        a->bound_count != b->bound_count)
        return false;
    return a->bound_count == 0 || memcmp(a->bounds, b->bounds, a->bound_count * sizeof *a->bounds) == 0;
}

/* The number of the histogram's layout; a new one when it has not been seen and there is room. */
static bool find_layout(struct hist_work *w, const struct hist_spans spans[SIDES], uint32_t *out)
{
    for (uint32_t l = w->layout_count; l-- > 0;) /* the newest is the likeliest */
        if (hist_spans_eq(&w->layout[POSITIVE][l], spans[POSITIVE].list, spans[POSITIVE].count) &&
            hist_spans_eq(&w->layout[NEGATIVE][l], spans[NEGATIVE].list, spans[NEGATIVE].count)) {
            *out = l;
            return true;
        }
    if (w->layout_count == HIST_CHUNK_LAYOUTS_MAX)
        return false;
    w->layout[POSITIVE][w->layout_count] = spans[POSITIVE];
    w->layout[NEGATIVE][w->layout_count] = spans[NEGATIVE];
    *out = w->layout_count++;
    return true;
}

/* Assigns layouts until one does not fit; returns how many samples have one. */
static uint32_t assign_layouts(struct hist_work *w, const struct histogram *const *hists, uint32_t count)
{
    uint64_t values = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct hist_spans spans[SIDES];
        uint32_t layout;
        if (i == HIST_CHUNK_SAMPLES_MAX || !measure(hists[i], spans) || !same_scale(hists[0], hists[i]))
            return i;
        values += spans[POSITIVE].buckets + spans[NEGATIVE].buckets;
        if (values > HIST_CHUNK_VALUES_MAX || !find_layout(w, spans, &layout))
            return i;
        w->layout_of[i] = layout;
    }
    return count;
}

uint32_t hist_chunk_fit(const struct histogram *const *hists, uint32_t count)
{
    struct hist_work w = {0};
    return assign_layouts(&w, hists, count);
}

static void put_part(const double *values, uint32_t count, struct buf *tmp, struct buf *out)
{
    buf_reset(tmp);
    chunk_encode_values(values, count, NULL, tmp);
    buf_varint(out, tmp->len);
    buf_append(out, tmp->data, tmp->len);
}

static void put_spans(const struct hist_spans *spans, struct buf *out)
{
    buf_varint(out, spans->count);
    for (uint32_t i = 0; i < spans->count; i++) {
        buf_varint(out, zigzag_put(spans->list[i].offset));
        buf_varint(out, spans->list[i].length);
    }
}

static void put_bounds(const struct histogram *h, struct buf *tmp, struct buf *out)
{
    buf_varint(out, h->bound_count);
    for (uint32_t at = 0; at < h->bound_count; at += CHUNK_SAMPLES_MAX) {
        uint32_t n = h->bound_count - at;
        put_part(h->bounds + at, n < CHUNK_SAMPLES_MAX ? n : CHUNK_SAMPLES_MAX, tmp, out);
    }
}

static void put_hints(const struct histogram *const *hists, uint32_t count, struct buf *out)
{
    int64_t hints[HIST_CHUNK_SAMPLES_MAX];
    bool same = true;
    for (uint32_t i = 0; i < count; i++) {
        hints[i] = hists[i]->reset_hint;
        same &= hints[i] == hints[0];
    }
    buf_u8(out, same ? (uint8_t)hints[0] : HINTS_DIFFER);
    if (!same)
        ints_encode(hints, count, out);
}

/* The three numbers that every histogram has; returns whether a sum is a stale marker. */
static bool put_totals(struct hist_work *w, const struct histogram *const *hists, struct buf *tmp, struct buf *out)
{
    bool stale = false;
    for (uint32_t i = 0; i < w->count; i++)
        w->value[i] = hists[i]->count;
    put_part(w->value, w->count, tmp, out);
    for (uint32_t i = 0; i < w->count; i++)
        w->value[i] = hists[i]->zero_count;
    put_part(w->value, w->count, tmp, out);
    for (uint32_t i = 0; i < w->count; i++) {
        w->value[i] = hists[i]->sum;
        stale |= value_is_stale(hists[i]->sum);
    }
    put_part(w->value, w->count, tmp, out);
    return stale;
}

static void put_buckets(struct hist_work *w, const struct histogram *const *hists, enum side side, struct buf *tmp,
                        struct buf *out)
{
    struct arena arena;
    arena_init(&arena, NULL);
    struct hist_columns columns;
    bool made = hist_columns_make(w->layout[side], w->layout_count, &arena, &columns);
    assert(made); /* no budget */
    for (uint32_t c = 0; c < columns.count; c++) {
        uint32_t n = 0;
        for (uint32_t i = 0; i < w->count; i++) {
            uint32_t place = columns.place[(size_t)w->layout_of[i] * columns.count + c];
            if (place != HIST_NO_PLACE)
                w->value[n++] = (side == POSITIVE ? hists[i]->positive : hists[i]->negative)[place];
        }
        put_part(w->value, n, tmp, out);
    }
    arena_deinit(&arena);
}

uint32_t hist_chunk_encode(const struct histogram *const *hists, uint32_t count, struct buf *out)
{
    assert(count >= 1);
    struct hist_work w = {.count = count};
    uint32_t fits = assign_layouts(&w, hists, count);
    assert(fits == count);
    struct buf tmp = {0};
    buf_varint(out, zigzag_put(hists[0]->schema));
    buf_le64(out, f64_bits(hists[0]->zero_threshold));
    put_bounds(hists[0], &tmp, out);
    buf_varint(out, w.layout_count);
    for (uint32_t l = 0; l < w.layout_count; l++) {
        put_spans(&w.layout[POSITIVE][l], out);
        put_spans(&w.layout[NEGATIVE][l], out);
    }
    if (w.layout_count > 1)
        ints_encode(w.layout_of, count, out);
    put_hints(hists, count, out);
    bool stale = put_totals(&w, hists, &tmp, out);
    put_buckets(&w, hists, POSITIVE, &tmp, out);
    put_buckets(&w, hists, NEGATIVE, &tmp, out);
    buf_deinit(&tmp);
    return stale ? CHUNK_HAS_STALE : 0;
}

/* Reading: a cursor whose p becomes NULL at the first damage; everything after that does nothing. */
struct hist_reader {
    const uint8_t *p, *end;
    struct arena *arena;
    bool no_memory;
};

static uint64_t get_varint(struct hist_reader *r, uint64_t max)
{
    uint64_t v = 0;
    if (r->p)
        r->p = varint_get(r->p, r->end, &v);
    if (v > max)
        r->p = NULL;
    return r->p ? v : 0;
}

static int32_t get_int32(struct hist_reader *r)
{
    int64_t v = zigzag_get(get_varint(r, UINT32_MAX));
    return (int32_t)v;
}

static void *take(struct hist_reader *r, size_t bytes)
{
    void *p = r->p ? arena_try_alloc(r->arena, bytes + 1) : NULL; /* never of size 0 */
    if (!p) {
        r->no_memory |= r->p != NULL;
        r->p = NULL;
    }
    return p;
}

static void get_part(struct hist_reader *r, uint32_t count, double *out)
{
    uint64_t len = get_varint(r, SIZE_MAX);
    if (!r->p)
        return;
    if (len > (uint64_t)(r->end - r->p) || chunk_decode_values(slice_of(r->p, len), count, out) != ERR_OK)
        r->p = NULL;
    else
        r->p += len;
}

static void get_ints(struct hist_reader *r, uint32_t count, uint64_t max, int64_t *out)
{
    if (r->p)
        r->p = ints_get(r->p, r->end, count, out);
    for (uint32_t i = 0; r->p && i < count; i++)
        if (out[i] < 0 || (uint64_t)out[i] > max)
            r->p = NULL;
}

static void get_spans(struct hist_reader *r, struct hist_spans *out)
{
    uint32_t count = (uint32_t)get_varint(r, SPANS_MAX);
    if (!r->p || (size_t)(r->end - r->p) < 2 * (size_t)count) { /* a span takes 2 bytes at least */
        r->p = NULL;
        return;
    }
    struct histogram_span *list = (struct histogram_span *)take(r, count * sizeof *list);
    for (uint32_t i = 0; r->p && i < count; i++) {
        list[i].offset = get_int32(r);
        list[i].length = (uint32_t)get_varint(r, HIST_CHUNK_BUCKETS_MAX);
    }
    if (r->p && !hist_spans_measure(list, count, out))
        r->p = NULL;
}

static double *get_bounds(struct hist_reader *r, uint32_t *count)
{
    *count = (uint32_t)get_varint(r, HIST_CHUNK_BUCKETS_MAX);
    double *bounds = (double *)take(r, *count * sizeof *bounds);
    for (uint32_t at = 0; r->p && at < *count; at += CHUNK_SAMPLES_MAX) {
        uint32_t n = *count - at;
        get_part(r, n < CHUNK_SAMPLES_MAX ? n : CHUNK_SAMPLES_MAX, bounds + at);
    }
    return bounds;
}

static void get_layouts(struct hist_reader *r, struct hist_work *w)
{
    w->layout_count = (uint32_t)get_varint(r, HIST_CHUNK_LAYOUTS_MAX);
    if (w->layout_count == 0)
        r->p = NULL;
    for (uint32_t l = 0; r->p && l < w->layout_count; l++) {
        get_spans(r, &w->layout[POSITIVE][l]);
        get_spans(r, &w->layout[NEGATIVE][l]);
    }
    if (r->p && w->layout_count > 1)
        get_ints(r, w->count, w->layout_count - 1, w->layout_of);
}

/* Makes the histograms with their arrays; the numbers come later. */
static void make_hists(struct hist_reader *r, const struct hist_work *w, const struct histogram *scale,
                       struct histogram *out)
{
    uint64_t values = 0;
    for (uint32_t i = 0; r->p && i < w->count; i++) {
        const struct hist_spans *pos = &w->layout[POSITIVE][w->layout_of[i]];
        const struct hist_spans *neg = &w->layout[NEGATIVE][w->layout_of[i]];
        values += pos->buckets + neg->buckets;
        if (values > HIST_CHUNK_VALUES_MAX) {
            r->p = NULL;
            return;
        }
        out[i] = *scale;
        out[i].positive_span_count = pos->count;
        out[i].positive_spans = pos->list;
        out[i].positive_count = pos->buckets;
        out[i].positive = (double *)take(r, pos->buckets * sizeof(double));
        out[i].negative_span_count = neg->count;
        out[i].negative_spans = neg->list;
        out[i].negative_count = neg->buckets;
        out[i].negative = (double *)take(r, neg->buckets * sizeof(double));
    }
}

static void get_hints(struct hist_reader *r, uint32_t count, struct histogram *out)
{
    int64_t hints[HIST_CHUNK_SAMPLES_MAX] = {0};
    if (!r->p || r->p == r->end) {
        r->p = NULL;
        return;
    }
    uint8_t all = *r->p++;
    if (all > HINTS_DIFFER)
        r->p = NULL;
    else if (all == HINTS_DIFFER)
        get_ints(r, count, RESET_GAUGE, hints);
    for (uint32_t i = 0; r->p && i < count; i++)
        out[i].reset_hint = all == HINTS_DIFFER ? (uint32_t)hints[i] : all;
}

static void get_totals(struct hist_reader *r, struct hist_work *w, struct histogram *out)
{
    get_part(r, w->count, w->value);
    for (uint32_t i = 0; r->p && i < w->count; i++)
        out[i].count = w->value[i];
    get_part(r, w->count, w->value);
    for (uint32_t i = 0; r->p && i < w->count; i++)
        out[i].zero_count = w->value[i];
    get_part(r, w->count, w->value);
    for (uint32_t i = 0; r->p && i < w->count; i++)
        out[i].sum = w->value[i];
}

/* Each histogram's array, to write into; the public struct has it const. */
static double *array_of(struct histogram *h, enum side side)
{
    union {
        const double *read;
        double *write;
    } u = {.read = side == POSITIVE ? h->positive : h->negative};
    return u.write;
}

static void get_buckets(struct hist_reader *r, struct hist_work *w, enum side side, struct histogram *out)
{
    struct hist_columns columns = {0};
    if (r->p && !hist_columns_make(w->layout[side], w->layout_count, r->arena, &columns)) {
        r->no_memory = true;
        r->p = NULL;
    }
    for (uint32_t c = 0; r->p && c < columns.count; c++) {
        uint32_t n = 0;
        for (uint32_t i = 0; i < w->count; i++)
            n += columns.place[(size_t)w->layout_of[i] * columns.count + c] != HIST_NO_PLACE;
        if (n == 0) { /* a layout that no sample has */
            r->p = NULL;
            return;
        }
        get_part(r, n, w->value);
        n = 0;
        for (uint32_t i = 0; r->p && i < w->count; i++) {
            uint32_t place = columns.place[(size_t)w->layout_of[i] * columns.count + c];
            if (place != HIST_NO_PLACE)
                array_of(&out[i], side)[place] = w->value[n++];
        }
    }
}

enum err hist_chunk_decode(struct slice chunk, uint32_t count, struct arena *arena, const struct histogram **out)
{
    if (count == 0 || count > HIST_CHUNK_SAMPLES_MAX)
        return ERR_CORRUPT;
    struct hist_reader r = {.p = chunk.data, .end = chunk.data + chunk.len, .arena = arena};
    struct hist_work w = {.count = count};
    struct histogram scale = {.schema = get_int32(&r)};
    if (!r.p || r.end - r.p < 8)
        return ERR_CORRUPT;
    scale.zero_threshold = f64_from_bits(le64_get(r.p));
    r.p += 8;
    scale.bounds = get_bounds(&r, &scale.bound_count);
    get_layouts(&r, &w);
    struct histogram *hists = (struct histogram *)take(&r, count * sizeof *hists);
    make_hists(&r, &w, &scale, hists);
    get_hints(&r, count, hists);
    get_totals(&r, &w, hists);
    get_buckets(&r, &w, POSITIVE, hists);
    get_buckets(&r, &w, NEGATIVE, hists);
    if (!r.p || r.p != r.end)
        return r.no_memory ? ERR_LIMIT : ERR_CORRUPT;
    for (uint32_t i = 0; i < count; i++)
        out[i] = &hists[i];
    return ERR_OK;
}
