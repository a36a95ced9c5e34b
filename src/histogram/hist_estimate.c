/* hist_estimate.c - what a histogram tells about its observations: quantiles, fractions, spread. */
#include <math.h>

#include "histogram/hist_internal.h"
#include "numeric/gomath.h"

double hist_fraction_below(const struct histogram_bucket *b, double v, bool linear)
{
    if (linear)
        return (v - b->lower) / (b->upper - b->lower);
    double lower = gomath_log2(fabs(b->lower)), upper = gomath_log2(fabs(b->upper)), at = gomath_log2(fabs(v));
    if (v > 0)
        return (at - lower) / (upper - lower);
    return 1 - (at - upper) / (lower - upper);
}

/* A zero bucket next to buckets of one sign only ends at 0 on the other side. */
static void cut_one_sided(struct histogram_bucket *b, const struct histogram *h)
{
    if (h->negative_count == 0 && h->positive_count > 0)
        b->lower = 0;
    else if (h->positive_count == 0 && h->negative_count > 0)
        b->upper = 0;
}

/* ---- Quantile ---- */

struct ranked {
    struct histogram_iter it;
    struct histogram_bucket bucket; /* in which the rank falls, or the last one */
    double count;                   /* of all buckets up to it */
    double rank;
    bool forward;
};

static void find_rank(struct ranked *r, double phi, const struct histogram *h)
{
    r->forward = isnan(h->sum) || phi < 0.5;
    r->rank = (r->forward ? phi : 1 - phi) * h->count;
    r->count = 0;
    r->bucket = (struct histogram_bucket){0};
    histogram_iter_init(&r->it, h, r->forward ? HISTOGRAM_ALL : HISTOGRAM_ALL_REVERSE);
    while (histogram_next(&r->it)) {
        r->bucket = r->it.bucket;
        if (r->bucket.count == 0)
            continue;
        r->count += r->bucket.count;
        if (r->count >= r->rank)
            return;
    }
}

static double interpolate(const struct histogram_bucket *b, double fraction, bool custom)
{
    if (custom || (b->lower <= 0 && b->upper >= 0))
        return b->lower + (b->upper - b->lower) * fraction;
    double lower = gomath_log2(fabs(b->lower)), upper = gomath_log2(fabs(b->upper));
    if (b->lower > 0)
        return gomath_exp2(lower + (upper - lower) * fraction);
    return -gomath_exp2(upper + (lower - upper) * (1 - fraction));
}

/*
 * NaN observations are in the count but in no bucket.  Like Prometheus 3.15, which reuses its variable, this
 * leaves the histogram's last bucket as the one to interpolate in.
 */
static void note_skew(struct ranked *r, const struct histogram *h, unsigned *notes)
{
    while (histogram_next(&r->it)) {
        r->bucket = r->it.bucket;
        r->count += r->bucket.count;
    }
    if (r->count < h->count)
        *notes |= HISTOGRAM_QUANTILE_SKEWED;
}

double histogram_quantile(double phi, const struct histogram *h, unsigned *notes)
{
    unsigned ignored = 0;
    notes = notes ? notes : &ignored;
    if (phi < 0)
        return -INFINITY;
    if (phi > 1)
        return INFINITY;
    if (h->count == 0 || isnan(phi))
        return NAN;
    struct ranked r;
    find_rank(&r, phi, h);
    bool custom = histogram_is_custom(h);
    if (custom && r.bucket.lower == -INFINITY) {
        if (r.bucket.upper <= 0)
            return r.bucket.upper;
        r.bucket.lower = 0;
    } else if (custom && r.bucket.upper == INFINITY) {
        return r.bucket.lower;
    } else if (!custom && r.bucket.lower < 0 && r.bucket.upper > 0) {
        cut_one_sided(&r.bucket, h);
    }
    if (r.count > h->count)
        r.count = h->count;
    if (r.count < r.rank) {
        if (!isnan(h->sum))
            return r.bucket.upper;
        *notes |= HISTOGRAM_QUANTILE_NAN;
        return NAN;
    }
    double rank = r.forward ? r.rank - (r.count - r.bucket.count) : r.count - r.rank;
    if (isnan(h->sum))
        note_skew(&r, h, notes);
    return interpolate(&r.bucket, rank / r.bucket.count, custom);
}

/* ---- Fraction ---- */

/* Observations below the two limits, as far as they were found. */
struct limits {
    double at[2], rank[2];
    bool set[2];
};

/* Observations up to v, which lies in the bucket; `rank` of them are in the buckets before. */
static double rank_inside(const struct histogram_bucket *b, double rank, double v, bool linear)
{
    if (linear && b->lower == -INFINITY)
        return b->count;
    return rank + b->count * hist_fraction_below(b, v, linear);
}

/* Looks for the limits in one bucket; true when both are known. */
static bool limits_visit(struct limits *l, const struct histogram_bucket *b, double rank, bool linear)
{
    for (int i = 0; i < 2; i++)
        if (!l->set[i] && b->lower >= l->at[i]) {
            l->rank[i] = rank;
            l->set[i] = true;
        }
    for (int i = 0; i < 2; i++)
        if (!l->set[i] && b->lower < l->at[i] && b->upper > l->at[i]) {
            l->rank[i] = rank_inside(b, rank, l->at[i], linear);
            l->set[i] = true;
        }
    return l->set[0] && l->set[1];
}

double histogram_fraction(double lower, double upper, const struct histogram *h, unsigned *notes)
{
    unsigned ignored = 0;
    notes = notes ? notes : &ignored;
    if (h->count == 0 || isnan(lower) || isnan(upper))
        return NAN;
    if (lower >= upper)
        return 0;
    struct limits l = {.at = {lower, upper}};
    struct histogram_iter it;
    double rank = 0, count = 0;
    histogram_iter_init(&it, h, HISTOGRAM_ALL);
    while (histogram_next(&it)) {
        struct histogram_bucket b = it.bucket;
        count += b.count;
        bool zero = b.lower <= 0 && b.upper >= 0;
        if (zero)
            cut_one_sided(&b, h);
        if (limits_visit(&l, &b, rank, zero || histogram_is_custom(h)))
            break;
        rank += b.count;
    }
    if (isnan(h->sum)) {
        while (histogram_next(&it))
            count += it.bucket.count;
        if (count < h->count)
            *notes |= HISTOGRAM_FRACTION_NANS;
    } else {
        count = h->count;
    }
    for (int i = 0; i < 2; i++)
        if (!l.set[i] || l.rank[i] > count)
            l.rank[i] = count;
    return (l.rank[1] - l.rank[0]) / h->count;
}

/* ---- Mean and spread ---- */

double histogram_avg(const struct histogram *h)
{
    return h->sum / h->count;
}

/* The value that stands for all observations of a bucket. */
static double center(const struct histogram_bucket *b, bool custom)
{
    if (custom)
        return (b->upper + b->lower) / 2.0;
    if (b->lower <= 0 && b->upper >= 0)
        return 0;
    double v = sqrt(b->upper * b->lower);
    return b->upper < 0 ? -v : v;
}

double histogram_stdvar(const struct histogram *h)
{
    struct histogram_iter it;
    double mean = h->sum / h->count, sum = 0, c = 0;
    histogram_iter_init(&it, h, HISTOGRAM_ALL);
    while (histogram_next(&it)) {
        if (it.bucket.count == 0)
            continue;
        double delta = center(&it.bucket, histogram_is_custom(h)) - mean;
        gomath_kahan_add(it.bucket.count * delta * delta, &sum, &c);
    }
    sum += c;
    return sum / h->count;
}

double histogram_stddev(const struct histogram *h)
{
    return sqrt(histogram_stdvar(h));
}
