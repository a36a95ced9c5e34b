/*
 * smoothed.h - smoothed instant selectors: values on the line between the samples around a step.
 */
#ifndef PROMQL_SMOOTHED_H
#define PROMQL_SMOOTHED_H

#include "promql/range.h"

/* What a step sees within the lookback on both sides. */
struct smoothed_value {
    bool present;
    double v;
    const struct histogram *h;
    const char *warning; /* NULL, or why there is nothing; names the metric at its end */
    struct interpolation_notes notes;
};
/* Steps must come in order; `*at` starts as zeros. */
struct smoothed_cursor {
    struct window floats, hists;
};
struct smoothed_value smoothed_at(const struct column *col, struct smoothed_cursor *at, int64_t t_ms,
                                  int64_t lookback_ms, struct arena *arena);

#endif
