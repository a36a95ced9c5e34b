/*
 * range_hist.c - range functions of native histograms: rates, last differences, changes, sums.
 *
 * A rate is last - first plus what resets lost, like that of floats, but every step is an operation on
 * whole histograms; hints say whether a sample is a gauge or follows a reset.
 */
#include "histogram/histogram.h"
#include "promql/range.h"
#include "promql/range_starts.h"

/* ---- Notes ---- */

static void warn_metric(struct range_call *c, const char *text)
{
    struct notes *n = &c->w->notes;
    notes_warn(n, range_place(c), "%s %s", text, notes_quote(n, c->metric));
}

static void warn_not_counter(struct range_call *c)
{
    warn_metric(c, "this native histogram metric is not a counter:");
}

static void warn_not_gauge(struct range_call *c)
{
    warn_metric(c, "this native histogram metric is not a gauge:");
}

static void warn_layouts(struct range_call *c)
{
    warn_metric(c, "vector contains a mix of histograms with exponential and custom buckets schemas for metric name");
}

static void warn_mix(struct range_call *c)
{
    warn_metric(c, "encountered a mix of histograms and floats for metric name");
}

static void note_reconciled(struct range_call *c, unsigned notes, const char *operation)
{
    if (notes & HISTOGRAM_BOUNDS_RECONCILED)
        notes_info(&c->w->notes, range_place(c), "mismatched custom buckets were reconciled during %s", operation);
}

static bool is_gauge(const struct histogram *h)
{
    return h->reset_hint == RESET_GAUGE;
}

/* ---- rate, increase, delta ---- */

struct hist_rate {
    struct range_call *c;
    struct arena *arena;
    const struct histogram *const *h; /* of the window */
    uint32_t first, count;            /* first: index in the column */
    bool counter;
};

static bool reset_between(const struct hist_rate *r, uint32_t i, const struct histogram *previous)
{
    const struct column *col = r->c->col;
    return histogram_detect_reset(r->h[i], previous) || starts_reset(col->hist_starts, col->hist_times, r->first + i);
}

/* An empty histogram of the same layout: what a counter shows right after a reset. */
static const struct histogram *empty_like(struct arena *arena, const struct histogram *h)
{
    struct histogram *empty = ARENA_NEW(arena, struct histogram);
    empty->schema = h->schema;
    empty->bounds = h->bounds;
    empty->bound_count = h->bound_count;
    return empty;
}

/* Whether the samples between the ends fit; also the coarsest schema. */
static bool middle_fits(struct hist_rate *r, bool custom, int32_t *schema)
{
    for (uint32_t i = 1; r->counter && i + 1 < r->count; i++) {
        if (is_gauge(r->h[i]))
            warn_not_counter(r->c);
        *schema = r->h[i]->schema < *schema ? r->h[i]->schema : *schema;
        if (histogram_is_custom(r->h[i]) != custom)
            return false;
    }
    return true;
}

/* Adds what was there before each reset. */
static const struct histogram *add_resets(struct hist_rate *r, const struct histogram *result,
                                          const struct histogram *previous)
{
    for (uint32_t i = 1; i < r->count; i++) {
        unsigned notes = 0;
        if (reset_between(r, i, previous) && histogram_add(r->arena, result, previous, &result, &notes) != ERR_OK)
            return NULL;
        note_reconciled(r->c, notes, "addition");
        previous = r->h[i];
    }
    return result;
}

/* The difference over the window; NULL (and a warning) where layouts don't go together. */
static const struct histogram *difference(struct hist_rate *r)
{
    const struct histogram *first = r->h[0], *last = r->h[r->count - 1], *result;
    if (r->counter && (is_gauge(first) || is_gauge(last)))
        warn_not_counter(r->c);
    if (r->counter && r->count > 1 && reset_between(r, 1, first))
        first = empty_like(r->arena, r->h[1]);
    bool custom = histogram_is_custom(first);
    int32_t schema = first->schema < last->schema ? first->schema : last->schema;
    if (histogram_is_custom(last) != custom || !middle_fits(r, custom, &schema)) {
        warn_layouts(r->c);
        return NULL;
    }
    unsigned notes = 0;
    result = custom ? last : histogram_reduce(r->arena, last, schema);
    if (histogram_sub(r->arena, result, first, &result, &notes) != ERR_OK) {
        warn_layouts(r->c);
        return NULL;
    }
    note_reconciled(r->c, notes, "subtraction");
    if (r->counter)
        result = add_resets(r, result, first);
    else if (!is_gauge(r->h[0]) || !is_gauge(r->h[r->count - 1]))
        warn_not_gauge(r->c);
    if (!result) {
        warn_layouts(r->c);
        return NULL;
    }
    return histogram_compact(r->arena, histogram_with_hint(r->arena, result, RESET_GAUGE));
}

/* What the difference is multiplied with, as for floats, by counts. */
static double hist_factor(const struct hist_rate *r, uint32_t step, const struct histogram *result, bool begun_inside)
{
    const struct column *col = r->c->col;
    const int64_t *t = col->hist_times + r->first;
    int64_t end = range_time(r->c->op, step), start = time_sub(end, r->c->op->range_ms);
    double sampled = (double)(t[r->count - 1] - t[0]) / 1000;
    double to_start = (double)(t[0] - start) / 1000, to_end = (double)(end - t[r->count - 1]) / 1000;
    double average = r->count > 1 ? sampled / (double)(r->count - 1) : 0, threshold = average * 1.1;
    if (to_end >= threshold)
        to_end = average / 2;
    if (begun_inside) {
        sampled = (double)(t[r->count - 1] - col->hist_starts[r->first]) / 1000;
        return rate_factor(r->c->op, sampled, 0, to_end);
    }
    if (to_start >= threshold)
        to_start = average / 2;
    if (r->counter && result->count > 0 && r->h[0]->count >= 0) {
        double to_zero = sampled * (r->h[0]->count / result->count);
        to_start = to_zero < to_start ? to_zero : to_start;
    }
    return rate_factor(r->c->op, sampled, to_start, to_end);
}

static bool counter_begins_inside(const struct range_call *c, uint32_t step, uint32_t first)
{
    const struct column *col = c->col;
    int64_t start = time_sub(range_time(c->op, step), c->op->range_ms);
    return col->hist_starts && col->hist_starts[first] != 0 && col->hist_starts[first] > start &&
           col->hist_starts[first] < col->hist_times[first];
}

static void note_overlaps(struct hist_rate *r)
{
    const struct column *col = r->c->col;
    for (uint32_t i = 1; r->counter && i < r->count; i++)
        if (starts_overlap(col->hist_starts, col->hist_times, r->first + i)) {
            notes_overlap(&r->c->w->notes, range_place(r->c), r->c->metric);
            return;
        }
}

void range_rate_hist(struct range_call *c, uint32_t step)
{
    struct window w = c->hist_windows[step];
    struct hist_rate r = {.c = c,
                          .arena = &c->w->tile,
                          .h = c->col->hists + w.lo,
                          .first = w.lo,
                          .count = window_count(w),
                          .counter = c->op->function->id != FUNCTION_DELTA};
    bool inside = r.counter && counter_begins_inside(c, step, w.lo);
    if (r.count < 2 && !inside)
        return;
    note_overlaps(&r);
    const struct histogram *result = difference(&r);
    if (!result)
        return;
    unsigned notes = 0;
    if (inside && histogram_add(r.arena, result, r.h[0], &result, &notes) != ERR_OK)
        return;
    if (inside)
        result = histogram_compact(r.arena, histogram_with_hint(r.arena, result, RESET_GAUGE));
    range_put_hist(c, step, histogram_mul(r.arena, result, hist_factor(&r, step, result, inside)));
}

/* ---- Floats and histograms side by side, merged by time ---- */

struct mixed_sample {
    bool hist;
    uint32_t i; /* in its list */
    int64_t t;
};

/* The newest two; fewer when there are no more. */
static uint32_t last_two(const struct range_call *c, uint32_t step, struct mixed_sample out[2])
{
    struct window f = c->windows[step], h = c->hist_windows[step];
    uint32_t n = 0;
    while (n < 2 && (window_count(f) || window_count(h))) {
        bool hist =
            window_count(f) == 0 || (window_count(h) && c->col->hist_times[h.hi - 1] > c->col->float_times[f.hi - 1]);
        uint32_t i = hist ? --h.hi : --f.hi;
        out[1 - n++] = (struct mixed_sample){hist, i, hist ? c->col->hist_times[i] : c->col->float_times[i]};
    }
    return n;
}

static void irate_hists(struct range_call *c, uint32_t step, uint32_t before, uint32_t now, double seconds)
{
    struct arena *arena = &c->w->tile;
    const struct column *col = c->col;
    bool rate = c->op->function->id == FUNCTION_IRATE;
    const struct histogram *a = col->hists[before], *b = col->hists[now], *result = b;
    if (rate && (is_gauge(a) || is_gauge(b)))
        warn_not_counter(c);
    if (!rate && (!is_gauge(a) || !is_gauge(b)))
        warn_not_gauge(c);
    bool reset = rate && (histogram_detect_reset(b, a) || starts_reset(col->hist_starts, col->hist_times, now));
    unsigned notes = 0;
    if (!reset && histogram_sub(arena, b, a, &result, &notes) != ERR_OK) {
        warn_layouts(c);
        return;
    }
    note_reconciled(c, notes, "subtraction");
    if (rate && starts_overlap(col->hist_starts, col->hist_times, now))
        notes_overlap(&c->w->notes, range_place(c), c->metric);
    result = histogram_compact(arena, histogram_with_hint(arena, result, RESET_GAUGE));
    range_put_hist(c, step, rate ? histogram_div(arena, result, seconds) : result);
}

static void irate_floats(struct range_call *c, uint32_t step, uint32_t now, double seconds)
{
    const double *v = c->col->values;
    bool rate = c->op->function->id == FUNCTION_IRATE;
    bool reset = rate && (v[now] < v[now - 1] || starts_reset(c->col->float_starts, c->col->float_times, now));
    double result = reset ? v[now] : v[now] - v[now - 1];
    range_put(c, step, rate ? result / seconds : result);
}

void range_irate_mixed(struct range_call *c)
{
    for (uint32_t s = 0; s < c->steps; s++) {
        struct mixed_sample two[2];
        if (last_two(c, s, two) < 2 || two[0].t == two[1].t)
            continue;
        double seconds = (double)(two[1].t - two[0].t) / 1000;
        if (two[0].hist != two[1].hist)
            warn_mix(c);
        else if (two[0].hist)
            irate_hists(c, s, two[0].i, two[1].i, seconds);
        else
            irate_floats(c, s, two[1].i, seconds);
    }
}

/* ---- sum and avg over time ---- */

void range_total_hist(struct range_call *c, uint32_t step)
{
    struct window w = c->hist_windows[step];
    const struct histogram *const *h = c->col->hists;
    bool mean = c->op->function->id == FUNCTION_AVG_OVER_TIME, reset = false, no_reset = false;
    struct histogram_total *total = histogram_total_new(&c->w->tile, h[w.lo]);
    unsigned notes = 0;
    enum err err = ERR_OK;
    for (uint32_t i = w.lo; i < w.hi && err == ERR_OK; i++) {
        reset |= h[i]->reset_hint == RESET_YES;
        no_reset |= h[i]->reset_hint == RESET_NO;
        if (i > w.lo)
            err = mean ? histogram_total_add_mean(total, h[i], &notes) : histogram_total_add(total, h[i], &notes);
    }
    if (reset && no_reset)
        notes_warn(&c->w->notes, range_place(c), "conflicting counter resets during histogram aggregation");
    note_reconciled(c, notes, "aggregation");
    if (err != ERR_OK)
        warn_layouts(c);
    else
        range_put_hist(c, step, mean ? histogram_total_mean(total) : histogram_total_sum(total));
}
