/* range_starts.c - rate and increase with start timestamps; the contract is in range_starts.h. */
#include "promql/range_starts.h"

bool starts_reset(const int64_t *starts, const int64_t *times, uint32_t i)
{
    if (!starts || i == 0)
        return false;
    int64_t before = starts[i - 1], now = starts[i];
    if (now == before || now == 0 || now >= times[i] || now < times[i - 1])
        return false;
    if (now > times[i - 1])
        return true;
    if (before > times[i - 1])
        return false;
    return before != 0 && before != times[i - 1];
}

bool starts_overlap(const int64_t *starts, const int64_t *times, uint32_t i)
{
    return starts && i > 0 && starts[i] != 0 && starts[i] < times[i - 1] && starts[i] != starts[i - 1];
}

double rate_factor(const struct range_op *op, double sampled, double to_start, double to_end)
{
    double factor = sampled == 0 ? 1 : ((sampled + to_start) + to_end) / sampled;
    return op->function->id == FUNCTION_RATE ? factor / range_seconds(op) : factor;
}

/* Sum of all that was counted in the window, over resets of either kind. */
static double counted(const struct column *col, struct window w, bool *overlap)
{
    const double *v = col->values;
    double result = v[w.hi - 1] - v[w.lo];
    for (uint32_t i = w.lo + 1; i < w.hi; i++) {
        if (v[i] < v[i - 1] || starts_reset(col->float_starts, col->float_times, i))
            result += v[i - 1];
        *overlap |= starts_overlap(col->float_starts, col->float_times, i);
    }
    return result;
}

static void rate_step(struct range_call *c, uint32_t step, struct window w)
{
    const struct column *col = c->col;
    const int64_t *t = col->float_times;
    int64_t end = range_time(c->op, step), start = time_sub(end, c->op->range_ms);
    int64_t begun = col->float_starts[w.lo];
    bool inside = begun != 0 && begun > start && begun < t[w.lo];
    if (window_count(w) < 2 && !inside)
        return;
    bool overlap = false;
    double first = col->values[w.lo], result = counted(col, w, &overlap);
    if (overlap)
        notes_overlap(&c->w->notes, range_place(c), c->metric);
    double sampled = (double)(t[w.hi - 1] - t[w.lo]) / 1000;
    double to_start = (double)(t[w.lo] - start) / 1000, to_end = (double)(end - t[w.hi - 1]) / 1000;
    double average = window_count(w) > 1 ? sampled / (double)(window_count(w) - 1) : 0;
    double threshold = average * 1.1;
    if (inside) {
        to_start = 0;
        sampled = (double)(t[w.hi - 1] - begun) / 1000;
        result += first;
    } else {
        if (to_start >= threshold)
            to_start = average / 2;
        if (result > 0 && first >= 0) {
            double to_zero = sampled * (first / result);
            to_start = to_zero < to_start ? to_zero : to_start;
        }
    }
    if (to_end >= threshold)
        to_end = average / 2;
    range_put(c, step, result * rate_factor(c->op, sampled, to_start, to_end));
}

void range_rate_starts(struct range_call *c)
{
    for (uint32_t s = 0; s < c->steps; s++)
        if (window_count(c->windows[s]) > 0)
            rate_step(c, s, c->windows[s]);
}
