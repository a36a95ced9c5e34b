/*
 * range_changes.c - changes and resets: counted once per series, a window's own are a difference.
 */
#include "histogram/histogram.h"
#include "promql/range.h"
#include "promql/range_starts.h"

static void count_floats(const struct range_call *c, bool resets, uint32_t *counts)
{
    const double *v = c->col->values;
    uint32_t n = 0;
    for (uint32_t i = 0; i < c->col->float_count; i++) {
        if (i > 0 && resets)
            n += v[i] < v[i - 1] || starts_reset(c->col->float_starts, c->col->float_times, i);
        else if (i > 0)
            n += v[i] != v[i - 1] && !(isnan(v[i]) && isnan(v[i - 1]));
        counts[i] = n;
    }
}

struct mixed_sample {
    bool hist;
    uint32_t i; /* in its list */
};

static bool sample_differs(const struct column *col, struct mixed_sample a, struct mixed_sample b, bool resets)
{
    if (a.hist != b.hist)
        return true;
    if (a.hist && resets)
        return histogram_detect_reset(col->hists[b.i], col->hists[a.i]) ||
               starts_reset(col->hist_starts, col->hist_times, b.i);
    if (a.hist)
        return !histogram_equal(col->hists[b.i], col->hists[a.i]);
    double before = col->values[a.i], now = col->values[b.i];
    if (resets)
        return now < before || starts_reset(col->float_starts, col->float_times, b.i);
    return now != before && !(isnan(now) && isnan(before));
}

static void count_mixed(const struct column *col, bool resets, uint32_t *counts)
{
    struct mixed_sample before = {0};
    uint32_t f = 0, h = 0, n = 0;
    for (uint32_t i = 0; i < col->float_count + col->hist_count; i++) {
        bool hist = f == col->float_count || (h < col->hist_count && col->hist_times[h] < col->float_times[f]);
        struct mixed_sample now = {hist, hist ? h++ : f++};
        if (i > 0 && sample_differs(col, before, now, resets))
            n++;
        counts[i] = n;
        before = now;
    }
}

void range_count_changes(const struct range_call *c, uint32_t *counts)
{
    bool resets = c->op->function->id == FUNCTION_RESETS;
    if (c->col->hist_count > 0)
        count_mixed(c->col, resets, counts);
    else
        count_floats(c, resets, counts);
}

void range_changes_mixed(struct range_call *c)
{
    uint32_t *counts = c->scratch;
    range_count_changes(c, counts);
    for (uint32_t s = 0; s < c->steps; s++) {
        uint32_t lo = c->windows[s].lo + c->hist_windows[s].lo, hi = c->windows[s].hi + c->hist_windows[s].hi;
        if (hi > lo)
            range_put(c, s, (double)(counts[hi - 1] - counts[lo]));
    }
}

void range_changes(struct range_call *c)
{
    uint32_t *counts = c->scratch;
    range_count_changes(c, counts);
    for (uint32_t s = 0; s < c->steps; s++) {
        struct window w = c->windows[s];
        if (window_count(w) > 0)
            range_put(c, s, (double)(counts[w.hi - 1] - counts[w.lo]));
    }
}
