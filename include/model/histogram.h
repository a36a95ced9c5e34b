/*
 * histogram.h - a native histogram sample, in the float form that PromQL computes with.
 *
 * Exponential schemas -4..8 (9..52 are stored, reduced to 8 on read) and custom buckets (schema -53),
 * as in Prometheus' model/histogram.FloatHistogram.  Integer histograms are converted when read.
 * Arithmetic lives in folder `histogram`; this is the shape that storage and wire share.
 *
 * Ownership: the arrays belong to whoever made the histogram (arena or reader).
 */
#ifndef MODEL_HISTOGRAM_H
#define MODEL_HISTOGRAM_H

#include <stdint.h>

enum { HISTOGRAM_SCHEMA_CUSTOM = -53, HISTOGRAM_SCHEMA_MIN = -4, HISTOGRAM_SCHEMA_MAX = 8 };

enum reset_hint { RESET_UNKNOWN, RESET_YES, RESET_NO, RESET_GAUGE }; /* as on the wire */

struct histogram_span {
    int32_t offset;  /* gap to the previous span, or the first index */
    uint32_t length; /* consecutive buckets */
};

struct histogram {
    int32_t schema;
    uint32_t reset_hint; /* enum reset_hint */
    double zero_threshold, zero_count, count, sum;
    uint32_t positive_span_count, negative_span_count;
    uint32_t positive_count, negative_count, bound_count; /* lengths of the arrays below */
    const struct histogram_span *positive_spans, *negative_spans;
    const double *positive, *negative; /* absolute counts, not deltas */
    const double *bounds;              /* custom upper bounds, without +Inf; schema -53 only */
};

#endif
