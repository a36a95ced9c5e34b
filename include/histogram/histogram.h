/*
 * histogram.h - the algebra of native histograms, with the bits and notes of Prometheus.
 *
 * Every operation takes const histograms and makes its result in an arena; the result may share spans
 * and bounds with an operand, so operands must live as long (they do when both hang on one query's
 * arena).  Schemas are those of model/histogram.h; what wire and disk bring is checked and lowered
 * by histogram_validate and histogram_from_integers before it comes here.
 *
 * Threads: any.
 */
#ifndef HISTOGRAM_HISTOGRAM_H
#define HISTOGRAM_HISTOGRAM_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "model/histogram.h"

/* What an operation has to tell the user; functions only set bits, never clear them. */
enum histogram_note {
    HISTOGRAM_COLLISION = 1,         /* one side says "reset", the other "no reset" */
    HISTOGRAM_BOUNDS_RECONCILED = 2, /* custom bounds differed; reduced to the common ones */
    HISTOGRAM_QUANTILE_NAN = 4,      /* the quantile falls among NaN observations */
    HISTOGRAM_QUANTILE_SKEWED = 8,   /* NaN observations shift the quantile */
    HISTOGRAM_FRACTION_NANS = 16,    /* NaN observations are left out of the fraction */
};

static inline bool histogram_is_custom(const struct histogram *h)
{
    return h->schema == HISTOGRAM_SCHEMA_CUSTOM;
}

/* ---- Buckets ---- */

struct histogram_bucket {
    double lower, upper, count;
    int32_t index; /* within the schema; meaningless for the zero bucket */
    bool lower_inclusive, upper_inclusive;
};
/* Upper bound of bucket `index` of an exponential schema; +Inf past the last. */
double histogram_bound(int32_t index, int32_t schema);

enum histogram_order {
    HISTOGRAM_POSITIVE,         /* from the zero bucket up */
    HISTOGRAM_NEGATIVE,         /* from the zero bucket down */
    HISTOGRAM_POSITIVE_REVERSE, /* from the top down */
    HISTOGRAM_NEGATIVE_REVERSE, /* from the bottom up */
    HISTOGRAM_ALL,              /* negative, zero if its count > 0, positive; cut at the zero threshold */
    HISTOGRAM_ALL_REVERSE,
};
struct histogram_iter {
    const struct histogram *h;
    struct histogram_bucket bucket; /* valid after histogram_next returned true */
    enum histogram_order order;
    uint8_t part, side;
    bool reverse;
    int64_t index, in_span, span, at;
};
/* histogram_iter_init, then `while (histogram_next(&it))` look at it.bucket. */
void histogram_iter_init(struct histogram_iter *it, const struct histogram *h, enum histogram_order order);
bool histogram_next(struct histogram_iter *it);
struct histogram_bucket histogram_zero_bucket(const struct histogram *h);

/* ---- Operations; exponential against custom is ERR_INVALID ---- */

const struct histogram *histogram_copy(struct arena *arena, const struct histogram *h); /* deep */
const struct histogram *histogram_with_hint(struct arena *arena, const struct histogram *h, enum reset_hint hint);
const struct histogram *histogram_mul(struct arena *arena, const struct histogram *h, double factor);
const struct histogram *histogram_div(struct arena *arena, const struct histogram *h, double divisor);
MUST_CHECK enum err histogram_add(struct arena *arena, const struct histogram *a, const struct histogram *b,
                                  const struct histogram **out, unsigned *notes);
/* The hint is combined as by add; PromQL's "-" and rates set RESET_GAUGE afterwards. */
MUST_CHECK enum err histogram_sub(struct arena *arena, const struct histogram *a, const struct histogram *b,
                                  const struct histogram **out, unsigned *notes);
const struct histogram *histogram_compact(struct arena *arena, const struct histogram *h); /* no empty buckets */
/* Merges buckets to a coarser exponential schema; h itself when it is there already.  Keeps the hint. */
const struct histogram *histogram_reduce(struct arena *arena, const struct histogram *h, int32_t schema);
const struct histogram *histogram_trim_upper(struct arena *arena, const struct histogram *h, double v); /* h </ v */
const struct histogram *histogram_trim_lower(struct arena *arena, const struct histogram *h, double v); /* h >/ v */

/* ---- Compensated sum and mean: sum, avg, sum_over_time, avg_over_time ---- */

struct histogram_total;
struct histogram_total *histogram_total_new(struct arena *arena, const struct histogram *first);
/* Use either add or add_mean on one total, not both. */
MUST_CHECK enum err histogram_total_add(struct histogram_total *t, const struct histogram *h, unsigned *notes);
MUST_CHECK enum err histogram_total_add_mean(struct histogram_total *t, const struct histogram *h, unsigned *notes);
/* The results are not compacted (aggregations do that, over-time functions don't).  The total is spent. */
const struct histogram *histogram_total_sum(struct histogram_total *t);
const struct histogram *histogram_total_mean(struct histogram_total *t);

/* ---- Questions ---- */

bool histogram_detect_reset(const struct histogram *h, const struct histogram *previous); /* honours h's hint */
bool histogram_equal(const struct histogram *a, const struct histogram *b);               /* data, not hints */
bool histogram_bounds_equal(const struct histogram *a, const struct histogram *b);        /* custom bounds */
double histogram_quantile(double phi, const struct histogram *h, unsigned *notes);
double histogram_fraction(double lower, double upper, const struct histogram *h, unsigned *notes);
double histogram_avg(const struct histogram *h);
double histogram_stdvar(const struct histogram *h);
double histogram_stddev(const struct histogram *h);

/* ---- Text ---- */

void histogram_print(const struct histogram *h, struct buf *out); /* {count:5, sum:2.5, (0.5,1]:3, ...} */
void histogram_print_expression(const struct histogram *h,
                                struct buf *out); /* {{schema:1 count:5 ...}}, for test scripts */

/* ---- From the wire ---- */

/* An integer histogram: bucket counts as deltas, the first absolute. */
struct histogram_integers {
    int32_t schema;
    enum reset_hint reset_hint;
    uint64_t zero_count, count;
    double zero_threshold, sum;
    uint32_t positive_span_count, negative_span_count;
    uint32_t positive_count, negative_count, bound_count;
    const struct histogram_span *positive_spans, *negative_spans;
    const int64_t *positive, *negative;
    const double *bounds;
};
/* As the receiver of a write checks: ERR_INVALID with Prometheus' text.  Schemas 9..52 are allowed: they get reduced.
 */
MUST_CHECK enum err histogram_validate_integers(const struct histogram_integers *h, struct errmsg *why);
MUST_CHECK enum err histogram_validate(const struct histogram *h, struct errmsg *why);
/* Of a valid one; borrows spans and bounds, unless schemas 9..52 are reduced to 8. */
const struct histogram *histogram_from_integers(struct arena *arena, const struct histogram_integers *h);

#endif
