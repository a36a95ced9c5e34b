/* range_regress.c - deriv, predict_linear, double_exponential_smoothing. */
#include "numeric/goformat.h"
#include "promql/range_lanes.h"

struct line {
    double slope, intercept;
};

/* The sums that a line needs, each with its compensation: x, y, x*y, x*x; x in seconds from the origin. */
struct line_sums {
    double s[8];
};

static void line_add(struct line_sums *l, double x, double y)
{
    kernel_inc(x, &l->s[0], &l->s[1]);
    kernel_inc(y, &l->s[2], &l->s[3]);
    kernel_inc(x * y, &l->s[4], &l->s[5]);
    kernel_inc(x * x, &l->s[6], &l->s[7]);
}

static bool is_constant(const double *v, struct window w)
{
    for (uint32_t i = w.lo + 1; i < w.hi; i++)
        if (v[i] != v[w.lo])
            return false;
    return true;
}

/* Least squares.  A constant series has slope 0, an infinite one none. */
static struct line line_of(const double *v, struct window w, const struct line_sums *l)
{
    if (is_constant(v, w))
        return isinf(v[w.lo]) ? (struct line){NAN, NAN} : (struct line){0, v[w.lo]};
    double n = (double)window_count(w);
    double x = l->s[0] + l->s[1], y = l->s[2] + l->s[3], xy = l->s[4] + l->s[5], xx = l->s[6] + l->s[7];
    double covariance = xy - x * y / n, variance = xx - x * x / n;
    double slope = covariance / variance;
    return (struct line){slope, y / n - slope * x / n};
}

/* deriv looks from the window's first sample, predict_linear from the evaluation time. */
static int64_t origin_ms(const struct range_call *c, uint32_t step, struct window w)
{
    return c->op->function->id == FUNCTION_DERIV ? c->col->float_times[w.lo] : grid_time(&c->op->base.grid, step);
}

static void regress_eight(struct range_call *c, const struct eight *g)
{
    const struct column *col = c->col;
    double sums[8][KERNEL_LANES] = {{0}}, origin[KERNEL_LANES];
    uint32_t len = g->count == 1 ? 0 : g->len;
    for (uint32_t k = 0; k < KERNEL_LANES; k++)
        origin[k] = (double)origin_ms(c, g->steps[k < g->count ? k : 0], g->windows[k]);
    if (len) {
        struct kernel_windows v = lanes_values(c, g), t = lanes_times(c, g);
        c->w->x->kernels->window_regress(sums, &v, &t, origin, len);
    }
    for (uint32_t k = 0; k < g->count; k++) {
        struct window w = g->windows[k];
        struct line_sums l;
        for (uint32_t i = 0; i < 8; i++)
            l.s[i] = sums[i][k];
        for (uint32_t i = w.lo + len; i < w.hi; i++)
            line_add(&l, ((double)col->float_times[i] - origin[k]) / 1000, col->values[i]);
        struct line line = line_of(col->values, w, &l);
        bool slope = c->op->function->id == FUNCTION_DERIV;
        range_put(c, g->steps[k], slope ? line.slope : line.slope * c->op->values[0][g->steps[k]] + line.intercept);
    }
}

void range_regress(struct range_call *c)
{
    each_eight(c, 2, regress_eight);
}

/* ---- Smoothing ---- */

/* A single float among histograms is worth an info, though it yields nothing. */
static bool two_floats(const struct range_call *c, uint32_t step)
{
    return window_count(c->windows[step]) >= 2;
}

static double smooth(const double *v, struct window w, double level_factor, double trend_factor)
{
    double before = 0, level = v[w.lo], trend = v[w.lo + 1] - v[w.lo];
    for (uint32_t i = 1; i < window_count(w); i++) {
        double x = level_factor * v[w.lo + i];
        if (i > 1)
            trend = trend_factor * (level - before) + (1 - trend_factor) * trend;
        double y = (1 - level_factor) * (level + trend);
        before = level;
        level = x + y;
    }
    return level;
}

static enum err factor_wrong(struct errmsg *why, const char *what, const char *letter, double factor)
{
    char text[GOFORMAT_BYTES_MAX];
    size_t len = goformat_float(text, factor, 'f', 6);
    return err_set(why, ERR_INVALID, "invalid %s factor. Expected: 0 < %s < 1, got: %.*s", what, letter, (int)len, text);
}

void range_smooth(struct range_call *c)
{
    for (uint32_t s = 0; s < c->steps && c->err == ERR_OK; s++) {
        double level_factor = c->op->values[0][s], trend_factor = c->op->values[1][s];
        if (range_stop(c, (uint64_t)window_count(c->windows[s]) * 6))
            return;
        if (window_count(c->windows[s]) == 0 && (c->col->hist_count == 0 || window_count(c->hist_windows[s]) == 0))
            continue;
        if (level_factor <= 0 || level_factor >= 1)
            c->err = factor_wrong(c->w->why, "smoothing", "sf", level_factor);
        else if (trend_factor <= 0 || trend_factor >= 1)
            c->err = factor_wrong(c->w->why, "trend", "tf", trend_factor);
        else if (two_floats(c, s))
            range_put(c, s, smooth(c->col->values, c->windows[s], level_factor, trend_factor));
    }
}
