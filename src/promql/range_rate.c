/*
 * range_rate.c - rate, increase, delta, irate, idelta, resets, changes of floats.
 *
 * rate needs of a window its first and last value, the resets in between and four terms of its times.
 * Resets are found once per series; the terms depend on times only and are shared by all series that
 * were scraped together.
 */
#include "base/assert.h"
#include "promql/range.h"
#include "promql/range_starts.h"

static struct extrapolation extrapolate(const struct range_call *c, uint32_t step, struct window w)
{
    const int64_t *t = c->col->float_times;
    int64_t end = range_time(c->op, step), start = time_sub(end, c->op->range_ms);
    struct extrapolation e;
    e.sampled = (double)(t[w.hi - 1] - t[w.lo]) / 1000;
    e.to_start = (double)(t[w.lo] - start) / 1000;
    e.to_end = (double)(end - t[w.hi - 1]) / 1000;
    double average = e.sampled / (double)(window_count(w) - 1), threshold = average * 1.1;
    if (e.to_start >= threshold)
        e.to_start = average / 2;
    if (e.to_end >= threshold)
        e.to_end = average / 2;
    e.factor = rate_factor(c->op, e.sampled, e.to_start, e.to_end);
    return e;
}

static const struct extrapolation *terms_get(struct range_call *c)
{
    struct windows *shared = c->shared;
    if (!shared->terms)
        shared->terms = worker_alloc(c->w, c->steps, sizeof *shared->terms);
    if (!shared->terms)
        return NULL;
    if (!shared->has_terms)
        for (uint32_t s = 0; s < c->steps; s++)
            if (window_count(c->windows[s]) >= 2)
                shared->terms[s] = extrapolate(c, s, c->windows[s]);
    shared->has_terms = true;
    return shared->terms;
}

/* A counter is taken to have started at zero when the line to the first sample says it did. */
static double counter_factor(const struct range_call *c, const struct extrapolation *e, double first, double result)
{
    if (result > 0 && first >= 0) {
        double to_zero = e->sampled * (first / result);
        if (to_zero < e->to_start)
            return rate_factor(c->op, e->sampled, to_zero, e->to_end);
    }
    return e->factor;
}

static bool is_counter(const struct range_call *c)
{
    return c->op->function->id != FUNCTION_DELTA;
}

/* The increase over a window: last - first, and what each reset lost, in order of time. */
struct resets {
    uint32_t count, next; /* next: the first one past the window's start */
    uint32_t *at;
};

static double increase_of(const double *v, struct window w, struct resets *r)
{
    double result = v[w.hi - 1] - v[w.lo];
    while (r->next < r->count && r->at[r->next] <= w.lo)
        r->next++;
    for (uint32_t i = r->next; i < r->count && r->at[i] < w.hi; i++)
        result += v[r->at[i] - 1];
    return result;
}

/* Two samples in every window. */
static void rate_dense(struct range_call *c, const struct extrapolation *terms, struct resets *resets, bool counter)
{
    const double *v = c->col->values;
    const struct window *w = c->windows;
    for (uint32_t s = 0; s < c->steps; s++) {
        if (resets->count && range_stop(c, window_count(w[s])))
            return;
        double result = resets->count ? increase_of(v, w[s], resets) : v[w[s].hi - 1] - v[w[s].lo];
        double factor = counter ? counter_factor(c, &terms[s], v[w[s].lo], result) : terms[s].factor;
        c->v[s] = result * factor;
    }
    bits_fill(c->present, c->steps);
}

void range_rate(struct range_call *c)
{
    bool counter = is_counter(c);
    if (c->col->float_starts && counter) {
        range_rate_starts(c);
        return;
    }
    const double *v = c->col->values;
    const struct extrapolation *terms = terms_get(c);
    if (!terms) {
        c->err = exec_no_memory(c->w->x, c->w->why);
        return;
    }
    struct resets resets = {.at = c->scratch};
    if (counter)
        resets.count = c->w->x->kernels->drops(resets.at, v, c->col->float_count);
    if (c->shared->shortest >= 2) {
        rate_dense(c, terms, &resets, counter);
        return;
    }
    for (uint32_t s = 0; s < c->steps; s++) {
        struct window w = c->windows[s];
        if (window_count(w) < 2)
            continue;
        if (range_stop(c, window_count(w)))
            return;
        double result = increase_of(v, w, &resets);
        double factor = counter ? counter_factor(c, &terms[s], v[w.lo], result) : terms[s].factor;
        range_put(c, s, result * factor);
    }
}

void range_irate(struct range_call *c)
{
    const double *v = c->col->values;
    const int64_t *t = c->col->float_times;
    bool rate = c->op->function->id == FUNCTION_IRATE;
    for (uint32_t s = 0; s < c->steps; s++) {
        struct window w = c->windows[s];
        if (window_count(w) < 2)
            continue;
        uint32_t last = w.hi - 1;
        int64_t interval = t[last] - t[last - 1];
        bool reset = rate && (v[last] < v[last - 1] || starts_reset(c->col->float_starts, t, last));
        double result = reset ? v[last] : v[last] - v[last - 1];
        range_put(c, s, rate ? result / ((double)interval / 1000) : result);
        if (rate && starts_overlap(c->col->float_starts, t, last))
            notes_overlap(&c->w->notes, range_place(c), c->metric);
    }
}
