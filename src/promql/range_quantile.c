/* range_quantile.c - quantile_over_time, mad_over_time, and the quantile of a set. */
#include <stdlib.h>

#include "promql/range.h"

static int compare_values(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    if (isnan(x))
        return isnan(y) ? 0 : -1;
    if (isnan(y))
        return 1;
    return (x > y) - (x < y);
}

void quantile_sort(double *v, size_t n)
{
    if (n > 32) {
        qsort(v, n, sizeof *v, compare_values);
        return;
    }
    for (size_t i = 1; i < n; i++) {
        double x = v[i];
        size_t j = i;
        for (; j > 0 && (x < v[j - 1] || (isnan(x) && !isnan(v[j - 1]))); j--)
            v[j] = v[j - 1];
        v[j] = x;
    }
}

/* Both neighbours are always multiplied, so an infinite one of weight 0 gives NaN: that is the contract. */
double quantile_sorted(double phi, const double *v, size_t n)
{
    if (isnan(phi) || n == 0)
        return NAN;
    if (phi < 0)
        return -INFINITY;
    if (phi > 1)
        return INFINITY;
    double rank = phi * (double)(n - 1), below = floor(rank);
    size_t lower = below > 0 ? (size_t)below : 0, upper = lower + 1 < n ? lower + 1 : n - 1;
    double weight = rank - below;
    return v[lower] * (1 - weight) + v[upper] * weight;
}

/* The window's values, sorted; scratch has room for them twice. */
static double *sorted_window(const struct range_call *c, struct window w)
{
    double *sorted = (double *)(void *)c->scratch;
    memcpy(sorted, c->col->values + w.lo, window_count(w) * sizeof *sorted);
    quantile_sort(sorted, window_count(w));
    return sorted;
}

void range_quantile(struct range_call *c)
{
    for (uint32_t s = 0; s < c->steps; s++) {
        struct window w = c->windows[s];
        if (window_count(w) == 0)
            continue;
        double phi = c->op->values[0][s];
        if (isnan(phi) || phi < 0 || phi > 1)
            notes_warn(&c->w->notes, range_place(c), "quantile value should be between 0 and 1, got %s",
                       notes_number(&c->w->notes, phi));
        range_put(c, s, quantile_sorted(phi, sorted_window(c, w), window_count(w)));
    }
}

static double deviation(const struct range_call *c, struct window w)
{
    uint32_t n = window_count(w);
    double *sorted = sorted_window(c, w);
    if (isnan(sorted[0])) /* NaN sorts first */
        return NAN;
    double median = quantile_sorted(0.5, sorted, n);
    for (uint32_t i = 0; i < n; i++)
        sorted[i] = fabs(sorted[i] - median);
    quantile_sort(sorted, n);
    return quantile_sorted(0.5, sorted, n);
}

void range_mad(struct range_call *c)
{
    for (uint32_t s = 0; s < c->steps; s++)
        if (window_count(c->windows[s]) > 0)
            range_put(c, s, deviation(c, c->windows[s]));
}
