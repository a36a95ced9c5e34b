/* smoothed.c - smoothed instant selectors; the contract is in smoothed.h. */
#include "promql/smoothed.h"

#include "histogram/histogram.h"
#include "promql/range_extended.h"

static void move(struct window *w, const int64_t *times, uint32_t count, int64_t after_ms, int64_t until_ms)
{
    while (w->hi < count && times[w->hi] <= until_ms)
        w->hi++;
    while (w->lo < w->hi && times[w->lo] <= after_ms)
        w->lo++;
}

/* The first sample at or after t; w.hi when there is none. */
static uint32_t next_sample(struct window w, const int64_t *times, int64_t t)
{
    uint32_t lo = w.lo, hi = w.hi;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        if (times[mid] < t)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static struct smoothed_value float_at(const struct column *col, struct window w, int64_t t)
{
    const int64_t *times = col->float_times;
    uint32_t i = next_sample(w, times, t);
    if (i < w.hi && times[i] == t)
        return (struct smoothed_value){.present = true, .v = col->values[i]};
    if (i == w.lo)
        return (struct smoothed_value){0};
    if (i == w.hi)
        return (struct smoothed_value){.present = true, .v = col->values[i - 1]};
    return (struct smoothed_value){
        .present = true, .v = interpolate(times[i - 1], col->values[i - 1], times[i], col->values[i], t, false)};
}

static struct smoothed_value hist_at(const struct column *col, struct window w, int64_t t, struct arena *arena)
{
    const int64_t *times = col->hist_times;
    const struct histogram *const *h = col->hists;
    uint32_t i = next_sample(w, times, t);
    if (i < w.hi && times[i] == t)
        return (struct smoothed_value){.present = true, .h = histogram_keep(arena, h[i])};
    if (i == w.lo)
        return (struct smoothed_value){0};
    if (i == w.hi)
        return (struct smoothed_value){.present = true,
                                       .h = histogram_with_hint(arena, histogram_keep(arena, h[i - 1]), RESET_UNKNOWN)};
    double fraction = (double)(t - times[i - 1]) / (double)(times[i] - times[i - 1]);
    bool counter = h[i]->reset_hint != RESET_GAUGE || h[i - 1]->reset_hint != RESET_GAUGE;
    struct interpolation_notes notes = {0};
    const struct histogram *between = interpolate_hists(arena, h[i - 1], h[i], fraction, counter, &notes);
    if (!between)
        return (struct smoothed_value){.warning = "vector contains a mix of histograms with exponential and custom "
                                                  "buckets schemas for metric name"};
    return (struct smoothed_value){.present = true, .h = histogram_keep(arena, between), .notes = notes};
}

struct smoothed_value smoothed_at(const struct column *col, struct smoothed_cursor *at, int64_t t_ms,
                                  int64_t lookback_ms, struct arena *arena)
{
    int64_t after = time_sub(t_ms, lookback_ms), until = time_sub(t_ms, -lookback_ms);
    move(&at->floats, col->float_times, col->float_count, after, until);
    move(&at->hists, col->hist_times, col->hist_count, after, until);
    bool floats = window_count(at->floats) > 0, hists = window_count(at->hists) > 0;
    if (floats && hists)
        return (struct smoothed_value){.warning = "encountered a mix of histograms and floats for metric name"};
    if (hists)
        return hist_at(col, at->hists, t_ms, arena);
    return floats ? float_at(col, at->floats, t_ms) : (struct smoothed_value){0};
}
