/*
 * fold_hist.c - native histograms in sum and avg; the contract is in aggregate.h.
 *
 * A total per group and step, made when the first histogram arrives there.  Where exponential and custom
 * buckets meet, or floats and histograms, the step has no result.
 */
#include "histogram/histogram.h"
#include "promql/aggregate.h"

struct hist_cell {
    struct histogram_total *total;
    bool any, spoiled;    /* spoiled: layouts that don't go together, and whatever comes after is not looked at */
    bool float_before;    /* spoiled when a float had been there */
    bool reset, no_reset; /* hints seen */
};

struct hist_fold {
    struct aggregation *agg;
    bool mean;
    struct hist_cell **cells; /* [groups]: NULL, or [steps] */
};

struct hist_fold *hist_fold_new(struct aggregation *a, bool mean)
{
    struct arena *arena = &a->base.x->arena;
    struct hist_fold *f = ARENA_NEW(arena, struct hist_fold);
    *f = (struct hist_fold){a, mean, ARENA_ARRAY(arena, struct hist_cell *, a->groups.count)};
    return f;
}

static void tell(struct hist_fold *f, unsigned notes)
{
    struct notes *n = &f->agg->base.x->notes;
    struct note_place at = aggregate_place_expr(f->agg);
    if (notes & HISTOGRAM_BOUNDS_RECONCILED)
        notes_info(n, at, "mismatched custom buckets were reconciled during aggregation");
}

/* A total keeps pointing at the first histogram's bounds, which die with the tile. */
static struct histogram with_own_bounds(struct arena *arena, const struct histogram *h)
{
    struct histogram own = *h;
    if (h->bound_count) {
        double *bounds = arena_alloc(arena, h->bound_count * sizeof *bounds);
        memcpy(bounds, h->bounds, h->bound_count * sizeof *bounds);
        own.bounds = bounds;
    }
    return own;
}

static void spoil(struct hist_fold *f, struct hist_cell *c, uint32_t row, bool after_float)
{
    struct notes *n = &f->agg->base.x->notes;
    c->spoiled = true;
    c->float_before = after_float;
    notes_warn(n, aggregate_place_expr(f->agg),
               "vector contains a mix of histograms with exponential and custom buckets schemas for metric name %s",
               notes_quote(n, labels_name(&f->agg->child->labels[row])));
}

enum err hist_fold_add(struct hist_fold *f, uint32_t group, uint32_t row, uint32_t step, const struct histogram *h,
                       bool after_float)
{
    struct exec *x = f->agg->base.x;
    if (!f->cells[group] && !(f->cells[group] = exec_alloc(x, f->agg->base.grid.count, sizeof **f->cells)))
        return exec_no_memory(x, x->why);
    struct hist_cell *c = &f->cells[group][step];
    if (c->spoiled)
        return ERR_OK;
    bool first = !c->any;
    c->any = true;
    c->reset |= h->reset_hint == RESET_YES;
    c->no_reset |= h->reset_hint == RESET_NO;
    if (after_float && !c->total)
        return ERR_OK;
    if (first) {
        struct histogram own = with_own_bounds(&x->arena, h);
        c->total = histogram_total_new(&x->arena, &own);
        return ERR_OK;
    }
    unsigned notes = 0;
    enum err err = f->mean ? histogram_total_add_mean(c->total, h, &notes) : histogram_total_add(c->total, h, &notes);
    if (err == ERR_INVALID)
        spoil(f, c, row, after_float);
    else if (err != ERR_OK)
        return exec_no_memory(x, x->why);
    tell(f, notes);
    return ERR_OK;
}

static const struct histogram *cell_result(struct hist_fold *f, struct hist_cell *c)
{
    const struct histogram *h = f->mean ? histogram_total_mean(c->total) : histogram_total_sum(c->total);
    return histogram_compact(&f->agg->base.x->arena, h);
}

enum err hist_fold_finish(struct hist_fold *f, uint32_t group, uint64_t *cells, const struct histogram ***out)
{
    struct exec *x = f->agg->base.x;
    uint32_t steps = f->agg->base.grid.count;
    *out = NULL;
    if (!f->cells[group])
        return ERR_OK;
    if (!(*out = exec_alloc(x, steps, sizeof **out)))
        return exec_no_memory(x, x->why);
    for (uint32_t s = 0; s < steps; s++) {
        struct hist_cell *c = &f->cells[group][s];
        if (!c->any)
            continue;
        if (bits_get(cells, s) || c->spoiled) {
            if (!c->spoiled || c->float_before)
                notes_warn(&x->notes, aggregate_place_expr(f->agg),
                           "encountered a mix of histograms and floats for aggregation");
            bits_clear(cells, s);
            continue;
        }
        if (c->reset && c->no_reset)
            notes_warn(&x->notes, aggregate_place_expr(f->agg),
                       "conflicting counter resets during histogram aggregation");
        (*out)[s] = cell_result(f, c);
        bits_set(cells, s);
    }
    return ERR_OK;
}
