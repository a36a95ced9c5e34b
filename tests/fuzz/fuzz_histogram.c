/*
 * fuzz_histogram.c - any bytes as two integer histograms: what validation lets through, all operations survive.
 *
 * Input per histogram: schema, hint, zero threshold, zero count, count, sum, number of spans and buckets per
 * side, spans, deltas, bounds; missing bytes are zeros.
 */
#include <math.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "histogram/histogram.h"

struct input {
    const uint8_t *p, *end;
};

static uint64_t take(struct input *in, size_t bytes)
{
    uint64_t v = 0;
    for (size_t i = 0; i < bytes; i++)
        v = v << 8 | (in->p < in->end ? *in->p++ : 0);
    return v;
}

/* Small numbers mostly, so that much of it is valid. */
static int64_t take_small(struct input *in)
{
    uint8_t kind = (uint8_t)take(in, 1);
    return kind < 250 ? (int64_t)(kind % 16) - (kind >= 128 ? 8 : 0) : (int64_t)take(in, 8);
}

static double take_double(struct input *in)
{
    static const double list[] = {0, 1, 0.5, 1e-128, 2, NAN, INFINITY, -INFINITY, 1e308, -1};
    uint8_t kind = (uint8_t)take(in, 1);
    return kind < 200 ? list[kind % 10] : f64_from_bits(take(in, 8));
}

static uint64_t take_side(struct input *in, struct arena *arena, const struct histogram_span **spans,
                          uint32_t *span_count, const int64_t **deltas, uint32_t *delta_count, bool fix)
{
    struct histogram_span *list = ARENA_ARRAY(arena, struct histogram_span, 16);
    int64_t *values = ARENA_ARRAY(arena, int64_t, 64), current = 0;
    uint64_t sum = 0;
    uint32_t need = 0;
    *span_count = (uint32_t)take(in, 1) % 5;
    for (uint32_t i = 0; i < *span_count; i++) {
        list[i] = (struct histogram_span){(int32_t)take_small(in), (uint32_t)take(in, 1) % 6};
        if (fix && i > 0 && list[i].offset < 0)
            list[i].offset = 0;
        need += list[i].length;
    }
    *delta_count = fix ? need : (uint32_t)take(in, 1) % 32;
    for (uint32_t i = 0; i < *delta_count; i++) {
        values[i] = take_small(in);
        if (fix && (values[i] > 1 << 30 || current + values[i] < 0))
            values[i] = 0;
        current = (int64_t)((uint64_t)current + (uint64_t)values[i]);
        sum += (uint64_t)current;
    }
    *spans = list;
    *deltas = values;
    return sum;
}

static const struct histogram *take_histogram(struct input *in, struct arena *arena)
{
    struct histogram_integers h = {.schema = (int32_t)take_small(in)};
    bool fix = take(in, 1) % 8 != 0, custom = take(in, 1) % 4 == 0;
    double *bounds = ARENA_ARRAY(arena, double, 64);
    struct errmsg why;
    if (custom)
        h.schema = HISTOGRAM_SCHEMA_CUSTOM;
    h.reset_hint = (enum reset_hint)(take(in, 1) % 4);
    h.zero_threshold = custom ? 0 : take_double(in);
    h.zero_count = custom ? 0 : take(in, 1);
    h.sum = take_double(in);
    h.count = h.zero_count +
              take_side(in, arena, &h.positive_spans, &h.positive_span_count, &h.positive, &h.positive_count, fix);
    if (!custom)
        h.count += take_side(in, arena, &h.negative_spans, &h.negative_span_count, &h.negative, &h.negative_count, fix);
    h.bound_count = custom ? (uint32_t)take(in, 1) % 40 : 0;
    for (uint32_t i = 0; i < h.bound_count; i++)
        bounds[i] = fix ? (i ? bounds[i - 1] : 0) + (double)(take(in, 1) % 3) + 0.5 : take_double(in);
    h.bounds = bounds;
    if (histogram_validate_integers(&h, &why) != ERR_OK) {
        assert(why.text[0]);
        return NULL;
    }
    const struct histogram *f = histogram_from_integers(arena, &h);
    assert(histogram_validate(f, &why) == ERR_OK);
    return f;
}

static void visit(const struct histogram *h)
{
    struct buf out = {0};
    for (int order = HISTOGRAM_POSITIVE; order <= HISTOGRAM_ALL_REVERSE; order++) {
        struct histogram_iter it;
        uint32_t count = 0;
        histogram_iter_init(&it, h, (enum histogram_order)order);
        while (histogram_next(&it))
            count++;
        assert(count <= h->positive_count + h->negative_count + 1);
    }
    (void)histogram_quantile(0.3, h, NULL);
    (void)histogram_quantile(0.9, h, NULL);
    (void)histogram_fraction(-1, 2, h, NULL);
    (void)histogram_stddev(h);
    histogram_print(h, &out);
    histogram_print_expression(h, &out);
    buf_deinit(&out);
}

static void combine(struct arena *arena, const struct histogram *a, const struct histogram *b, double v)
{
    const struct histogram *res;
    unsigned notes = 0;
    struct histogram_total *sum = histogram_total_new(arena, a), *mean = histogram_total_new(arena, a);
    for (int i = 0; i < 3; i++) {
        enum err err = histogram_total_add(sum, i % 2 ? a : b, &notes);
        assert(err == (histogram_is_custom(a) == histogram_is_custom(b) ? ERR_OK : ERR_INVALID) || i % 2);
        err = histogram_total_add_mean(mean, i % 2 ? a : b, &notes);
        if (err != ERR_OK)
            return;
    }
    visit(histogram_total_sum(sum));
    visit(histogram_total_mean(mean));
    if (histogram_add(arena, a, b, &res, &notes) == ERR_OK)
        visit(histogram_compact(arena, res));
    if (histogram_sub(arena, a, b, &res, &notes) == ERR_OK) {
        visit(res);
        visit(histogram_trim_upper(arena, res, v));
        visit(histogram_trim_lower(arena, res, v));
    }
    (void)histogram_detect_reset(a, b);
    assert(histogram_equal(a, a) || isnan(a->zero_threshold));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct arena arena;
    arena_init(&arena, NULL);
    struct input in = {data, data + bytes};
    double v = take_double(&in);
    const struct histogram *a = take_histogram(&in, &arena), *b = take_histogram(&in, &arena);
    if (a)
        visit(a);
    if (a && b)
        combine(&arena, a, b, v);
    arena_deinit(&arena);
    return 0;
}
