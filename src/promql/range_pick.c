/*
 * range_pick.c - functions that choose or count samples: first, last, count, present, min, max, and the
 * times of those.
 */
#include "promql/range.h"

static double seconds(int64_t ms)
{
    return (double)ms / 1000;
}

static bool picks_first(enum function_id id)
{
    return id == FUNCTION_FIRST_OVER_TIME || id == FUNCTION_TS_OF_FIRST_OVER_TIME;
}

static bool picks_time(enum function_id id)
{
    return id == FUNCTION_TS_OF_FIRST_OVER_TIME || id == FUNCTION_TS_OF_LAST_OVER_TIME;
}

/* The reference takes a kind that is not there to be at 0, so before 1970 the last time of one kind is 0. */
static double picked_seconds(enum function_id id, int64_t ms, bool one_kind)
{
    return id == FUNCTION_TS_OF_LAST_OVER_TIME && one_kind && ms < 0 ? 0 : seconds(ms);
}

void range_pick(struct range_call *c)
{
    enum function_id id = c->op->function->id;
    for (uint32_t s = 0; s < c->steps; s++) {
        struct window w = c->windows[s];
        if (window_count(w) == 0)
            continue;
        uint32_t i = picks_first(id) ? w.lo : w.hi - 1;
        range_put(c, s, picks_time(id) ? picked_seconds(id, c->col->float_times[i], true) : c->col->values[i]);
    }
}

/* Floats and histograms side by side: the older of the two firsts, the newer of the two lasts. */
static void pick_step(struct range_call *c, uint32_t s, const struct histogram **from, const struct histogram **copy)
{
    enum function_id id = c->op->function->id;
    struct window f = c->windows[s], h = c->hist_windows[s];
    if (window_count(f) + window_count(h) == 0)
        return;
    bool first = picks_first(id);
    uint32_t i = first ? f.lo : f.hi - 1, j = first ? h.lo : h.hi - 1;
    bool take_hist = window_count(f) == 0;
    if (window_count(f) > 0 && window_count(h) > 0)
        take_hist =
            first ? c->col->hist_times[j] < c->col->float_times[i] : c->col->hist_times[j] > c->col->float_times[i];
    if (picks_time(id)) {
        bool one_kind = window_count(f) == 0 || window_count(h) == 0;
        range_put(c, s, picked_seconds(id, take_hist ? c->col->hist_times[j] : c->col->float_times[i], one_kind));
    } else if (!take_hist) {
        range_put(c, s, c->col->values[i]);
    } else if (*from == c->col->hists[j]) { /* seen at the step before */
        batch_need_h(c->b, c->row)[s] = *copy;
        bits_set(c->present, s);
    } else {
        range_put_hist(c, s, c->col->hists[j]);
        *from = c->col->hists[j];
        *copy = batch_h(c->b, c->row)[s];
    }
}

void range_pick_mixed(struct range_call *c)
{
    const struct histogram *from = NULL, *copy = NULL;
    for (uint32_t s = 0; s < c->steps; s++)
        pick_step(c, s, &from, &copy);
}

void range_count(struct range_call *c)
{
    bool count = c->op->function->id == FUNCTION_COUNT_OVER_TIME;
    for (uint32_t s = 0; s < c->steps; s++) {
        uint32_t n = window_count(c->windows[s]);
        if (n > 0)
            range_put(c, s, count ? (double)n : 1);
    }
}

void range_count_mixed(struct range_call *c)
{
    bool count = c->op->function->id == FUNCTION_COUNT_OVER_TIME;
    for (uint32_t s = 0; s < c->steps; s++) {
        uint32_t n = window_count(c->windows[s]) + window_count(c->hist_windows[s]);
        if (n > 0)
            range_put(c, s, count ? (double)n : 1);
    }
}

/* ---- Extremes: a queue of candidates, the best in front ---- */

/*
 * Whether `a`, which came first, is no candidate any more once `b` is there.  min and max keep the first
 * of equals, their times name the last.
 */
static inline bool beaten(enum function_id id, double a, double b)
{
    switch (id) {
    case FUNCTION_MIN_OVER_TIME:
        return a > b;
    case FUNCTION_MAX_OVER_TIME:
        return a < b;
    case FUNCTION_TS_OF_MIN_OVER_TIME:
        return a >= b;
    default:
        return a <= b;
    }
}

/* NaN never is a candidate; a window of nothing else yields its last one.  Compiled once for each function. */
static inline __attribute__((always_inline)) void extremes(struct range_call *c, enum function_id id)
{
    const double *v = c->col->values;
    const int64_t *t = c->col->float_times;
    bool time = id == FUNCTION_TS_OF_MIN_OVER_TIME || id == FUNCTION_TS_OF_MAX_OVER_TIME;
    uint32_t *queue = c->scratch;
    uint32_t head = 0, tail = 0, added = 0;
    for (uint32_t s = 0; s < c->steps; s++) {
        struct window w = c->windows[s];
        for (added = added > w.lo ? added : w.lo; added < w.hi; added++) {
            if (isnan(v[added]))
                continue;
            while (tail > head && beaten(id, v[queue[tail - 1]], v[added]))
                tail--;
            queue[tail++] = added;
        }
        while (head < tail && queue[head] < w.lo)
            head++;
        if (window_count(w) == 0)
            continue;
        uint32_t best = head < tail ? queue[head] : w.hi - 1;
        range_put(c, s, time ? seconds(t[best]) : v[best]);
    }
}

void range_extreme(struct range_call *c)
{
    switch (c->op->function->id) {
    case FUNCTION_MIN_OVER_TIME:
        extremes(c, FUNCTION_MIN_OVER_TIME);
        break;
    case FUNCTION_MAX_OVER_TIME:
        extremes(c, FUNCTION_MAX_OVER_TIME);
        break;
    case FUNCTION_TS_OF_MIN_OVER_TIME:
        extremes(c, FUNCTION_TS_OF_MIN_OVER_TIME);
        break;
    default:
        extremes(c, FUNCTION_TS_OF_MAX_OVER_TIME);
    }
}
