/* hist_trim.c - the operators </ and >/: keep the observations below or above a value. */
#include <math.h>
#include <string.h>

#include "histogram/hist_internal.h"

struct trim {
    double at;
    bool upper;  /* keep what is below */
    bool linear; /* custom buckets */
};

struct kept {
    double count, midpoint; /* midpoint stands for the kept observations in the new sum */
};

static double zero_if_infinite(double v)
{
    return isinf(v) ? 0 : v;
}

/* Of the observations between two bounds. */
static double midpoint(double lower, double upper, bool positive, bool linear)
{
    if (isinf(lower)) {
        if (isinf(upper))
            return 0;
        return upper > 0 ? upper / 2 : upper;
    }
    if (isinf(upper))
        return lower;
    if (linear)
        return (lower + upper) / 2;
    double mean = sqrt(fabs(lower * upper));
    return positive ? mean : -mean;
}

/* A bucket from -Inf on: nobody knows how its observations lie, so all or nothing, but for (-Inf, u > 0]. */
static struct kept split_lowest(const struct histogram_bucket *b, const struct trim *t)
{
    bool from_zero = b->upper > 0 && !isinf(b->upper); /* taken as (0, upper] */
    if (t->upper) {
        if (t->at >= b->upper)
            return (struct kept){b->count, 0};
        if (t->at > 0 && from_zero)
            return (struct kept){b->count * t->at / b->upper, t->at / 2};
        if (b->upper <= 0)
            return (struct kept){b->count, t->at};
        return (struct kept){0, zero_if_infinite(b->upper)};
    }
    if (t->at <= b->lower)
        return (struct kept){b->count, 0};
    if (t->at >= 0 && b->upper > t->at && !isinf(b->upper))
        return (struct kept){b->count * (1 - t->at / b->upper), (t->at + b->upper) / 2};
    return (struct kept){0, zero_if_infinite(b->upper)};
}

static struct kept split_highest(const struct histogram_bucket *b, const struct trim *t)
{
    if (!t->upper && t->at >= b->lower)
        return (struct kept){b->count, t->at};
    return (struct kept){0, zero_if_infinite(b->lower)};
}

static double count_below(const struct histogram_bucket *b, const struct trim *t)
{
    if (t->at <= b->lower)
        return 0;
    if (t->at >= b->upper)
        return b->count;
    return b->count * hist_fraction_below(b, t->at, t->linear);
}

/* A bucket that the cut goes through. */
static struct kept split(const struct histogram_bucket *b, const struct trim *t, bool positive)
{
    if (b->lower == -INFINITY)
        return split_lowest(b, t);
    if (b->upper == INFINITY)
        return split_highest(b, t);
    double below = count_below(b, t);
    if (t->upper)
        return (struct kept){below, midpoint(b->lower, t->at, positive, t->linear)};
    return (struct kept){b->count - below, midpoint(t->at, b->upper, positive, t->linear)};
}

static struct kept trim_bucket(const struct histogram_bucket *b, const struct trim *t, bool positive)
{
    if (t->upper ? b->upper <= t->at : b->lower >= t->at)
        return (struct kept){b->count, midpoint(b->lower, b->upper, positive, t->linear)};
    if (t->upper ? b->lower < t->at : b->upper > t->at)
        return split(b, t, positive);
    return (struct kept){0, 0};
}

static struct kept trim_zero(const struct histogram *h, const struct trim *t, bool positive, bool negative)
{
    double lower = positive && !negative ? 0 : -h->zero_threshold;
    double upper = negative && !positive ? 0 : h->zero_threshold;
    bool all = t->upper ? t->at >= upper && !(t->at <= lower) : t->at <= lower;
    bool none = t->upper ? t->at <= lower : t->at >= upper && !(t->at <= lower);
    if (none)
        return (struct kept){0, 0};
    if (all)
        return (struct kept){h->zero_count, (lower + upper) / 2};
    double fraction = t->upper ? (t->at - lower) / (upper - lower) : (upper - t->at) / (upper - lower);
    return (struct kept){h->zero_count * fraction, t->upper ? (lower + t->at) / 2 : (t->at + upper) / 2};
}

struct totals {
    double count, sum;
    bool changed, any[2]; /* any: the side has observations */
};

/* Returns the side's buckets after the cut: the old array as long as nothing changed. */
static const double *trim_side(struct arena *arena, const struct histogram *h, int side, const struct trim *t,
                               struct totals *totals)
{
    struct hist_side s = hist_side_of(h, side);
    double *copy = NULL;
    struct hist_walk w;
    hist_walk_init(&w, &s);
    while (hist_walk_next(&w)) {
        if (s.buckets[w.at] == 0)
            continue;
        totals->any[side] = true;
        struct histogram_bucket b = hist_bucket_at(h, side, w.index, s.buckets[w.at]);
        struct kept kept = trim_bucket(&b, t, side == HIST_POSITIVE);
        totals->count += kept.count;
        totals->sum += kept.midpoint * kept.count;
        if (s.buckets[w.at] == kept.count)
            continue;
        if (!copy) {
            copy = arena_alloc(arena, s.bucket_count * sizeof *copy);
            memcpy(copy, s.buckets, s.bucket_count * sizeof *copy);
        }
        copy[w.at] = kept.count;
        totals->changed = true;
    }
    return copy ? copy : s.buckets;
}

static const struct histogram *trim(struct arena *arena, const struct histogram *h, double at, bool upper)
{
    struct trim t = {at, upper, histogram_is_custom(h)};
    struct totals totals = {0};
    struct histogram *out = ARENA_NEW(arena, struct histogram);
    *out = *h;
    out->positive = trim_side(arena, h, HIST_POSITIVE, &t, &totals);
    out->negative = trim_side(arena, h, HIST_NEGATIVE, &t, &totals);
    if (h->zero_count > 0) {
        struct kept kept = trim_zero(h, &t, totals.any[HIST_POSITIVE], totals.any[HIST_NEGATIVE]);
        totals.changed |= h->zero_count != kept.count;
        out->zero_count = kept.count;
        totals.sum += kept.midpoint * kept.count;
        totals.count += kept.count;
    }
    if (!totals.changed)
        return out;
    out->count = totals.count;
    out->sum = totals.sum;
    return histogram_compact(arena, out);
}

const struct histogram *histogram_trim_upper(struct arena *arena, const struct histogram *h, double v)
{
    return trim(arena, h, v, true);
}

const struct histogram *histogram_trim_lower(struct arena *arena, const struct histogram *h, double v)
{
    return trim(arena, h, v, false);
}
