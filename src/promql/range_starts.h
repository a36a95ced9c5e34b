/*
 * range_starts.h - start timestamps: a counter that says when it began to count.
 *
 * Only with the feature use-start-timestamps; all functions take NULL for "no start times".
 */
#ifndef PROMQL_RANGE_STARTS_H
#define PROMQL_RANGE_STARTS_H

#include "promql/range.h"

/* Whether the counter was reset between sample i - 1 and i, by what their start times say. */
bool starts_reset(const int64_t *starts, const int64_t *times, uint32_t i);
/* Whether sample i claims to have started before sample i - 1, and not where that one did. */
bool starts_overlap(const int64_t *starts, const int64_t *times, uint32_t i);
/* rate and increase of floats with start times. */
void range_rate_starts(struct range_call *c);

/* What the difference of a window is multiplied with. */
double rate_factor(const struct range_op *op, double sampled, double to_start, double to_end);

#endif
