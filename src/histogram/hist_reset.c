/* hist_reset.c - whether a counter was reset between two histograms, and whether two are the same. */
#include <math.h>
#include <string.h>

#include "base/bytes.h"
#include "histogram/hist_internal.h"

/* Buckets of a side, merged to a coarser schema, without those that end at or below the threshold. */
struct coarse_walk {
    struct hist_walk walk;
    int32_t schema, target;
    double threshold;
    bool pending, skipping; /* pending: walk stands on a bucket that was not used yet */
    int32_t index;
    double count;
};

static void coarse_init(struct coarse_walk *c, const struct hist_side *side, int32_t schema, int32_t target,
                        double threshold)
{
    *c = (struct coarse_walk){.schema = schema, .target = target, .threshold = threshold, .skipping = threshold != 0};
    hist_walk_init(&c->walk, side);
    c->pending = hist_walk_next(&c->walk);
}

static int32_t coarse_index(const struct coarse_walk *c)
{
    return c->schema == c->target ? (int32_t)c->walk.index : hist_target_index(c->walk.index, c->schema, c->target);
}

static bool coarse_next(struct coarse_walk *c)
{
    for (;;) {
        if (!c->pending)
            return false;
        c->index = coarse_index(c);
        c->count = 0;
        do {
            c->count += c->walk.side->buckets[c->walk.at];
            c->pending = hist_walk_next(&c->walk);
        } while (c->pending && c->schema != c->target && coarse_index(c) == c->index);
        if (!c->skipping || c->target == HISTOGRAM_SCHEMA_CUSTOM || histogram_bound(c->index, c->target) > c->threshold)
            break;
    }
    c->skipping = false;
    return true;
}

static bool same_layout(const struct hist_side *a, const struct hist_side *b)
{
    return a->span_count == b->span_count && a->bucket_count == b->bucket_count &&
           (a->span_count == 0 || memcmp(a->spans, b->spans, a->span_count * sizeof *a->spans) == 0);
}

/* buckets_shrank for two sides of one schema and layout: position by position. */
static bool counts_shrank(const struct hist_side *now, const struct hist_side *before, int32_t schema, double threshold)
{
    struct hist_walk w;
    uint32_t i = 0;
    hist_walk_init(&w, now);
    if (threshold != 0 && schema != HISTOGRAM_SCHEMA_CUSTOM)
        while (hist_walk_next(&w) && histogram_bound((int32_t)w.index, schema) <= threshold)
            i = w.at + 1;
    bool shrank = false;
    for (; i < now->bucket_count; i++)
        shrank |= now->buckets[i] < before->buckets[i];
    return shrank;
}

/* Whether any bucket of `previous` is missing now or has less in it. */
static bool buckets_shrank(struct coarse_walk *now, struct coarse_walk *previous)
{
    bool have = coarse_next(now);
    while (coarse_next(previous)) {
        while (have && now->index < previous->index)
            have = coarse_next(now);
        if (have && now->index == previous->index ? now->count < previous->count : previous->count != 0)
            return true;
    }
    return false;
}

bool histogram_bounds_equal(const struct histogram *a, const struct histogram *b)
{
    if (a->bound_count != b->bound_count)
        return false;
    for (uint32_t i = 0; i < a->bound_count; i++)
        if (a->bounds[i] != b->bounds[i])
            return false;
    return true;
}

/* What a walk over custom buckets has up to and including the bound. */
static double take_up_to(struct histogram_iter *it, bool *have, double bound)
{
    double sum = 0;
    while (*have && it->bucket.upper <= bound) {
        sum += it->bucket.count;
        *have = histogram_next(it);
    }
    return sum;
}

/* Custom buckets with other bounds: compares what lies between bounds that both have. */
static bool common_buckets_shrank(const struct histogram *h, const struct histogram *previous)
{
    struct histogram_iter now, before;
    histogram_iter_init(&now, h, HISTOGRAM_POSITIVE);
    histogram_iter_init(&before, previous, HISTOGRAM_POSITIVE);
    bool have_now = histogram_next(&now), have_before = histogram_next(&before);
    for (uint32_t i = 0, j = 0; i <= h->bound_count && j <= previous->bound_count;) {
        double a = i < h->bound_count ? h->bounds[i] : INFINITY;
        double b = j < previous->bound_count ? previous->bounds[j] : INFINITY;
        if (a == b) {
            double sum = take_up_to(&now, &have_now, a);
            if (sum < take_up_to(&before, &have_before, a))
                return true;
            i++;
            j++;
        } else if (a < b) {
            i++;
        } else {
            j++;
        }
    }
    return false;
}

/* Whether previous' zero bucket, seen with h's threshold, has more in it or does not fit. */
static bool zero_bucket_shrank(const struct histogram *h, const struct histogram *previous)
{
    double threshold = h->zero_threshold;
    if (threshold == previous->zero_threshold)
        return h->zero_count < previous->zero_count;
    struct hist_side sides[2] = {hist_side_of(previous, HIST_POSITIVE), hist_side_of(previous, HIST_NEGATIVE)};
    struct hist_sum zero = {previous->zero_count, 0};
    zero = hist_zero_count(sides, previous->schema, zero, &threshold);
    return threshold != h->zero_threshold || h->zero_count < zero.v;
}

bool histogram_detect_reset(const struct histogram *h, const struct histogram *previous)
{
    if (h->reset_hint == RESET_YES)
        return true;
    if (h->reset_hint == RESET_NO)
        return false;
    if (h->count < previous->count)
        return true;
    if (histogram_is_custom(h)) {
        if (!histogram_is_custom(previous))
            return true;
        if (!histogram_bounds_equal(h, previous))
            return common_buckets_shrank(h, previous);
    }
    if (h->schema > previous->schema || h->zero_threshold < previous->zero_threshold || zero_bucket_shrank(h, previous))
        return true;
    for (int i = 0; i < 2; i++) {
        struct hist_side now = hist_side_of(h, i), before = hist_side_of(previous, i);
        if (h->schema == previous->schema && same_layout(&now, &before)) {
            if (counts_shrank(&now, &before, h->schema, h->zero_threshold))
                return true;
            continue;
        }
        struct coarse_walk a, b;
        coarse_init(&a, &now, h->schema, h->schema, h->zero_threshold);
        coarse_init(&b, &before, previous->schema, h->schema, h->zero_threshold);
        if (buckets_shrank(&a, &b))
            return true;
    }
    return false;
}

/* ---- Equality ---- */

/* The next span that has a length, offsets of empty ones added to its own; false at the end. */
static bool next_span(const struct histogram_span *spans, uint32_t count, uint32_t *at, struct histogram_span *out)
{
    *out = (struct histogram_span){0, 0};
    while (*at < count) {
        const struct histogram_span *s = &spans[(*at)++];
        out->offset += s->offset;
        out->length = s->length;
        if (s->length > 0)
            return true;
    }
    return false;
}

static bool sides_equal(const struct hist_side *a, const struct hist_side *b)
{
    struct histogram_span x, y;
    uint32_t i = 0, j = 0;
    for (;;) {
        bool more_x = next_span(a->spans, a->span_count, &i, &x), more_y = next_span(b->spans, b->span_count, &j, &y);
        if (more_x != more_y)
            return false;
        if (!more_x)
            break;
        if (x.offset != y.offset || x.length != y.length)
            return false;
    }
    if (a->bucket_count != b->bucket_count)
        return false;
    for (uint32_t n = 0; n < a->bucket_count; n++)
        if (f64_bits(a->buckets[n]) != f64_bits(b->buckets[n]))
            return false;
    return true;
}

bool histogram_equal(const struct histogram *a, const struct histogram *b)
{
    if (a->schema != b->schema || f64_bits(a->count) != f64_bits(b->count) || f64_bits(a->sum) != f64_bits(b->sum))
        return false;
    if (histogram_is_custom(a) && !histogram_bounds_equal(a, b))
        return false;
    if (a->zero_threshold != b->zero_threshold || f64_bits(a->zero_count) != f64_bits(b->zero_count))
        return false;
    for (int i = 0; i < 2; i++) {
        struct hist_side x = hist_side_of(a, i), y = hist_side_of(b, i);
        if (!sides_equal(&x, &y))
            return false;
    }
    return true;
}
