/*
 * range_extended.h - anchored and smoothed selectors.
 */
#ifndef PROMQL_RANGE_EXTENDED_H
#define PROMQL_RANGE_EXTENDED_H

#include "promql/range.h"

/* NULL: the modifier does not go with this function. */
const struct range_function *range_function_extended(enum function_id id, bool smoothed);

/* The line from (t1, y1) to (t2, y2) at t; a counter that drops starts from 0. */
double interpolate(int64_t t1, double y1, int64_t t2, double y2, int64_t t, bool counter);
/* Likewise, `fraction` of the way; NULL where exponential and custom buckets meet. */
const struct histogram *interpolate_hists(struct arena *arena, const struct histogram *h1, const struct histogram *h2,
                                          double fraction, bool counter, struct interpolation_notes *notes);

/* The samples that a bare anchored or smoothed range vector shows: those inside and the two ends. */
struct point;
uint32_t range_extended_points(const struct column *col, int64_t start_ms, int64_t end_ms, bool smoothed,
                               struct point *out); /* room for float_count + 2 */

#endif
