/*
 * prom_histogram.c - Prometheus' float histogram chunks: the layout once, then every number as a column.
 *
 * Prometheus widens the layout of a chunk when buckets appear; here a chunk ends instead, so that each
 * histogram keeps its own spans.  Readers cannot tell but by the size.
 */
#include <math.h>

#include "base/assert.h"
#include "base/mem.h"
#include "chunk/prom_chunk.h"
#include "chunk/prom_internal.h"
#include "model/value.h"

enum { FLAG_RESET = 0x80, FLAG_NO_RESET = 0x40, FLAG_GAUGE = 0xc0 };
enum { VARBIT_BYTES_MAX = 9, FIXED_COLUMNS = 3 /* count, zero count, sum */ };

/* Prometheus' variable-length integers: a prefix of ones says how many bits follow. */
static const uint8_t varbit_sizes[] = {3, 6, 9, 12, 18, 25, 56};
enum { VARBIT_SIZES = sizeof varbit_sizes };

static void put_sized(struct bits *b, uint64_t v, unsigned size)
{
    bits_put_short(b, (UINT64_C(2) << (size + 1)) - 2, size + 2); /* size + 1 ones and a zero */
    bits_put(b, v, varbit_sizes[size]);
}

static void put_int(struct bits *b, int64_t v)
{
    unsigned size = 0;
    if (v == 0) {
        bits_put_short(b, 0, 1);
        return;
    }
    while (size < VARBIT_SIZES && !prom_fits(v, varbit_sizes[size]))
        size++;
    if (size < VARBIT_SIZES) {
        put_sized(b, (uint64_t)v, size);
    } else {
        bits_put_short(b, 0xff, 8);
        bits_put(b, (uint64_t)v, 64);
    }
}

static void put_uint(struct bits *b, uint64_t v)
{
    unsigned size = 0;
    if (v == 0) {
        bits_put_short(b, 0, 1);
        return;
    }
    while (size < VARBIT_SIZES && v >> varbit_sizes[size])
        size++;
    if (size < VARBIT_SIZES) {
        put_sized(b, v, size);
    } else {
        bits_put_short(b, 0xff, 8);
        bits_put(b, v, 64);
    }
}

/* ---- layout ---- */

/* Powers of two from 2^-243 to 2^10 take one byte. */
static void put_zero_threshold(struct bits *b, double v)
{
    int exponent;
    if (v == 0) {
        bits_put_short(b, 0, 8);
    } else if (frexp(v, &exponent) == 0.5 && exponent >= -242 && exponent <= 11) {
        bits_put_short(b, (uint64_t)(exponent + 243), 8);
    } else {
        bits_put_short(b, 255, 8);
        bits_put(b, f64_bits(v), 64);
    }
}

/* Multiples of 0.001 up to 33554.430 take up to four bytes. */
static void put_bound(struct bits *b, double v)
{
    double thousand = v * 1000;
    if (thousand >= 0 && thousand <= 33554430 && (double)(uint64_t)round(thousand) / 1000 == v) {
        put_uint(b, (uint64_t)round(thousand) + 1);
    } else {
        bits_put_short(b, 0, 1);
        bits_put(b, f64_bits(v), 64);
    }
}

static void put_spans(struct bits *b, const struct histogram_span *spans, uint32_t count)
{
    put_uint(b, count);
    for (uint32_t i = 0; i < count; i++) {
        put_uint(b, spans[i].length);
        put_int(b, spans[i].offset);
    }
}

static void put_layout(struct bits *b, const struct histogram *h)
{
    put_zero_threshold(b, h->zero_threshold);
    put_int(b, h->schema);
    put_spans(b, h->positive_spans, h->positive_span_count);
    put_spans(b, h->negative_spans, h->negative_span_count);
    if (h->schema != HISTOGRAM_SCHEMA_CUSTOM)
        return;
    put_uint(b, h->bound_count);
    for (uint32_t i = 0; i < h->bound_count; i++)
        put_bound(b, h->bounds[i]);
}

static size_t layout_bytes_max(const struct histogram *h)
{
    return 9 + VARBIT_BYTES_MAX * (3 + 2 * ((size_t)h->positive_span_count + h->negative_span_count)) +
           VARBIT_BYTES_MAX * ((size_t)h->bound_count + 1);
}

/* ---- what goes together ---- */

static bool same_spans(const struct histogram_span *a, uint32_t a_count, const struct histogram_span *b,
                       uint32_t b_count)
{
    return a_count == b_count && (a == b || a_count == 0 || memcmp(a, b, a_count * sizeof *a) == 0);
}

static bool same_bounds(const struct histogram *a, const struct histogram *b)
{
    return a->bound_count == b->bound_count && (a->bounds == b->bounds || a->bound_count == 0 ||
                                                memcmp(a->bounds, b->bounds, a->bound_count * sizeof *a->bounds) == 0);
}

static bool same_layout(const struct histogram *a, const struct histogram *b)
{
    return a->schema == b->schema && f64_bits(a->zero_threshold) == f64_bits(b->zero_threshold) &&
           same_spans(a->positive_spans, a->positive_span_count, b->positive_spans, b->positive_span_count) &&
           same_spans(a->negative_spans, a->negative_span_count, b->negative_spans, b->negative_span_count) &&
           same_bounds(a, b);
}

static bool follows(const struct histogram *first, const struct histogram *h)
{
    bool stale = value_is_stale(first->sum);
    if (stale || value_is_stale(h->sum))
        return stale && value_is_stale(h->sum);
    if (h->reset_hint != (first->reset_hint == RESET_GAUGE ? RESET_GAUGE : RESET_NO))
        return false;
    return same_layout(first, h);
}

uint32_t prom_chunk_fit(const struct histogram *const *hists, uint32_t count)
{
    uint32_t n = 1;
    assert(count > 0);
    while (n < count && n < PROM_CHUNK_SAMPLES_MAX && follows(hists[0], hists[n]))
        n++;
    return n;
}

/* ---- samples ---- */

static uint8_t flags_of(const struct histogram *first)
{
    static const uint8_t flags[] = {
        [RESET_UNKNOWN] = 0, [RESET_YES] = FLAG_RESET, [RESET_NO] = FLAG_NO_RESET, [RESET_GAUGE] = FLAG_GAUGE};
    return flags[first->reset_hint & 3];
}

struct columns {
    struct prom_column *list; /* count, zero count, sum, positive, negative */
    struct bits *bits;
    uint32_t at;
    bool first;
};

static void put_number(struct columns *c, double v)
{
    struct prom_column *column = &c->list[c->at++];
    if (c->first) {
        *column = (struct prom_column){.bits = f64_bits(v), .leading = PROM_NO_WINDOW};
        bits_put(c->bits, column->bits, 64);
    } else {
        prom_put_value(c->bits, column, v);
    }
}

static void put_numbers(struct columns *c, const struct histogram *h)
{
    c->at = 0;
    put_number(c, h->count);
    put_number(c, h->zero_count);
    put_number(c, h->sum);
    for (uint32_t i = 0; i < h->positive_count; i++)
        put_number(c, h->positive[i]);
    for (uint32_t i = 0; i < h->negative_count; i++)
        put_number(c, h->negative[i]);
}

void prom_chunk_histograms(const int64_t *times_ms, const struct histogram *const *hists, uint32_t count,
                           struct buf *out)
{
    assert(count >= 1 && count <= PROM_CHUNK_SAMPLES_MAX);
    bool stale = value_is_stale(hists[0]->sum);
    const struct histogram empty = {.sum = hists[0]->sum}, *first = stale ? &empty : hists[0];
    size_t numbers = FIXED_COLUMNS + (size_t)first->positive_count + first->negative_count;
    size_t sample_bytes = VARBIT_BYTES_MAX + (numbers * PROM_XOR_BITS_MAX + 7) / 8;
    uint8_t *start = buf_reserve(out, 3 + layout_bytes_max(first) + count * sample_bytes + 8);
    if (!start)
        return; /* out has failed, as its owner sees */
    struct bits b = {.next = start};
    struct columns c = {.list = mem_array(numbers, sizeof *c.list), .bits = &b};
    bits_put_short(&b, count, 16);
    bits_put_short(&b, flags_of(hists[0]), 8);
    put_layout(&b, first);
    int64_t delta = 0, last = 0;
    for (uint32_t i = 0; i < count; i++) {
        int64_t next = i ? times_ms[i] - last : 0;
        put_int(&b, i ? next - delta : times_ms[0]);
        c.first = i == 0;
        put_numbers(&c, stale ? &empty : hists[i]);
        delta = next;
        last = times_ms[i];
    }
    out->len += (size_t)(bits_finish(&b) - start);
    mem_free(c.list);
}
