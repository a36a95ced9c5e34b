/*
 * hist.h - quantiles and fractions of histograms, classic (series with le) and native.
 */
#ifndef PROMQL_HIST_H
#define PROMQL_HIST_H

#include "promql/ops.h"

/* A classic histogram at one step: cumulative counts by upper bound, sorted; equal bounds may repeat. */
struct classic {
    uint32_t count;
    double *bounds, *counts; /* worked on in place */
};

/* What had to be done to make counts ascend. */
struct classic_repair {
    bool forced;
    double bound_min, bound_max, diff_max;
};
double classic_quantile(double phi, struct classic *h, struct classic_repair *repair);
double classic_fraction(double lower, double upper, struct classic *h);

/* histogram_quantile, histogram_quantiles, histogram_fraction. */
struct oper *bucket_op_new(const struct node *call, struct oper *const *args, uint32_t arg_count);

#endif
