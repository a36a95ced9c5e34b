/*
 * range_fold.c - sum, avg, stddev and stdvar over time.
 *
 * A compensated sum depends on where it starts, so windows are summed anew at every step, eight windows
 * side by side.  Integers are the exception: while no sum can pass 2^53 every step is exact, the
 * compensation is 0, and a window's sum is the difference of two prefix sums.
 */
#include "base/assert.h"
#include "promql/range_lanes.h"

/* The sum and compensation of each window; a single window is not worth laying out. */
static void eight_sums(struct range_call *c, const struct eight *g, double *sum, double *carry)
{
    const double *v = c->col->values;
    uint32_t len = g->count == 1 ? 0 : g->len;
    memset(sum, 0, KERNEL_LANES * sizeof *sum);
    memset(carry, 0, KERNEL_LANES * sizeof *carry);
    if (len) {
        struct kernel_windows windows = lanes_values(c, g);
        c->w->x->kernels->window_sum(sum, carry, &windows, len);
    }
    for (uint32_t k = 0; k < g->count; k++)
        for (uint32_t i = g->windows[k].lo + len; i < g->windows[k].hi; i++)
            kernel_inc(v[i], &sum[k], &carry[k]);
}

static void sum_eight(struct range_call *c, const struct eight *g)
{
    double sum[KERNEL_LANES], carry[KERNEL_LANES];
    eight_sums(c, g, sum, carry);
    for (uint32_t k = 0; k < g->count; k++)
        range_put(c, g->steps[k], isinf(sum[k]) ? sum[k] : sum[k] + carry[k]);
}

/* The mean where the sum overflows: from there on it is updated instead of the sum. */
static double mean_incremental(const double *v, struct window w)
{
    double sum = v[w.lo], mean = 0, carry = 0;
    bool incremental = false;
    for (uint32_t i = w.lo + 1; i < w.hi; i++) {
        double n = (double)(i - w.lo + 1);
        if (!incremental) {
            double s = sum, c = carry;
            kernel_inc(v[i], &s, &c);
            if (!isinf(s)) {
                sum = s;
                carry = c;
                continue;
            }
            incremental = true;
            mean = sum / (n - 1);
            carry /= n - 1;
        }
        double q = (n - 1) / n;
        mean *= q;
        carry *= q;
        kernel_inc(v[i] / n, &mean, &carry);
    }
    double n = (double)window_count(w);
    return incremental ? mean + carry : sum / n + carry / n;
}

static void avg_eight(struct range_call *c, const struct eight *g)
{
    double sum[KERNEL_LANES], carry[KERNEL_LANES];
    eight_sums(c, g, sum, carry);
    for (uint32_t k = 0; k < g->count; k++) {
        struct window w = g->windows[k];
        double n = (double)window_count(w);
        /* Once infinite, a sum stays infinite or becomes NaN. */
        bool overflowed = !(fabs(sum[k]) <= DBL_MAX);
        range_put(c, g->steps[k], overflowed ? mean_incremental(c->col->values, w) : sum[k] / n + carry[k] / n);
    }
}

/* Prefix sums, when every sum of a window is an integer below 2^53. */
static const double *prefix_sums(struct range_call *c)
{
    const double *v = c->col->values;
    uint32_t n = c->col->float_count;
    double most;
    uint64_t longest = c->shared->most;
    if (c->steps < 4 || longest < 4 || !c->w->x->kernels->integers(v, n, &most) ||
        most * (double)longest > 9007199254740992.0 || most * (double)n > 9007199254740992.0)
        return NULL;
    double *sums = (double *)(void *)c->scratch; /* [n + 1], within its 16 (n + 1) bytes */
    sums[0] = 0;
    for (uint32_t i = 0; i < n; i++)
        sums[i + 1] = sums[i] + v[i];
    return sums;
}

void range_sum(struct range_call *c)
{
    const double *sums = prefix_sums(c);
    if (!sums) {
        each_eight(c, 1, sum_eight);
        return;
    }
    for (uint32_t s = 0; s < c->steps; s++) {
        struct window w = c->windows[s];
        if (window_count(w) > 0)
            range_put(c, s, sums[w.hi] - sums[w.lo]);
    }
}

void range_avg(struct range_call *c)
{
    const double *sums = prefix_sums(c);
    if (!sums) {
        each_eight(c, 1, avg_eight);
        return;
    }
    for (uint32_t s = 0; s < c->steps; s++) {
        struct window w = c->windows[s];
        if (window_count(w) > 0)
            range_put(c, s, (sums[w.hi] - sums[w.lo]) / (double)window_count(w));
    }
}

struct moments {
    double mean, cmean, m2, cm2;
};

static void moments_add(struct moments *m, double x, double n)
{
    double d = x - (m->mean + m->cmean);
    kernel_inc(d / n, &m->mean, &m->cmean);
    kernel_inc(d * (x - (m->mean + m->cmean)), &m->m2, &m->cm2);
}

static void variance_eight(struct range_call *c, const struct eight *g)
{
    const double *v = c->col->values;
    double mean[KERNEL_LANES] = {0}, cmean[KERNEL_LANES] = {0}, m2[KERNEL_LANES] = {0}, cm2[KERNEL_LANES] = {0};
    uint32_t len = g->count == 1 ? 0 : g->len;
    if (len) {
        struct kernel_windows windows = lanes_values(c, g);
        c->w->x->kernels->window_variance(mean, cmean, m2, cm2, &windows, len);
    }
    for (uint32_t k = 0; k < g->count; k++) {
        struct window w = g->windows[k];
        struct moments m = {mean[k], cmean[k], m2[k], cm2[k]};
        for (uint32_t i = w.lo + len; i < w.hi; i++)
            moments_add(&m, v[i], (double)(i - w.lo + 1));
        double variance = (m.m2 + m.cm2) / (double)window_count(w);
        bool deviation = c->op->function->id == FUNCTION_STDDEV_OVER_TIME;
        range_put(c, g->steps[k], deviation ? sqrt(variance) : variance);
    }
}

void range_variance(struct range_call *c)
{
    each_eight(c, 1, variance_eight);
}
