/* range_regress.c - deriv, predict_linear, double_exponential_smoothing. */
#include "promql/exec.h"
#include "promql/range.h"

struct line {
    double slope, intercept;
};

struct sum {
    double s, c;
};

static double sum_total(struct sum s)
{
    return s.s + s.c;
}

/* Least squares; x in seconds from the origin.  A constant series has slope 0, an infinite one none. */
static struct line regress(const struct column *col, struct window w, int64_t origin_ms)
{
    const double *v = col->values;
    struct sum x = {0}, y = {0}, xy = {0}, xx = {0};
    double n = 0;
    bool constant = true;
    for (uint32_t i = w.lo; i < w.hi; i++) {
        if (i > w.lo && v[i] != v[w.lo])
            constant = false;
        n += 1;
        double at = (double)(col->float_times[i] - origin_ms) / 1000;
        kernel_inc(at, &x.s, &x.c);
        kernel_inc(v[i], &y.s, &y.c);
        kernel_inc(at * v[i], &xy.s, &xy.c);
        kernel_inc(at * at, &xx.s, &xx.c);
    }
    if (constant)
        return isinf(v[w.lo]) ? (struct line){NAN, NAN} : (struct line){0, v[w.lo]};
    double sx = sum_total(x), sy = sum_total(y), sxy = sum_total(xy), sxx = sum_total(xx);
    double covariance = sxy - sx * sy / n, variance = sxx - sx * sx / n;
    double slope = covariance / variance;
    return (struct line){slope, sy / n - slope * sx / n};
}

/* A single float among histograms is worth an info, though it yields nothing. */
static bool two_floats(const struct range_call *c, uint32_t step)
{
    return window_count(c->windows[step]) >= 2;
}

void range_deriv(struct range_call *c)
{
    for (uint32_t s = 0; s < c->steps; s++)
        if (two_floats(c, s))
            range_put(c, s, regress(c->col, c->windows[s], c->col->float_times[c->windows[s].lo]).slope);
}

/* The line is taken at the evaluation time, whatever the offset. */
void range_predict(struct range_call *c)
{
    for (uint32_t s = 0; s < c->steps; s++) {
        if (!two_floats(c, s))
            continue;
        struct line line = regress(c->col, c->windows[s], grid_time(&c->op->base.grid, s));
        range_put(c, s, line.slope * c->op->values[0][s] + line.intercept);
    }
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
    return err_set(why, ERR_INVALID, "invalid %s factor. Expected: 0 < %s < 1, got: %f", what, letter, factor);
}

void range_smooth(struct range_call *c)
{
    for (uint32_t s = 0; s < c->steps && c->err == ERR_OK; s++) {
        double level_factor = c->op->values[0][s], trend_factor = c->op->values[1][s];
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
