/*
 * hist_internal.h - one side (positive or negative) of a histogram, and a histogram that can be changed.
 *
 * Operations work on sides: runs of buckets given by spans.  A side that is being built is a hist_buf; one with
 * compensation carries a second array with what Kahan sums have lost per bucket.
 */
#ifndef HISTOGRAM_HIST_INTERNAL_H
#define HISTOGRAM_HIST_INTERNAL_H

#include "histogram/histogram.h"

extern const double hist_bounds[256]; /* schema 8, from 0.5 to 1 */

enum { HIST_POSITIVE, HIST_NEGATIVE };

struct hist_side {
    const struct histogram_span *spans;
    const double *buckets, *comp; /* comp is NULL when nothing was lost */
    uint32_t span_count, bucket_count;
};
struct hist_side hist_side_of(const struct histogram *h, int side);

/* Visits the buckets of a side with their indices.  Stops where spans and buckets disagree. */
struct hist_walk {
    const struct hist_side *side;
    uint32_t span, in_span, next; /* next: position of the bucket that comes next */
    int64_t index;                /* of the current bucket, after true */
    uint32_t at;                  /* its position */
};
static inline void hist_walk_init(struct hist_walk *w, const struct hist_side *side)
{
    *w = (struct hist_walk){.side = side, .index = -1};
}
static inline bool hist_walk_next(struct hist_walk *w)
{
    const struct hist_side *s = w->side;
    if (w->next >= s->bucket_count)
        return false;
    w->index++;
    if (w->next == 0 && s->span_count > 0)
        w->index = s->spans[0].offset;
    while (w->span < s->span_count && w->in_span >= s->spans[w->span].length) {
        w->in_span = 0;
        if (++w->span < s->span_count)
            w->index += s->spans[w->span].offset;
    }
    if (w->span >= s->span_count)
        return false;
    w->in_span++;
    w->at = w->next++;
    return true;
}

/* The index that a bucket of `schema` has in the coarser schema `target`. */
static inline int32_t hist_target_index(int64_t index, int32_t schema, int32_t target)
{
    return (int32_t)(((index - 1) >> (schema - target)) + 1);
}

/* A side under construction; capacity is kept for reuse. */
struct hist_buf {
    struct histogram_span *spans;
    double *buckets, *comp; /* comp is NULL without compensation */
    uint32_t span_count, bucket_count, span_capacity, bucket_capacity;
    int64_t end; /* index after the last bucket */
};
void hist_buf_reset(struct hist_buf *b, struct arena *arena, uint32_t spans, uint32_t buckets, bool compensated);
void hist_buf_copy(struct hist_buf *to, struct arena *arena, const struct hist_side *from, bool compensated);
struct hist_side hist_buf_side(const struct hist_buf *b);
/* Appends a bucket, to the last span when it is adjacent to it, else to a new span. */
void hist_buf_add(struct hist_buf *b, int64_t index, double value, double comp);

/* Plain or, when `to` is compensated, by Kahan sums.  `to` must not be `from`'s memory. */
void hist_reduce(struct hist_buf *to, struct arena *arena, const struct hist_side *from, int32_t schema, int32_t target,
                 bool compensated);
void hist_compact(struct hist_buf *to, struct arena *arena, const struct hist_side *from, bool compensated);
bool hist_is_compact(const struct hist_side *side);

struct hist_merge {
    int32_t schema;
    double threshold; /* buckets of b up to here are left out: they are in the zero bucket */
    double sign;      /* of b: 1 or -1 */
    bool compensated;
};
/* a + b * sign; b's buckets go into a's spans where they can, as Prometheus inserts them. */
void hist_merge(struct hist_buf *to, struct arena *arena, const struct hist_side *a, const struct hist_side *b,
                const struct hist_merge *m);
/* In place when b has a's layout and nothing is left out; false when it hasn't. */
bool hist_merge_same(struct hist_buf *a, const struct hist_side *b, const struct hist_merge *m);
/* Both mapped to the bounds they have in common, which *common gets. */
struct hist_custom {
    const double *bounds;
    uint32_t count;
};
void hist_merge_custom(struct hist_buf *to, struct arena *arena, const struct hist_side *a, struct hist_custom a_bounds,
                       const struct hist_side *b, struct hist_custom b_bounds, const struct hist_merge *m,
                       struct hist_custom *common);

struct hist_sum {
    double v, c; /* value, and what was lost */
};

/* A histogram that operations change. */
struct hist_work {
    struct arena *arena;
    int32_t schema;
    enum reset_hint hint;
    bool compensated;
    double zero_threshold;
    struct hist_sum zero_count, count, sum;
    struct hist_custom custom;
    struct hist_buf side[2], spare;
};
void hist_work_init(struct hist_work *w, struct arena *arena, const struct histogram *h, bool compensated);
void hist_work_copy(struct hist_work *to, const struct hist_work *from);
enum err hist_work_add(struct hist_work *w, const struct histogram *h, double sign, unsigned *notes);
void hist_work_compact(struct hist_work *w);
const struct histogram *hist_work_result(struct hist_work *w); /* shares the arrays */

/* The part of the bucket that lies below v, between 0 and 1; v is inside its finite bounds. */
double hist_fraction_below(const struct histogram_bucket *b, double v, bool linear);
struct histogram_bucket hist_bucket_at(const struct histogram *h, int side, int64_t index, double count);

/* What the zero count would be with a larger threshold, which may grow further: *threshold is in and out. */
struct hist_sum hist_zero_count(const struct hist_side side[2], int32_t schema, struct hist_sum zero_count,
                                double *threshold);

#endif
