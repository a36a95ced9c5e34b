/*
 * range_lanes.h - eight windows of a series laid side by side for the kernels.
 */
#ifndef PROMQL_RANGE_LANES_H
#define PROMQL_RANGE_LANES_H

#include "promql/range.h"
#include "promql/step_kernels.h"

/* Up to eight steps whose windows hold samples; missing lanes repeat the first. */
struct eight {
    uint32_t count;
    uint32_t steps[KERNEL_LANES];
    struct window windows[KERNEL_LANES];
    uint32_t len; /* of the shortest window */
};
typedef void (*eight_fn)(struct range_call *c, const struct eight *g);
/* Calls fn with the windows of at least `least` samples, eight at a time. */
void each_eight(struct range_call *c, uint32_t least, eight_fn fn);

/* The column's values (or times) as the kernels want them, for g->len values of each window. */
struct kernel_windows lanes_values(struct range_call *c, const struct eight *g);
struct kernel_windows lanes_times(struct range_call *c, const struct eight *g);

#endif
