/*
 * Functions of range vectors against their definitions: each is written down here a second time, slowly, window by
 * window, and must give the same bits on random series with gaps, resets, NaN, infinities and zeros of both signs.
 */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "base/mem.h"
#include "base/random.h"
#include "lib/memory_storage.h"
#include "model/value.h"
#include "numeric/gosort.h"
#include "promql/promql.h"

enum { SAMPLES = 120, ROUNDS = 40 };

struct series {
    uint32_t count;
    int64_t t[SAMPLES];
    double v[SAMPLES];
};

/* One window: samples first <= i < end, and the times of its range. */
struct view {
    const struct series *s;
    uint32_t first, end;
    int64_t start_ms, end_ms, eval_ms;
};

/* NAN with present false: nothing. */
struct answer {
    bool present;
    double v;
};
typedef struct answer (*spec_fn)(const struct view *w);

static const struct answer nothing;

static struct answer some(double v)
{
    return (struct answer){true, v};
}

static uint32_t count_of(const struct view *w)
{
    return w->end - w->first;
}

/* ---- Definitions ---- */

static void inc(double x, double *s, double *c)
{
    double t = *s + x;
    if (isinf(t))
        *c = 0;
    else if (fabs(*s) >= fabs(x))
        *c = *c + ((*s - t) + x);
    else
        *c = *c + ((x - t) + *s);
    *s = t;
}

static struct answer extrapolated(const struct view *w, bool counter, bool per_second)
{
    const double *v = w->s->v;
    const int64_t *t = w->s->t;
    if (count_of(w) < 2)
        return nothing;
    uint32_t last = w->end - 1;
    double result = v[last] - v[w->first];
    for (uint32_t i = w->first + 1; counter && i < w->end; i++)
        if (v[i] < v[i - 1])
            result += v[i - 1];
    double to_start = (double)(t[w->first] - w->start_ms) / 1000, to_end = (double)(w->end_ms - t[last]) / 1000;
    double sampled = (double)(t[last] - t[w->first]) / 1000, average = sampled / (double)(count_of(w) - 1);
    if (to_start >= average * 1.1)
        to_start = average / 2;
    if (counter && result > 0 && v[w->first] >= 0) {
        double to_zero = sampled * (v[w->first] / result);
        if (to_zero < to_start)
            to_start = to_zero;
    }
    if (to_end >= average * 1.1)
        to_end = average / 2;
    double factor = (sampled + to_start + to_end) / sampled;
    if (per_second)
        factor /= (double)(w->end_ms - w->start_ms) / 1000;
    return some(result * factor);
}

static struct answer spec_rate(const struct view *w)
{
    return extrapolated(w, true, true);
}

static struct answer spec_increase(const struct view *w)
{
    return extrapolated(w, true, false);
}

static struct answer spec_delta(const struct view *w)
{
    return extrapolated(w, false, false);
}

static struct answer spec_irate(const struct view *w)
{
    const double *v = w->s->v;
    if (count_of(w) < 2)
        return nothing;
    uint32_t i = w->end - 1;
    double d = v[i] < v[i - 1] ? v[i] : v[i] - v[i - 1];
    return some(d / ((double)(w->s->t[i] - w->s->t[i - 1]) / 1000));
}

static struct answer spec_sum(const struct view *w)
{
    double s = 0, c = 0;
    if (count_of(w) == 0)
        return nothing;
    for (uint32_t i = w->first; i < w->end; i++)
        inc(w->s->v[i], &s, &c);
    return some(isinf(s) ? s : s + c);
}

static struct answer spec_avg(const struct view *w)
{
    const double *v = w->s->v;
    if (count_of(w) == 0)
        return nothing;
    double sum = v[w->first], c = 0, mean = 0;
    bool incremental = false;
    for (uint32_t i = w->first + 1; i < w->end; i++) {
        double n = (double)(i - w->first + 1);
        if (!incremental) {
            double s2 = sum, c2 = c;
            inc(v[i], &s2, &c2);
            if (!isinf(s2)) {
                sum = s2;
                c = c2;
                continue;
            }
            incremental = true;
            mean = sum / (n - 1);
            c = c / (n - 1);
        }
        double q = (n - 1) / n;
        mean = q * mean;
        c = q * c;
        inc(v[i] / n, &mean, &c);
    }
    double n = (double)count_of(w);
    return some(incremental ? mean + c : sum / n + c / n);
}

static struct answer spec_stdvar(const struct view *w)
{
    double n = 0, mean = 0, cm = 0, m2 = 0, c2 = 0;
    if (count_of(w) == 0)
        return nothing;
    for (uint32_t i = w->first; i < w->end; i++) {
        double x = w->s->v[i];
        n++;
        double d = x - (mean + cm);
        inc(d / n, &mean, &cm);
        inc(d * (x - (mean + cm)), &m2, &c2);
    }
    return some((m2 + c2) / n);
}

static struct answer spec_stddev(const struct view *w)
{
    struct answer a = spec_stdvar(w);
    a.v = sqrt(a.v);
    return a;
}

static uint32_t extreme(const struct view *w, bool max, bool last)
{
    const double *v = w->s->v;
    uint32_t best = w->first;
    for (uint32_t i = w->first + 1; i < w->end; i++) {
        bool better = max ? v[i] > v[best] : v[i] < v[best];
        if (better || isnan(v[best]) || (last && v[i] == v[best]))
            best = i;
    }
    return best;
}

static struct answer spec_max(const struct view *w)
{
    return count_of(w) ? some(w->s->v[extreme(w, true, false)]) : nothing;
}

static struct answer spec_min(const struct view *w)
{
    return count_of(w) ? some(w->s->v[extreme(w, false, false)]) : nothing;
}

static struct answer spec_ts_of_max(const struct view *w)
{
    return count_of(w) ? some((double)w->s->t[extreme(w, true, true)] / 1000) : nothing;
}

static struct answer spec_count(const struct view *w)
{
    return count_of(w) ? some(count_of(w)) : nothing;
}

static struct answer spec_last(const struct view *w)
{
    return count_of(w) ? some(w->s->v[w->end - 1]) : nothing;
}

static struct answer spec_first(const struct view *w)
{
    return count_of(w) ? some(w->s->v[w->first]) : nothing;
}

static struct answer spec_changes(const struct view *w)
{
    const double *v = w->s->v;
    double n = 0;
    for (uint32_t i = w->first + 1; i < w->end; i++)
        n += v[i] != v[i - 1] && !(isnan(v[i]) && isnan(v[i - 1]));
    return count_of(w) ? some(n) : nothing;
}

static struct answer spec_resets(const struct view *w)
{
    double n = 0;
    for (uint32_t i = w->first + 1; i < w->end; i++)
        n += w->s->v[i] < w->s->v[i - 1];
    return count_of(w) ? some(n) : nothing;
}

static struct answer regression(const struct view *w, int64_t origin, bool slope_only)
{
    const double *v = w->s->v;
    double n = 0, s[8] = {0};
    bool constant = true;
    if (count_of(w) < 2)
        return nothing;
    for (uint32_t i = w->first; i < w->end; i++) {
        if (i > w->first && v[i] != v[w->first])
            constant = false;
        double x = (double)(w->s->t[i] - origin) / 1000;
        n++;
        inc(x, &s[0], &s[1]);
        inc(v[i], &s[2], &s[3]);
        inc(x * v[i], &s[4], &s[5]);
        inc(x * x, &s[6], &s[7]);
    }
    if (constant)
        return some(isinf(v[w->first]) ? NAN : slope_only ? 0 : v[w->first]);
    double sx = s[0] + s[1], sy = s[2] + s[3], sxy = s[4] + s[5], sxx = s[6] + s[7];
    double slope = (sxy - sx * sy / n) / (sxx - sx * sx / n);
    return some(slope_only ? slope : slope * 3600 + (sy / n - slope * sx / n));
}

static struct answer spec_deriv(const struct view *w)
{
    return regression(w, count_of(w) ? w->s->t[w->first] : 0, true);
}

static struct answer spec_predict(const struct view *w)
{
    return regression(w, w->eval_ms, false);
}

static bool value_less(const void *ctx, size_t i, size_t j)
{
    const double *v = ctx;
    return isnan(v[i]) || v[i] < v[j];
}

static void value_swap(void *ctx, size_t i, size_t j)
{
    double *v = ctx, t = v[i];
    v[i] = v[j];
    v[j] = t;
}

static struct answer spec_quantile(const struct view *w)
{
    double v[SAMPLES];
    uint32_t n = count_of(w);
    if (n == 0)
        return nothing;
    memcpy(v, w->s->v + w->first, n * sizeof *v);
    gosort_sort(&(struct gosort_ops){value_less, value_swap}, v, n);
    double rank = 0.3 * (n - 1), below = floor(rank);
    uint32_t lower = (uint32_t)below, upper = lower + 1 < n ? lower + 1 : n - 1;
    return some(v[lower] * (1 - (rank - below)) + v[upper] * (rank - below));
}

static const struct {
    const char *format; /* with the range and its offset */
    spec_fn spec;
} functions[] = {
    {"rate(m[%s] offset %s)", spec_rate},
    {"increase(m[%s] offset %s)", spec_increase},
    {"delta(m[%s] offset %s)", spec_delta},
    {"irate(m[%s] offset %s)", spec_irate},
    {"sum_over_time(m[%s] offset %s)", spec_sum},
    {"avg_over_time(m[%s] offset %s)", spec_avg},
    {"stdvar_over_time(m[%s] offset %s)", spec_stdvar},
    {"stddev_over_time(m[%s] offset %s)", spec_stddev},
    {"max_over_time(m[%s] offset %s)", spec_max},
    {"min_over_time(m[%s] offset %s)", spec_min},
    {"ts_of_max_over_time(m[%s] offset %s)", spec_ts_of_max},
    {"count_over_time(m[%s] offset %s)", spec_count},
    {"last_over_time(m[%s] offset %s)", spec_last},
    {"first_over_time(m[%s] offset %s)", spec_first},
    {"changes(m[%s] offset %s)", spec_changes},
    {"resets(m[%s] offset %s)", spec_resets},
    {"deriv(m[%s] offset %s)", spec_deriv},
    {"predict_linear(m[%s] offset %s, 3600)", spec_predict},
    {"quantile_over_time(0.3, m[%s] offset %s)", spec_quantile},
};

/* ---- Data and comparison ---- */

static double value_of(struct random *r, int kind, double before)
{
    static const double special[] = {0, -0.0, NAN, INFINITY, -INFINITY, 1e308, -1e308, 5e-324, 0.1};
    uint64_t x = random_u64(r);
    switch (kind) {
    case 0: /* a counter of integers */
        return x % 31 == 0 || isnan(before) ? 0 : before + (double)(x % 50);
    case 1: /* a gauge */
        return (double)(int64_t)(x >> 20) * 1.1e-13;
    case 2: /* anything */
        return special[x % (sizeof special / sizeof special[0])];
    default: /* constant for long */
        return x % 40 == 0 || isnan(before) ? (double)(x % 7) : before;
    }
}

static void series_make(struct series *s, struct random *r, int kind, struct memory_storage *m)
{
    struct arena arena;
    struct labels_builder b;
    arena_init(&arena, NULL);
    labels_builder_init(&b, &arena, NULL);
    labels_builder_set(&b, SLICE_LIT("__name__"), SLICE_LIT("m"));
    struct labels labels = labels_builder_finish(&b);
    double before = NAN;
    s->count = 0;
    for (uint32_t i = 0; i < SAMPLES; i++) {
        uint64_t x = random_u64(r);
        int64_t t = (int64_t)i * 15000 + (int64_t)(x % 3) * 5;
        if (x % 17 == 0)
            continue;
        if (x % 29 == 0) {
            memory_storage_append(m, &labels, t, f64_from_bits(STALE_NAN_BITS), NULL, 0);
            continue;
        }
        before = value_of(r, kind, before);
        s->t[s->count] = t;
        s->v[s->count++] = before;
        memory_storage_append(m, &labels, t, before, NULL, 0);
    }
    arena_deinit(&arena);
}

static bool same(double a, double b)
{
    return (isnan(a) && isnan(b)) || f64_bits(a) == f64_bits(b);
}

static struct answer expected(const struct series *s, spec_fn spec, int64_t eval_ms, int64_t range_ms,
                              int64_t offset_ms)
{
    struct view w = {
        .s = s, .start_ms = eval_ms - offset_ms - range_ms, .end_ms = eval_ms - offset_ms, .eval_ms = eval_ms};
    while (w.first < s->count && s->t[w.first] <= w.start_ms)
        w.first++;
    for (w.end = w.first; w.end < s->count && s->t[w.end] <= w.end_ms;)
        w.end++;
    return spec(&w);
}

struct grid_params {
    int64_t start_ms, step_ms, range_ms, offset_ms;
    uint32_t steps;
    const char *range, *offset;
};

static void compare_points(const struct series *s, const char *text, spec_fn spec, const struct grid_params *g,
                           const struct result *r)
{
    uint32_t at = 0, count = r->series_count ? r->series[0].point_count : 0;
    for (uint32_t i = 0; i < g->steps; i++) {
        int64_t t = g->start_ms + (int64_t)i * g->step_ms;
        struct answer a = expected(s, spec, t, g->range_ms, g->offset_ms);
        bool present = at < count && r->series[0].points[at].t_ms == t;
        cr_assert_eq(present, a.present, "%s at %lld", text, (long long)t);
        if (!present)
            continue;
        double got = r->series[0].points[at++].v;
        cr_assert(same(got, a.v), "%s at %lld: %a, wanted %a", text, (long long)t, got, a.v);
    }
}

static void compare_function(struct engine *e, const struct series *s, size_t f, const struct grid_params *g)
{
    char text[128];
    struct query *q;
    struct result *r;
    struct errmsg why;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    snprintf(text, sizeof text, functions[f].format, g->range, g->offset);
#pragma GCC diagnostic pop
    struct exec_params p = {.start_ms = g->start_ms,
                            .end_ms = g->start_ms + (g->steps - 1) * g->step_ms,
                            .step_ms = g->steps > 1 ? g->step_ms : 0};
    cr_assert_eq(promql_parse(e, slice_str(text), &q, &why), ERR_OK, "%s: %s", text, why.text);
    cr_assert_eq(promql_exec(e, q, &p, NULL, &r, &why), ERR_OK, "%s: %s", text, why.text);
    compare_points(s, text, functions[f].spec, g, r);
    promql_result_free(r);
    promql_query_free(q);
}

Test(range_functions, give_the_bits_of_their_definitions)
{
    static const struct grid_params grids[] = {
        {300000, 60000, 300000, 0, 20, "5m", "0s"},         {100000, 15000, 60000, 0, 100, "1m", "0s"},
        {0, 7000, 90000, 30000, 150, "90s", "30s"},         {900000, 1, 1500000, 0, 1, "25m", "0s"},
        {500000, 45000, 1200000, -60000, 25, "20m", "-1m"}, {300000, 300000, 30000, 0, 6, "30s", "0s"},
    };
    struct random_seeded seed;
    random_seeded_init(&seed, 7);
    for (int round = 0; round < ROUNDS; round++) {
        struct memory_storage *m = memory_storage_new();
        struct series s;
        struct engine_options o;
        series_make(&s, &seed.base, round % 4, m);
        engine_options_default(&o);
        o.storage = memory_storage_storage(m);
        o.features = PROMQL_EXPERIMENTAL_FUNCTIONS;
        struct engine *e = engine_new(&o);
        for (size_t f = 0; f < sizeof functions / sizeof functions[0]; f++)
            compare_function(e, &s, f, &grids[(size_t)round % (sizeof grids / sizeof grids[0])]);
        engine_free(e);
        memory_storage_free(m);
    }
}
