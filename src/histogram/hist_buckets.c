/* hist_buckets.c - bounds of buckets and the orders in which they are visited. */
#include <float.h>
#include <math.h>

#include "base/bytes.h"
#include "histogram/hist_internal.h"

/* ldexp for a fraction in [0.5, 1): adding to the exponent field, unless the result is no normal number. */
static double scale(double fraction, int exponent)
{
    if (exponent < -1021 || exponent > 1024)
        return ldexp(fraction, exponent);
    return f64_from_bits(f64_bits(fraction) + ((uint64_t)(int64_t)exponent << 52));
}

double histogram_bound(int32_t index, int32_t schema)
{
    if (schema < 0) {
        int64_t exponent = (int64_t)index * ((int64_t)1 << -schema);
        if (exponent == 1024)
            return DBL_MAX; /* +-Inf have the bucket after it */
        return ldexp(1, exponent > 2000 ? 2000 : exponent < -2000 ? -2000 : (int)exponent);
    }
    double fraction = hist_bounds[(index & ((1 << schema) - 1)) << (HISTOGRAM_SCHEMA_MAX - schema)];
    int exponent = (index >> schema) + 1;
    if (fraction == 0.5 && exponent == 1025)
        return DBL_MAX;
    return scale(fraction, exponent);
}

static double custom_bound(const struct histogram *h, int64_t index)
{
    if (index < 0)
        return -INFINITY;
    return index < h->bound_count ? h->bounds[index] : INFINITY;
}

static double bound_of(const struct histogram *h, int64_t index)
{
    return histogram_is_custom(h) ? custom_bound(h, index) : histogram_bound((int32_t)index, h->schema);
}

struct histogram_bucket hist_bucket_at(const struct histogram *h, int side, int64_t index, double count)
{
    struct histogram_bucket b = {.count = count, .index = (int32_t)index};
    if (side == HIST_POSITIVE) {
        b.upper = bound_of(h, index);
        b.lower = bound_of(h, index - 1);
    } else {
        b.lower = -bound_of(h, index);
        b.upper = -bound_of(h, index - 1);
    }
    b.lower_inclusive = histogram_is_custom(h) ? index == 0 : b.lower < 0;
    b.upper_inclusive = histogram_is_custom(h) || b.upper > 0;
    return b;
}

struct histogram_bucket histogram_zero_bucket(const struct histogram *h)
{
    return (struct histogram_bucket){.lower = -h->zero_threshold,
                                     .upper = h->zero_threshold,
                                     .count = h->zero_count,
                                     .lower_inclusive = true,
                                     .upper_inclusive = true};
}

struct hist_side hist_side_of(const struct histogram *h, int side)
{
    if (side == HIST_POSITIVE)
        return (struct hist_side){h->positive_spans, h->positive, NULL, h->positive_span_count, h->positive_count};
    return (struct hist_side){h->negative_spans, h->negative, NULL, h->negative_span_count, h->negative_count};
}

/* ---- Iteration ---- */

enum part { PART_FIRST, PART_ZERO, PART_SECOND, PART_END };

static void seek_start(struct histogram_iter *it, int side, bool reverse)
{
    struct hist_side s = hist_side_of(it->h, side);
    it->side = (uint8_t)side;
    it->reverse = reverse;
    if (!reverse) {
        it->span = it->in_span = it->at = 0;
        it->index = -1;
        return;
    }
    it->span = (int64_t)s.span_count - 1;
    it->at = (int64_t)s.bucket_count - 1;
    it->in_span = s.span_count ? (int64_t)s.spans[s.span_count - 1].length - 1 : -1;
    it->index = 0;
    for (uint32_t i = 0; i < s.span_count; i++)
        it->index += (int64_t)s.spans[i].offset + s.spans[i].length;
}

static bool next_forward(struct histogram_iter *it, const struct hist_side *s)
{
    if (it->at >= s->bucket_count)
        return false;
    it->index++;
    if (it->at == 0 && s->span_count > 0)
        it->index = s->spans[0].offset;
    while (it->span < s->span_count && it->in_span >= s->spans[it->span].length) {
        it->in_span = 0;
        if (++it->span < s->span_count)
            it->index += s->spans[it->span].offset;
    }
    if (it->span >= s->span_count)
        return false;
    it->in_span++;
    it->bucket = hist_bucket_at(it->h, it->side, it->index, s->buckets[it->at++]);
    return true;
}

static bool next_reverse(struct histogram_iter *it, const struct hist_side *s)
{
    it->index--;
    if (it->at < 0)
        return false;
    while (it->in_span < 0) {
        if (--it->span < 0)
            return false;
        it->in_span = (int64_t)s->spans[it->span].length - 1;
        it->index -= s->spans[it->span + 1].offset;
    }
    it->in_span--;
    it->bucket = hist_bucket_at(it->h, it->side, it->index, s->buckets[it->at--]);
    return true;
}

static bool next_of_side(struct histogram_iter *it)
{
    struct hist_side s = hist_side_of(it->h, it->side);
    return it->reverse ? next_reverse(it, &s) : next_forward(it, &s);
}

void histogram_iter_init(struct histogram_iter *it, const struct histogram *h, enum histogram_order order)
{
    *it = (struct histogram_iter){.h = h, .order = order};
    bool negative = order == HISTOGRAM_NEGATIVE || order == HISTOGRAM_NEGATIVE_REVERSE || order == HISTOGRAM_ALL;
    bool reverse = order != HISTOGRAM_POSITIVE && order != HISTOGRAM_NEGATIVE;
    seek_start(it, negative ? HIST_NEGATIVE : HIST_POSITIVE, reverse);
}

/* A bucket that reaches into the zero bucket is shown without that part. */
static void cut_at_zero(struct histogram_iter *it)
{
    double threshold = it->h->zero_threshold;
    if (it->bucket.upper < 0 && it->bucket.upper > -threshold)
        it->bucket.upper = -threshold;
    else if (it->bucket.lower > 0 && it->bucket.lower < threshold)
        it->bucket.lower = threshold;
}

bool histogram_next(struct histogram_iter *it)
{
    if (it->order != HISTOGRAM_ALL && it->order != HISTOGRAM_ALL_REVERSE)
        return next_of_side(it);
    for (; it->part < PART_END; it->part++) {
        if (it->part == PART_ZERO) {
            seek_start(it, it->order == HISTOGRAM_ALL ? HIST_POSITIVE : HIST_NEGATIVE, false);
            if (it->h->zero_count > 0) {
                it->bucket = histogram_zero_bucket(it->h);
                it->part++;
                return true;
            }
        } else if (next_of_side(it)) {
            cut_at_zero(it);
            return true;
        }
    }
    return false;
}
