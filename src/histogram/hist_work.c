/* hist_work.c - a histogram that changes: adding with all reconciliations, compacting, handing out the result. */
#include <string.h>

#include "histogram/hist_internal.h"
#include "numeric/gomath.h"

void hist_work_init(struct hist_work *w, struct arena *arena, const struct histogram *h, bool compensated)
{
    *w = (struct hist_work){.arena = arena,
                            .schema = h->schema,
                            .hint = (enum reset_hint)h->reset_hint,
                            .compensated = compensated,
                            .zero_threshold = h->zero_threshold,
                            .zero_count = {h->zero_count, 0},
                            .count = {h->count, 0},
                            .sum = {h->sum, 0},
                            .custom = {h->bounds, h->bound_count}};
    for (int i = 0; i < 2; i++) {
        struct hist_side side = hist_side_of(h, i);
        hist_buf_copy(&w->side[i], arena, &side, compensated);
    }
}

/* `to` is a zeroed one or an earlier copy, whose memory is reused. */
void hist_work_copy(struct hist_work *to, const struct hist_work *from)
{
    struct hist_buf kept[3] = {to->side[0], to->side[1], to->spare};
    *to = *from;
    to->spare = kept[2];
    for (int i = 0; i < 2; i++) {
        struct hist_side side = hist_buf_side(&from->side[i]);
        to->side[i] = kept[i];
        hist_buf_copy(&to->side[i], to->arena, &side, from->compensated);
    }
}

/* The spare becomes the side, the side the spare. */
static void swap_in(struct hist_work *w, int side)
{
    struct hist_buf t = w->side[side];
    w->side[side] = w->spare;
    w->spare = t;
}

void hist_work_compact(struct hist_work *w)
{
    for (int i = 0; i < 2; i++) {
        struct hist_side side = hist_buf_side(&w->side[i]);
        if (hist_is_compact(&side))
            continue;
        hist_compact(&w->spare, w->arena, &side, w->compensated);
        swap_in(w, i);
    }
}

const struct histogram *hist_work_result(struct hist_work *w)
{
    struct histogram *h = ARENA_NEW(w->arena, struct histogram);
    const struct hist_buf *p = &w->side[HIST_POSITIVE], *n = &w->side[HIST_NEGATIVE];
    *h = (struct histogram){
        .schema = w->schema,
        .reset_hint = w->hint,
        .zero_threshold = w->zero_threshold,
        .zero_count = w->zero_count.v,
        .count = w->count.v,
        .sum = w->sum.v,
        .positive_span_count = p->span_count,
        .negative_span_count = n->span_count,
        .positive_count = p->bucket_count,
        .negative_count = n->bucket_count,
        .bound_count = w->custom.count,
        .positive_spans = p->spans,
        .negative_spans = n->spans,
        .positive = p->buckets,
        .negative = n->buckets,
        .bounds = w->custom.bounds,
    };
    return h;
}

/* ---- Zero buckets ---- */

/*
 * Adds the buckets of one side that lie below the threshold to the sum.  When the threshold falls into a
 * bucket with something in it, that bucket comes along: *grown is its far bound then, else 0.
 */
static void swallow(const struct hist_side *side, int32_t schema, double threshold, struct hist_sum *sum, double *grown)
{
    struct hist_walk w;
    *grown = 0;
    hist_walk_init(&w, side);
    while (hist_walk_next(&w)) {
        double near = histogram_bound((int32_t)w.index - 1, schema), far = histogram_bound((int32_t)w.index, schema);
        if (near >= threshold)
            return;
        gomath_kahan_add(side->buckets[w.at], &sum->v, &sum->c);
        if (side->comp)
            gomath_kahan_add(side->comp[w.at], &sum->v, &sum->c);
        if (far > threshold) {
            if (side->buckets[w.at] != 0)
                *grown = far;
            return;
        }
    }
}

struct hist_sum hist_zero_count(const struct hist_side side[2], int32_t schema, struct hist_sum zero_count,
                                double *threshold)
{
    struct hist_sum sum = zero_count;
    for (;;) {
        double grown;
        sum.v = zero_count.v; /* but what was lost stays, also from a round that is repeated */
        swallow(&side[HIST_POSITIVE], schema, *threshold, &sum, &grown);
        if (grown > 0)
            *threshold = grown;
        swallow(&side[HIST_NEGATIVE], schema, *threshold, &sum, &grown);
        if (grown == 0)
            return sum;
        *threshold = grown; /* the positive side has to be counted again */
    }
}

/* Empties the buckets that the zero bucket has taken over. */
static void trim_zero_bucket(struct hist_work *w)
{
    for (int i = 0; i < 2; i++) {
        struct hist_side side = hist_buf_side(&w->side[i]);
        struct hist_walk walk;
        hist_walk_init(&walk, &side);
        while (hist_walk_next(&walk) && histogram_bound((int32_t)walk.index - 1, w->schema) < w->zero_threshold) {
            w->side[i].buckets[walk.at] = 0;
            if (w->side[i].comp)
                w->side[i].comp[walk.at] = 0;
        }
    }
    hist_work_compact(w);
}

/* Widens w's zero bucket until it suits both; returns what h's zero count would be with it. */
static struct hist_sum reconcile_zero(struct hist_work *w, const struct histogram *h)
{
    struct hist_sum other = {h->zero_count, 0};
    double other_threshold = h->zero_threshold;
    struct hist_side other_sides[2] = {hist_side_of(h, HIST_POSITIVE), hist_side_of(h, HIST_NEGATIVE)};
    while (other_threshold > w->zero_threshold || w->zero_threshold > other_threshold) { /* false for NaN, too */
        if (w->zero_threshold > other_threshold) {
            other_threshold = w->zero_threshold;
            other = hist_zero_count(other_sides, h->schema, (struct hist_sum){h->zero_count, 0}, &other_threshold);
        }
        if (other_threshold > w->zero_threshold) {
            struct hist_side sides[2] = {hist_buf_side(&w->side[0]), hist_buf_side(&w->side[1])};
            if (!w->compensated)
                w->zero_count.c = 0;
            w->zero_threshold = other_threshold;
            w->zero_count = hist_zero_count(sides, w->schema, w->zero_count, &w->zero_threshold);
            trim_zero_bucket(w);
        }
    }
    return other;
}

/* ---- Adding ---- */

static void combine_hints(struct hist_work *w, const struct histogram *h, unsigned *notes)
{
    enum reset_hint other = (enum reset_hint)h->reset_hint;
    if (other == w->hint || w->hint == RESET_GAUGE)
        return;
    if (other == RESET_GAUGE) {
        w->hint = RESET_GAUGE;
        return;
    }
    if (w->hint != RESET_UNKNOWN && other != RESET_UNKNOWN)
        *notes |= HISTOGRAM_COLLISION;
    w->hint = RESET_UNKNOWN;
}

static void add_number(const struct hist_work *w, struct hist_sum *to, double v)
{
    if (w->compensated)
        gomath_kahan_add(v, &to->v, &to->c);
    else
        to->v += v;
}

static void add_side(struct hist_work *w, int i, const struct hist_side *other, double sign)
{
    struct hist_merge m = {w->schema, w->zero_threshold, sign, w->compensated};
    if (hist_merge_same(&w->side[i], other, &m))
        return;
    struct hist_side side = hist_buf_side(&w->side[i]);
    hist_merge(&w->spare, w->arena, &side, other, &m);
    swap_in(w, i);
}

static void add_custom(struct hist_work *w, const struct histogram *h, double sign, unsigned *notes)
{
    struct hist_side other = hist_side_of(h, HIST_POSITIVE);
    bool same = w->custom.count == h->bound_count;
    for (uint32_t i = 0; same && i < h->bound_count; i++)
        same = w->custom.bounds[i] == h->bounds[i];
    if (same) {
        add_side(w, HIST_POSITIVE, &other, sign);
        return;
    }
    *notes |= HISTOGRAM_BOUNDS_RECONCILED;
    struct hist_merge m = {w->schema, w->zero_threshold, sign, w->compensated};
    struct hist_side side = hist_buf_side(&w->side[HIST_POSITIVE]);
    struct hist_custom common;
    hist_merge_custom(&w->spare, w->arena, &side, w->custom, &other, (struct hist_custom){h->bounds, h->bound_count},
                      &m, &common);
    w->custom = common;
    swap_in(w, HIST_POSITIVE);
}

static void add_exponential(struct hist_work *w, const struct histogram *h, double sign)
{
    for (int i = 0; h->schema < w->schema && i < 2; i++) {
        struct hist_side side = hist_buf_side(&w->side[i]);
        hist_reduce(&w->spare, w->arena, &side, w->schema, h->schema, w->compensated);
        swap_in(w, i);
    }
    if (h->schema < w->schema)
        w->schema = h->schema;
    for (int i = 0; i < 2; i++) {
        struct hist_side other = hist_side_of(h, i);
        struct hist_buf coarse = {0};
        if (h->schema > w->schema) {
            hist_reduce(&coarse, w->arena, &other, h->schema, w->schema, w->compensated);
            other = hist_buf_side(&coarse);
        }
        add_side(w, i, &other, sign);
    }
}

enum err hist_work_add(struct hist_work *w, const struct histogram *h, double sign, unsigned *notes)
{
    bool custom = w->schema == HISTOGRAM_SCHEMA_CUSTOM;
    if (custom != histogram_is_custom(h))
        return ERR_INVALID;
    combine_hints(w, h, notes);
    if (!custom) {
        struct hist_sum zero = reconcile_zero(w, h);
        add_number(w, &w->zero_count, zero.v * sign);
        if (w->compensated)
            add_number(w, &w->zero_count, zero.c * sign);
    }
    add_number(w, &w->count, h->count * sign);
    add_number(w, &w->sum, h->sum * sign);
    if (custom)
        add_custom(w, h, sign, notes);
    else
        add_exponential(w, h, sign);
    return ERR_OK;
}
