/*
 * quantile.h - the interpolated quantile of a set of values.
 *
 * Order: NaN first, then ascending, -0 before +0.
 */
#ifndef PROMQL_QUANTILE_H
#define PROMQL_QUANTILE_H

#include <math.h>
#include <stdbool.h>
#include <stddef.h>

static inline bool quantile_less(double a, double b)
{
    if (isnan(a) || isnan(b))
        return isnan(a) && !isnan(b);
    return a < b || (a == b && signbit(a) > signbit(b));
}

void quantile_sort(double *v, size_t n);
/* Of values in order.  Both neighbours are always multiplied, so an infinite one of weight 0 gives NaN: that is
   the contract. */
double quantile_sorted(double phi, const double *v, size_t n);
/* The same of values in any order, which it changes; linear time on average. */
double quantile_select(double phi, double *v, size_t n);
/*
 * Zeros of both signs are equal, and which of them a quantile falls on follows from the reference's unstable sort.
 * Whether this result has to be asked of quantile_reference, which performs it; `v` in order of arrival.
 */
bool quantile_ambiguous(double result, const double *v, size_t n);
double quantile_reference(double phi, double *v, size_t n);

#endif
