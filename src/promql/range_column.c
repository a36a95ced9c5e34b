/*
 * range_column.c - samples laid out for range functions; the contract is in range.h.
 *
 * Most series have floats without stale markers: their arrays are used where they lie.
 */
#include "model/value.h"
#include "promql/range.h"
#include "promql/step_kernels.h"

static bool column_space_need(struct column_space *space, struct exec *x, size_t count)
{
    size_t each = 5 * sizeof(int64_t) + sizeof *space->hists;
    if (!scratch_need(&space->memory, &x->budget, count, each))
        return false;
    size_t capacity = space->memory.bytes / each;
    space->float_times = space->memory.p;
    space->hist_times = space->float_times + capacity;
    space->float_starts = space->hist_times + capacity;
    space->hist_starts = space->float_starts + capacity;
    space->values = (double *)(void *)(space->hist_starts + capacity);
    space->hists = (const struct histogram **)(void *)(space->values + capacity);
    return true;
}

void column_space_deinit(struct column_space *space)
{
    scratch_free(&space->memory);
}

static void column_point_at(struct column *col, const struct column_space *space, bool use_starts)
{
    col->float_times = space->float_times;
    col->hist_times = space->hist_times;
    col->values = space->values;
    col->hists = space->hists;
    col->float_starts = use_starts ? space->float_starts : NULL;
    col->hist_starts = use_starts ? space->hist_starts : NULL;
}

bool column_of_samples(struct column *col, const struct samples *s, bool use_starts, struct exec *x,
                       struct column_space *space)
{
    use_starts = use_starts && s->start_times_ms;
    *col = (struct column){.float_count = s->count,
                           .float_times = s->times_ms,
                           .values = s->values,
                           .float_starts = use_starts ? s->start_times_ms : NULL,
                           .times_id = s->times_id};
    if (!s->hists && !x->kernels->any_stale(s->values, s->count))
        return true;
    if (!column_space_need(space, x, s->count))
        return false;
    uint32_t floats = 0, hists = 0;
    for (uint32_t i = 0; i < s->count; i++) {
        const struct histogram *h = s->hists ? s->hists[i] : NULL;
        if (value_is_stale(h ? h->sum : s->values[i]))
            continue;
        int64_t *times = h ? &space->hist_times[hists] : &space->float_times[floats];
        int64_t *starts = h ? &space->hist_starts[hists] : &space->float_starts[floats];
        *times = s->times_ms[i];
        *starts = use_starts ? s->start_times_ms[i] : 0;
        if (h)
            space->hists[hists++] = h;
        else
            space->values[floats++] = s->values[i];
    }
    *col = (struct column){.float_count = floats, .hist_count = hists};
    column_point_at(col, space, use_starts);
    return true;
}

/* A reset seen by whoever made the row says nothing about the next cell of it. */
static const struct histogram *unknown_reset(const struct histogram *h, struct arena *tile)
{
    if (h->reset_hint != RESET_YES && h->reset_hint != RESET_NO)
        return h;
    struct histogram *copy = arena_alloc(tile, sizeof *copy);
    *copy = *h;
    copy->reset_hint = RESET_UNKNOWN;
    return copy;
}

bool column_of_row(struct column *col, const struct batch *b, uint32_t row, const int64_t *times, uint64_t times_id,
                   struct worker *w, struct column_space *space)
{
    const uint64_t *present = batch_present(b, row);
    const struct histogram **h = batch_h(b, row);
    const double *v = batch_v(b, row);
    if (!h && bits_all(present, b->steps)) {
        *col = (struct column){.float_count = b->steps, .float_times = times, .values = v, .times_id = times_id};
        return true;
    }
    if (!column_space_need(space, w->x, b->steps))
        return false;
    uint32_t floats = 0, hists = 0;
    BITS_EACH(s, present, b->steps)
    {
        if (h && h[s]) {
            space->hist_times[hists] = times[s];
            space->hists[hists++] = unknown_reset(h[s], &w->tile);
        } else {
            space->float_times[floats] = times[s];
            space->values[floats++] = v[s];
        }
    }
    *col = (struct column){.float_count = floats, .hist_count = hists};
    column_point_at(col, space, false);
    return true;
}
