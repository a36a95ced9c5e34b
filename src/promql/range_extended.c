/*
 * range_extended.c - anchored and smoothed range selectors: no extrapolation.
 *
 * Windows reach back by the lookback delta (smoothed: ahead, too).  The value at each end of the range is that of
 * the last sample before it (anchored), or lies on the line between the samples around it (smoothed).
 */
#include "promql/range_extended.h"
#include "histogram/histogram.h"
#include "promql/range.h"

/* The samples that matter of a window: from the last one at or before the start to the end. */
struct span {
    int64_t start_ms, end_ms;
    uint32_t first, last; /* inclusive */
};

static bool is_smoothed(const struct range_call *c)
{
    return c->op->after_ms > 0;
}

static bool is_counter(const struct range_call *c)
{
    return c->op->function->id != FUNCTION_DELTA;
}

/* False when nothing lies after the range's start or, smoothed, before its end. */
static bool span_find(const struct range_call *c, uint32_t step, struct window w, const int64_t *times,
                      struct span *out)
{
    int64_t end = range_time(c->op, step), start = time_sub(end, c->op->range_ms);
    uint32_t first = w.lo, last = w.hi - 1;
    while (first < last && times[first + 1] <= start)
        first++;
    while (is_smoothed(c) && last > w.lo && times[last - 1] >= end)
        last--;
    if (first > last)
        first = last;
    *out = (struct span){start, end, first, last};
    return times[last] > start && !(is_smoothed(c) && times[first] > end);
}

/* ---- Floats ---- */

double interpolate(int64_t t1, double y1, int64_t t2, double y2, int64_t t, bool counter)
{
    if (counter && y2 < y1)
        y1 = 0;
    return y1 + (y2 - y1) * (double)(t - t1) / (double)(t2 - t1);
}

static double between(const struct column *col, uint32_t i, int64_t t, bool counter)
{
    return interpolate(col->float_times[i], col->values[i], col->float_times[i + 1], col->values[i + 1], t, counter);
}

static double left_value(const struct range_call *c, const struct span *s)
{
    const struct column *col = c->col;
    bool inside = is_smoothed(c) && col->float_times[s->first] < s->start_ms;
    return inside ? between(col, s->first, s->start_ms, is_counter(c)) : col->values[s->first];
}

static double right_value(const struct range_call *c, const struct span *s, struct window w)
{
    const struct column *col = c->col;
    bool inside = is_smoothed(c) && s->last > w.lo && col->float_times[s->last] > s->end_ms;
    return inside ? between(col, s->last - 1, s->end_ms, is_counter(c)) : col->values[s->last];
}

/* What drops among the samples strictly inside lost, ends compared, too. */
static double lost_at_drops(const struct column *col, const struct span *s, double left, double right)
{
    double lost = 0, before = left;
    for (uint32_t i = s->first; i <= s->last; i++) {
        if (col->float_times[i] <= s->start_ms || col->float_times[i] >= s->end_ms)
            continue;
        if (col->values[i] < before)
            lost += before;
        before = col->values[i];
    }
    return right < before ? lost + before : lost;
}

static void range_extended(struct range_call *c)
{
    for (uint32_t step = 0; step < c->steps; step++) {
        struct window w = c->windows[step];
        struct span s;
        if (range_stop(c, (uint64_t)window_count(w) * 5))
            return;
        if (window_count(w) == 0 || !span_find(c, step, w, c->col->float_times, &s))
            continue;
        double left = left_value(c, &s), right = right_value(c, &s, w), result = right - left;
        if (is_counter(c))
            result += lost_at_drops(c->col, &s, left, right);
        range_put(c, step, c->op->function->id == FUNCTION_RATE ? result / range_seconds(c->op) : result);
    }
}

/* ---- Histograms ---- */

const struct histogram *interpolate_hists(struct arena *arena, const struct histogram *h1, const struct histogram *h2,
                                          double fraction, bool counter, struct interpolation_notes *notes)
{
    if (histogram_is_custom(h1) != histogram_is_custom(h2))
        return NULL;
    if (counter && histogram_detect_reset(h2, h1))
        return histogram_mul(arena, h2, fraction);
    const struct histogram *difference, *result;
    if (histogram_sub(arena, h2, h1, &difference, &notes->subtraction) != ERR_OK)
        return NULL;
    difference = histogram_mul(arena, difference, fraction);
    return histogram_add(arena, difference, h1, &result, &notes->addition) == ERR_OK ? result : NULL;
}

static void note_reconciled(struct range_call *c, unsigned notes, const char *operation)
{
    if (notes & HISTOGRAM_BOUNDS_RECONCILED)
        notes_info(&c->w->notes, range_place(c), "mismatched custom buckets were reconciled during %s", operation);
}

static const struct histogram *hist_between(struct range_call *c, uint32_t i, int64_t t)
{
    const struct column *col = c->col;
    struct interpolation_notes notes = {0};
    double fraction = (double)(t - col->hist_times[i]) / (double)(col->hist_times[i + 1] - col->hist_times[i]);
    const struct histogram *h =
        interpolate_hists(&c->w->tile, col->hists[i], col->hists[i + 1], fraction, is_counter(c), &notes);
    note_reconciled(c, notes.subtraction, "subtraction");
    note_reconciled(c, notes.addition, "addition");
    return h;
}

static void warn_metric(struct range_call *c, const char *text)
{
    struct notes *n = &c->w->notes;
    notes_warn(n, range_place(c), "%s %s", text, notes_quote(n, c->metric));
}

/* Gauges where counters are wanted; false where layouts don't go together. */
static bool check_hists(struct range_call *c, const struct span *s)
{
    const struct histogram *const *h = c->col->hists;
    bool gauge = false, custom = histogram_is_custom(h[s->first]), same = true;
    for (uint32_t i = s->first; i <= s->last; i++) {
        gauge |= h[i]->reset_hint == RESET_GAUGE;
        same = same && histogram_is_custom(h[i]) == custom;
    }
    if (is_counter(c) && gauge)
        warn_metric(c, "this native histogram metric is not a counter:");
    if (!same)
        warn_metric(c,
                    "vector contains a mix of histograms with exponential and custom buckets schemas for metric name");
    return same;
}

/* The two ends of a range, as samples or interpolated. */
struct ends {
    const struct histogram *left, *right;
    bool left_inside; /* left lies between two samples */
};

static bool ends_find(struct range_call *c, const struct span *s, struct window w, struct ends *out)
{
    const struct column *col = c->col;
    out->left_inside = is_smoothed(c) && col->hist_times[s->first] < s->start_ms;
    bool right_inside = is_smoothed(c) && s->last > w.lo && col->hist_times[s->last] > s->end_ms;
    out->left = out->left_inside ? hist_between(c, s->first, s->start_ms) : col->hists[s->first];
    out->right = !out->left ? NULL : right_inside ? hist_between(c, s->last - 1, s->end_ms) : col->hists[s->last];
    if (!out->left || !out->right)
        return false;
    if (!is_counter(c) && (out->left->reset_hint != RESET_GAUGE || out->right->reset_hint != RESET_GAUGE))
        warn_metric(c, "this native histogram metric is not a gauge:");
    return true;
}

/* Adds up what resets lost, in `total` (NULL at first); false where histograms don't go together. */
static bool add_lost(struct range_call *c, const struct histogram *lost, const struct histogram **total)
{
    unsigned notes = 0;
    if (!*total) {
        *total = lost;
        return true;
    }
    bool ok = histogram_add(&c->w->tile, *total, lost, total, &notes) == ERR_OK;
    note_reconciled(c, notes, "addition");
    return ok;
}

/* Resets from the left end over the samples between to the right end. */
static bool lost_at_resets(struct range_call *c, const struct span *s, const struct ends *e,
                           const struct histogram **total)
{
    const struct histogram *const *h = c->col->hists;
    const struct histogram *before = e->left;
    uint32_t i = s->first + 1;
    *total = NULL;
    if (e->left_inside && histogram_detect_reset(h[i], h[s->first]))
        before = h[i++]; /* the left end has it already */
    if (i > s->last)
        return true;
    for (; i < s->last; before = h[i++])
        if (histogram_detect_reset(h[i], before) && !add_lost(c, before, total))
            return false;
    return !histogram_detect_reset(e->right, before) || add_lost(c, before, total);
}

static const struct histogram *extended_difference(struct range_call *c, const struct span *s, struct window w)
{
    struct ends e;
    const struct histogram *result, *lost = NULL;
    unsigned notes = 0;
    if (!ends_find(c, s, w, &e) || histogram_sub(&c->w->tile, e.right, e.left, &result, &notes) != ERR_OK)
        return NULL;
    note_reconciled(c, notes, "subtraction");
    if (is_counter(c) && !lost_at_resets(c, s, &e, &lost))
        return NULL;
    return !lost || add_lost(c, lost, &result) ? result : NULL;
}

static void range_extended_hist(struct range_call *c, uint32_t step)
{
    struct window w = c->hist_windows[step];
    struct arena *arena = &c->w->tile;
    struct span s;
    if (!span_find(c, step, w, c->col->hist_times, &s) || !check_hists(c, &s))
        return;
    const struct histogram *result = extended_difference(c, &s, w);
    if (!result)
        return;
    if (c->op->function->id == FUNCTION_RATE)
        result = histogram_div(arena, result, range_seconds(c->op));
    range_put_hist(c, step, histogram_compact(arena, histogram_with_hint(arena, result, RESET_GAUGE)));
}

/* ---- changes, resets ---- */

/* As the plain functions, but the window starts with the last sample at or before the range's start. */
static void range_changes_anchored(struct range_call *c)
{
    const struct column *col = c->col;
    uint32_t *counts = c->scratch, floats = 0, hists = 0;
    range_count_changes(c, counts);
    for (uint32_t s = 0; s < c->steps; s++) {
        int64_t start = time_sub(range_time(c->op, s), c->op->range_ms);
        while (floats < col->float_count && col->float_times[floats] <= start)
            floats++;
        while (hists < col->hist_count && col->hist_times[hists] <= start)
            hists++;
        struct window w = c->windows[s];
        uint32_t lo = w.lo, hi = w.hi, inside = floats + hists;
        if (col->hist_count > 0) {
            lo += c->hist_windows[s].lo;
            hi += c->hist_windows[s].hi;
        }
        if (hi <= inside || hi == lo)
            continue;
        if (inside > lo)
            lo = inside - 1;
        range_put(c, s, (double)(counts[hi - 1] - counts[lo]));
    }
}

static const struct range_function functions[] = {
    {.id = FUNCTION_RATE, .floats = range_extended, .hist = range_extended_hist},
    {.id = FUNCTION_INCREASE, .floats = range_extended, .hist = range_extended_hist},
    {.id = FUNCTION_DELTA, .floats = range_extended, .hist = range_extended_hist},
    {.id = FUNCTION_CHANGES, .floats = range_changes_anchored, .mixed = range_changes_anchored},
    {.id = FUNCTION_RESETS, .floats = range_changes_anchored, .mixed = range_changes_anchored},
};

const struct range_function *range_function_extended(enum function_id id, bool smoothed)
{
    for (size_t i = 0; i < sizeof functions / sizeof functions[0] - (smoothed ? 2 : 0); i++)
        if (functions[i].id == id)
            return &functions[i];
    return NULL;
}

/* ---- A range vector by itself ---- */

uint32_t range_extended_points(const struct column *col, int64_t start_ms, int64_t end_ms, bool smoothed,
                               struct point *out)
{
    const int64_t *t = col->float_times;
    uint32_t first = 0, last = col->float_count - 1, n = 0;
    if (col->float_count == 0)
        return 0;
    while (first < last && t[first + 1] <= start_ms)
        first++;
    while (smoothed && last > 0 && t[last - 1] >= end_ms)
        last--;
    if (t[last] <= start_ms)
        return 0;
    bool left_inside = smoothed && t[first] < start_ms && first < last;
    bool right_inside = smoothed && last > 0 && t[last] > end_ms;
    double left = left_inside ? between(col, first, start_ms, false) : col->values[first];
    double right = right_inside ? between(col, last - 1, end_ms, false) : col->values[last];
    out[n++] = (struct point){.t_ms = start_ms, .v = left};
    for (uint32_t i = first; i <= last; i++)
        if (t[i] > start_ms && t[i] < end_ms)
            out[n++] = (struct point){.t_ms = t[i], .v = col->values[i]};
    out[n++] = (struct point){.t_ms = end_ms, .v = right};
    return n;
}
