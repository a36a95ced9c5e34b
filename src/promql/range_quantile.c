/*
 * range_quantile.c - quantile_over_time and mad_over_time.
 *
 * Windows of neighbouring steps share most of their samples: the sorted window is kept, samples that leave
 * are taken out and new ones put in.  Where little is shared, the two values needed are selected instead.
 */
#include "promql/quantile.h"
#include "promql/range.h"

enum { MOVED_MAX = 64 }; /* samples taken out and put in one by one */

/* The values of a window in the order of quantile_less. */
struct sorted {
    double *v, *spare; /* in the call's scratch memory, each as large as the series */
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

static double *sorted_copy(double *to, const double *v, uint32_t n)
{
    memcpy(to, v, n * sizeof *to);
    quantile_sort(to, n);
    return to;
}

static bool same_place(double a, double b)
{
    return !quantile_less(a, b) && !quantile_less(b, a);
}

/* Many at once: one pass that leaves out what goes, one from behind that lets in what comes, both sorted. */
static void sorted_merge(struct sorted *s, const double *v, struct window to)
{
    uint32_t gone = to.lo - s->window.lo, come = to.hi - s->window.hi, n = 0, g = 0;
    const double *leaving = sorted_copy(s->spare, v + s->window.lo, gone);
    for (uint32_t i = 0; i < s->count; i++)
        if (g < gone && same_place(leaving[g], s->v[i]))
            g++;
        else
            s->v[n++] = s->v[i];
    const double *entering = sorted_copy(s->spare, v + s->window.hi, come);
    s->count = n + come;
    for (uint32_t at = s->count; come > 0; at--)
        s->v[at - 1] = n > 0 && quantile_less(entering[come - 1], s->v[n - 1]) ? s->v[--n] : entering[--come];
}

/* False when so few samples stay that it does not pay. */
static bool sorted_move(struct sorted *s, const double *v, struct window to)
{
    uint32_t stays = s->window.hi > to.lo ? s->window.hi - to.lo : 0;
    if (s->count == 0 || stays * 2 < window_count(to))
        return false;
    uint32_t moved = to.lo - s->window.lo + to.hi - s->window.hi;
    if (moved > MOVED_MAX) {
        sorted_merge(s, v, to);
    } else {
        for (uint32_t i = s->window.lo; i < to.lo; i++)
            sorted_remove(s, v[i]);
        for (uint32_t i = s->window.hi; i < to.hi; i++)
            sorted_insert(s, v[i]);
    }
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
static double settle(struct range_call *c, struct window w, double phi, double result, double *spare)
{
    const double *v = c->col->values + w.lo;
    uint32_t n = window_count(w);
    if (!quantile_ambiguous(result, v, n))
        return result;
    memcpy(spare, v, n * sizeof *spare);
    return quantile_reference(phi, spare, n);
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
    sorted.spare = sorted.v + c->col->float_count + c->col->hist_count + 1;
    for (uint32_t s = 0; s < c->steps; s++) {
        struct window w = c->windows[s];
        if (window_count(w) == 0)
            continue;
        double phi = c->op->values[0][s];
        warn_phi(c, phi);
        if (range_stop(c, (uint64_t)window_count(w) * 20)) /* sorting, at worst */
            return;
        if (c->steps == 1) {
            memcpy(sorted.v, v + w.lo, window_count(w) * sizeof *sorted.v);
            range_put(c, s, settle(c, w, phi, quantile_select(phi, sorted.v, window_count(w)), sorted.spare));
            continue;
        }
        if (!sorted_move(&sorted, v, w))
            sorted_start(&sorted, v, w);
        range_put(c, s, settle(c, w, phi, quantile_sorted(phi, sorted.v, sorted.count), sorted.spare));
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
        if (window_count(c->windows[s]) > 0 && !range_stop(c, (uint64_t)window_count(c->windows[s]) * 50))
            range_put(c, s, deviation(c, c->windows[s]));
}
