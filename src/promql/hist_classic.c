/* hist_classic.c - quantile and fraction of one classic histogram; the contract is in hist.h. */
#include "promql/hist.h"

#include <float.h>

/* Adds up counts of equal bounds. */
static void coalesce(struct classic *h)
{
    uint32_t n = 0;
    for (uint32_t i = 1; i < h->count; i++) {
        if (h->bounds[i] == h->bounds[n]) {
            h->counts[n] += h->counts[i];
        } else {
            n++;
            h->bounds[n] = h->bounds[i];
            h->counts[n] = h->counts[i];
        }
    }
    h->count = h->count ? n + 1 : 0;
}

static bool almost_equal(double a, double b)
{
    const double epsilon = 1e-12;
    if (isnan(a) && isnan(b))
        return true;
    if (a == b)
        return true;
    double sum = fabs(a) + fabs(b), diff = fabs(a - b);
    if (a == 0 || b == 0 || sum < DBL_MIN)
        return diff < epsilon * DBL_MIN;
    return diff / (sum < DBL_MAX ? sum : DBL_MAX) < epsilon;
}

static void note_forced(struct classic_repair *r, double bound, double diff)
{
    r->bound_min = r->forced ? fmin(r->bound_min, bound) : bound;
    r->bound_max = r->forced ? fmax(r->bound_max, bound) : bound;
    r->diff_max = r->forced ? fmax(r->diff_max, diff) : diff;
    r->forced = true;
}

/* Tiny drops are rounding and go silently; larger ones are worth a note. */
static void make_monotonic(struct classic *h, struct classic_repair *repair)
{
    double before = h->counts[0];
    for (uint32_t i = 1; i < h->count; i++) {
        double now = h->counts[i];
        if (now == before)
            continue;
        if (almost_equal(before, now)) {
            h->counts[i] = before;
        } else if (now < before) {
            note_forced(repair, h->bounds[i], before - now);
            h->counts[i] = before;
        } else {
            before = now;
        }
    }
}

/* The first of n counts that is at least the rank, by halving: with NaN among them that decides which one is found. */
static uint32_t first_reaching(const double *counts, uint32_t n, double rank)
{
    uint32_t lo = 0, hi = n;
    while (lo < hi) {
        uint32_t middle = lo + (hi - lo) / 2;
        if (counts[middle] >= rank)
            hi = middle;
        else
            lo = middle + 1;
    }
    return lo;
}

double classic_quantile(double phi, struct classic *h, struct classic_repair *repair)
{
    *repair = (struct classic_repair){0};
    if (isnan(phi))
        return NAN;
    if (phi < 0)
        return -INFINITY;
    if (phi > 1)
        return INFINITY;
    if (h->count == 0 || !(isinf(h->bounds[h->count - 1]) && h->bounds[h->count - 1] > 0))
        return NAN;
    coalesce(h);
    make_monotonic(h, repair);
    uint32_t last = h->count - 1;
    if (h->count < 2 || h->counts[last] == 0)
        return NAN;
    double rank = phi * h->counts[last];
    uint32_t b = first_reaching(h->counts, last, rank);
    if (b == last)
        return h->bounds[last - 1];
    if (b == 0 && h->bounds[0] <= 0)
        return h->bounds[0];
    double start = 0, end = h->bounds[b], count = h->counts[b];
    if (b > 0) {
        start = h->bounds[b - 1];
        count -= h->counts[b - 1];
        rank -= h->counts[b - 1];
    }
    return start + (end - start) * (rank / count);
}

/* The share of a bucket's observations that lie below v, added to those before it. */
static double rank_within(double lower, double upper, double before, double count, double v)
{
    if (isinf(lower) && lower < 0)
        return count;
    return before + (count - before) * (v - lower) / (upper - lower);
}

double classic_fraction(double lower, double upper, struct classic *h)
{
    if (h->count == 0 || !(isinf(h->bounds[h->count - 1]) && h->bounds[h->count - 1] > 0))
        return NAN;
    coalesce(h);
    double total = h->counts[h->count - 1];
    if (total == 0 || isnan(lower) || isnan(upper))
        return NAN;
    if (lower >= upper)
        return 0;
    double before = 0, lower_rank = 0, upper_rank = 0;
    bool lower_set = false, upper_set = false;
    for (uint32_t i = 0; i < h->count; i++) {
        double end = h->bounds[i], count = h->counts[i];
        double start = i ? h->bounds[i - 1] : end > 0 ? 0 : -INFINITY;
        if (!lower_set && start >= lower) {
            lower_rank = before;
            lower_set = true;
        }
        if (!upper_set && start >= upper) {
            upper_rank = before;
            upper_set = true;
        }
        if (lower_set && upper_set)
            break;
        if (!lower_set && start < lower && end > lower) {
            lower_rank = rank_within(start, end, before, count, lower);
            lower_set = true;
        }
        if (!upper_set && start < upper && end > upper) {
            upper_rank = rank_within(start, end, before, count, upper);
            upper_set = true;
        }
        if (lower_set && upper_set)
            break;
        before = count;
    }
    if (!lower_set || lower_rank > total)
        lower_rank = total;
    if (!upper_set || upper_rank > total)
        upper_rank = total;
    return (upper_rank - lower_rank) / total;
}
