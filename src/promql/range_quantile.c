/*
 * range_quantile.c - quantile_over_time and mad_over_time.
 *
 * Windows of neighbouring steps share most of their samples: the sorted window is kept, samples that leave
 * are taken out and new ones put in.  Where little is shared, the two values needed are selected instead.
 */
#include "promql/quantile.h"
#include "promql/range.h"

/* The values of a window in the order of quantile_less. */
struct sorted {
    double *v; /* in the call's scratch memory */
    struct window window;
    uint32_t count;
};

/* Where v belongs: the first place whose value is not less. */
static uint32_t place_of(const struct sorted *s, double v)
{
    uint32_t lo = 0, hi = s->count;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        if (quantile_less(s->v[mid], v))
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static void sorted_remove(struct sorted *s, double v)
{
    uint32_t at = place_of(s, v);
    memmove(s->v + at, s->v + at + 1, (--s->count - at) * sizeof *s->v);
}

static void sorted_insert(struct sorted *s, double v)
{
    uint32_t at = place_of(s, v);
    memmove(s->v + at + 1, s->v + at, (s->count++ - at) * sizeof *s->v);
    s->v[at] = v;
}

/* False when so few samples stay that it does not pay. */
static bool sorted_move(struct sorted *s, const double *v, struct window to)
{
    uint32_t stays = s->window.hi > to.lo ? s->window.hi - to.lo : 0;
    if (s->count == 0 || stays * 2 < window_count(to))
        return false;
    for (uint32_t i = s->window.lo; i < to.lo; i++)
        sorted_remove(s, v[i]);
    for (uint32_t i = s->window.hi; i < to.hi; i++)
        sorted_insert(s, v[i]);
    s->window = to;
    return true;
}

static void sorted_start(struct sorted *s, const double *v, struct window w)
{
    s->count = window_count(w);
    s->window = w;
    memcpy(s->v, v + w.lo, s->count * sizeof *s->v);
    quantile_sort(s->v, s->count);
}

/* The result, unless it hangs on the order of zeros. */
static double settle(struct range_call *c, struct window w, double phi, double result)
{
    const double *v = c->col->values + w.lo;
    uint32_t n = window_count(w);
    if (!quantile_ambiguous(result, v, n))
        return result;
    double *copy = arena_alloc(&c->w->tile, n * sizeof *copy);
    memcpy(copy, v, n * sizeof *copy);
    return quantile_reference(phi, copy, n);
}

static void warn_phi(struct range_call *c, double phi)
{
    if (isnan(phi) || phi < 0 || phi > 1)
        notes_warn(&c->w->notes, range_place(c), "quantile value should be between 0 and 1, got %s",
                   notes_number(&c->w->notes, phi));
}

void range_quantile(struct range_call *c)
{
    const double *v = c->col->values;
    struct sorted sorted = {.v = (double *)(void *)c->scratch};
    for (uint32_t s = 0; s < c->steps; s++) {
        struct window w = c->windows[s];
        if (window_count(w) == 0)
            continue;
        double phi = c->op->values[0][s];
        warn_phi(c, phi);
        if (c->steps == 1) {
            memcpy(sorted.v, v + w.lo, window_count(w) * sizeof *sorted.v);
            range_put(c, s, settle(c, w, phi, quantile_select(phi, sorted.v, window_count(w))));
            continue;
        }
        if (!sorted_move(&sorted, v, w))
            sorted_start(&sorted, v, w);
        range_put(c, s, settle(c, w, phi, quantile_sorted(phi, sorted.v, sorted.count)));
    }
}

static double deviation(const struct range_call *c, struct window w)
{
    uint32_t n = window_count(w);
    double *v = (double *)(void *)c->scratch;
    memcpy(v, c->col->values + w.lo, n * sizeof *v);
    for (uint32_t i = 0; i < n; i++)
        if (isnan(v[i]))
            return NAN;
    double median = quantile_select(0.5, v, n);
    for (uint32_t i = 0; i < n; i++)
        v[i] = fabs(v[i] - median);
    return quantile_select(0.5, v, n);
}

void range_mad(struct range_call *c)
{
    for (uint32_t s = 0; s < c->steps; s++)
        if (window_count(c->windows[s]) > 0)
            range_put(c, s, deviation(c, c->windows[s]));
}
