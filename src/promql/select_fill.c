/* select_fill.c - samples of an instant selector put onto the grid; the contract is in select_fill.h. */
#include "promql/select_fill.h"

#include "base/assert.h"
#include "histogram/histogram.h"
#include "model/value.h"
#include "promql/smoothed.h"
#include "promql/stats_only.h"

enum { SHARED_BYTES_MAX = 1 << 20, SHARED_COUNT_MAX = 4096 };

uint64_t histogram_size(const struct histogram *h)
{
    uint64_t parts = (uint64_t)h->positive_span_count + h->negative_span_count + h->positive_count + h->negative_count +
                     h->bound_count;
    return 168 + 8 * parts;
}

uint64_t histogram_points(const struct histogram *h)
{
    return (histogram_size(h) + 8) / 16;
}

static bool sample_is_stale(const struct samples *s, uint32_t i)
{
    return value_is_stale(s->hists && s->hists[i] ? s->hists[i]->sum : s->values[i]);
}

void select_count(struct select_op *s, struct worker *w, uint32_t step, uint64_t points)
{
    struct tally *t = &w->tallies[s->base.id];
    t->queryable += points;
    if (!s->base.step_of || s->base.step_of[step] != READ_BY_NOBODY)
        t->read += points;
    exec_count_step(w->x, &s->base, step, points, points);
}

/* ---- Which sample each step sees ---- */

/* False when memory ends. */
static bool sightings_fill(struct sightings *seen, const struct select_op *s, struct worker *w,
                           const struct samples *samples)
{
    const struct grid *g = &s->base.grid;
    int64_t lookback = w->x->lookback_ms;
    uint32_t next = 0; /* samples at or before the step */
    if (!seen->index)
        seen->index = worker_alloc(w, g->count, sizeof *seen->index);
    if (!seen->index)
        return false;
    seen->times_id = samples->times_id;
    seen->count = samples->count;
    seen->first_ms = samples->times_ms[0];
    seen->lo = g->count;
    seen->hi = 0;
    seen->in_turn = true;
    uint32_t seeing = 0;
    for (uint32_t step = 0; step < g->count; step++) {
        int64_t t = modifiers_time(&s->vs->mod, grid_time(g, step));
        while (next < samples->count && samples->times_ms[next] <= t)
            next++;
        bool sees = next > 0 && samples->times_ms[next - 1] > time_sub(t, lookback);
        seen->index[step] = sees ? next - 1 : SELECT_NONE;
        if (!sees)
            continue;
        seen->lo = seeing++ ? seen->lo : step;
        seen->hi = step + 1;
        seen->in_turn &= seen->index[step] - seen->index[seen->lo] == step - seen->lo;
    }
    seen->complete = seeing > 0 && seeing == seen->hi - seen->lo;
    seen->in_turn &= seen->complete;
    return true;
}

static void shared_init(struct select_state *state, const struct select_op *s, struct worker *w)
{
    size_t each = s->base.grid.count * sizeof *state->own.index;
    state->shared_count = SHARED_COUNT_MAX;
    while (state->shared_count > 1 && state->shared_count * each > SHARED_BYTES_MAX)
        state->shared_count /= 2;
    state->shared = ARENA_ARRAY(&w->arena, struct sightings, state->shared_count);
}

static const struct sightings *sightings_get(struct select_state *state, const struct select_op *s, struct worker *w,
                                             const struct samples *samples)
{
    struct sightings *seen = &state->own;
    if (samples->times_id) {
        if (!state->shared)
            shared_init(state, s, w);
        uint64_t hash = samples->times_id * UINT64_C(0x9e3779b97f4a7c15);
        seen = &state->shared[hash >> 32 & (state->shared_count - 1)];
        if (seen->times_id == samples->times_id && seen->count == samples->count &&
            seen->first_ms == samples->times_ms[0])
            return seen;
    }
    return sightings_fill(seen, s, w, samples) ? seen : NULL;
}

/* ---- Rows ---- */

/*
 * Floats of a series without stale markers, seen by all steps from one to another; false: it has to be done step by
 * step.
 */
static bool fill_dense(const struct sightings *seen, const struct samples *samples, const struct step_kernels *kernels,
                       double *out)
{
    const double *values = samples->values;
    if (!seen->complete || kernels->any_stale(values, samples->count))
        return false;
    if (seen->in_turn) {
        memcpy(out + seen->lo, values + seen->index[seen->lo], (seen->hi - seen->lo) * sizeof *out);
        return true;
    }
    for (uint32_t step = seen->lo; step < seen->hi; step++)
        out[step] = values[seen->index[step]];
    return true;
}

static double yielded(enum select_yield yield, const struct samples *s, uint32_t i)
{
    switch (yield) {
    case SELECT_TIMESTAMP:
        return (double)s->times_ms[i] / 1000;
    case SELECT_TIME:
        return (double)s->times_ms[i];
    case SELECT_START_TIMESTAMP:
        return (double)(s->start_times_ms ? s->start_times_ms[i] : 0) / 1000;
    default:
        return s->values[i];
    }
}

/* Steps often see the same histogram: it is copied once. */
static void fill_sparse(struct select_op *s, struct worker *w, const struct sightings *seen,
                        const struct samples *samples, struct batch *b, uint32_t row)
{
    const struct histogram *from = NULL, *copy = NULL;
    bool keeps_hists = s->yield == SELECT_VALUE || s->yield == SELECT_TIME;
    for (uint32_t step = 0; step < b->steps; step++) {
        uint32_t i = seen->index[step];
        if (i == SELECT_NONE || sample_is_stale(samples, i))
            continue;
        const struct histogram *h = samples->hists && keeps_hists ? samples->hists[i] : NULL;
        if (!h) {
            batch_put(b, row, step, yielded(s->yield, samples, i));
            select_count(s, w, step, 1);
            continue;
        }
        if (h != from)
            copy = histogram_keep(&w->tile, h);
        from = h;
        batch_need_h(b, row)[step] = copy;
        bits_set(batch_present(b, row), step);
        select_count(s, w, step, histogram_points(h));
    }
}

/* The reference seeks to the start of the lookback window and walks on to the step. */
static void drop_buckets(struct select_op *s, struct worker *w, struct samples *samples)
{
    if (!samples->hists)
        return;
    uint32_t count = s->base.grid.count;
    struct stats_step *steps = ARENA_ARRAY(&w->tile, struct stats_step, count);
    for (uint32_t i = 0; i < count; i++) {
        int64_t t = modifiers_time(&s->vs->mod, grid_time(&s->base.grid, i));
        int64_t until = s->smoothed ? time_sub(t, -w->x->lookback_ms) : t;
        steps[i] = (struct stats_step){time_sub(t, w->x->lookback_ms - 1), until};
    }
    stats_only_samples(samples, steps, count, &w->tile);
}

enum err select_fill(struct select_op *s, struct worker *w, struct select_state *state, struct samples *samples,
                     struct batch *b, uint32_t row)
{
    const struct sightings *seen = sightings_get(state, s, w, samples);
    if (!seen)
        return exec_no_memory(w->x, w->why);
    if (s->vs->stats_only)
        drop_buckets(s, w, samples);
    if (s->yield == SELECT_VALUE && !samples->hists && !w->x->step_queryable && !s->base.step_of &&
        fill_dense(seen, samples, w->x->kernels, batch_v(b, row))) {
        bits_set_run(batch_present(b, row), seen->lo, seen->hi);
        select_count(s, w, 0, seen->hi - seen->lo);
    } else {
        fill_sparse(s, w, seen, samples, b, row);
    }
    return ERR_OK;
}

/* ---- Smoothed ---- */

static void warn_metric(struct select_op *s, struct worker *w, uint32_t series, const char *text)
{
    struct notes *n = &w->notes;
    notes_warn(n, op_place_at(&s->base, s->selector), "%s %s", text,
               notes_quote(n, labels_name(&s->set->labels[series])));
}

static void note_reconciled(struct select_op *s, struct worker *w, unsigned notes, const char *operation)
{
    if (notes & HISTOGRAM_BOUNDS_RECONCILED)
        notes_info(&w->notes, op_place_at(&s->base, s->selector), "mismatched custom buckets were reconciled during %s",
                   operation);
}

/* Moves a window of one kind of samples on; its points, or their change. */
static uint64_t window_move(struct window *w, const int64_t *times, const struct histogram *const *hists,
                            uint32_t count, int64_t after_ms, int64_t until_ms, uint64_t points)
{
    for (; w->hi < count && times[w->hi] <= until_ms; w->hi++)
        points += hists ? histogram_points(hists[w->hi]) : 1;
    for (; w->lo < w->hi && times[w->lo] <= after_ms; w->lo++)
        points -= hists ? histogram_points(hists[w->lo]) : 1;
    return points;
}

/* The reference holds what lies around a step, and what lies around the last one for good. */
static void count_around(const struct select_op *s, struct worker *w, const struct column *col)
{
    struct tally *t = &w->tallies[s->base.id];
    struct window floats = {0, 0}, hists = {0, 0};
    int64_t lookback = w->x->lookback_ms;
    uint64_t points = 0;
    for (uint32_t step = 0; step < s->base.grid.count; step++) {
        int64_t at = modifiers_time(&s->vs->mod, grid_time(&s->base.grid, step));
        int64_t after = time_sub(at, lookback), until = time_sub(at, -lookback);
        points = window_move(&floats, col->float_times, NULL, col->float_count, after, until, points);
        points = window_move(&hists, col->hist_times, col->hists, col->hist_count, after, until, points);
        t->left_peak = t->left + points > t->left_peak ? t->left + points : t->left_peak;
    }
    t->left += points;
}

/* Samples around a step do not count as looked at: the reference doesn't. */
enum err select_fill_smoothed(struct select_op *s, struct worker *w, struct select_state *state,
                              const struct samples *samples, uint32_t series, struct batch *b, uint32_t row)
{
    struct samples own = *samples;
    struct smoothed_cursor at = {{0, 0}, {0, 0}};
    struct column col;
    if (s->vs->stats_only)
        drop_buckets(s, w, &own);
    if (!column_of_samples(&col, &own, false, w->x, &state->space))
        return exec_no_memory(w->x, w->why);
    count_around(s, w, &col);
    for (uint32_t step = 0; step < b->steps; step++) {
        int64_t t = modifiers_time(&s->vs->mod, grid_time(&s->base.grid, step));
        struct smoothed_value value = smoothed_at(&col, &at, t, w->x->lookback_ms, &w->tile);
        if (value.warning)
            warn_metric(s, w, series, value.warning);
        note_reconciled(s, w, value.notes.subtraction, "subtraction");
        note_reconciled(s, w, value.notes.addition, "addition");
        if (!value.present)
            continue;
        if (s->yield == SELECT_VALUE && value.h) {
            batch_need_h(b, row)[step] = value.h;
            bits_set(batch_present(b, row), step);
        } else {
            batch_put(b, row, step, s->yield == SELECT_VALUE ? value.v : (double)t / 1000);
        }
    }
    return ERR_OK;
}
