/*
 * map.c - functions of single values: mathematics, rounding, dates, clamping, unary minus.
 *
 * Floats only; histograms vanish silently, but for unary minus and timestamp().
 */
#include "promql/ops.h"

#include "histogram/histogram.h"
#include "numeric/gomath.h"
#include "numeric/timetext.h"
#include "promql/binop.h"
#include "promql/series.h"

struct map_op;
typedef void (*map_row_fn)(const struct map_op *m, double *v, const uint64_t *present, uint32_t steps);

struct map_op {
    struct oper base;
    map_row_fn row;
    double (*one)(double v);
    uint32_t param_count;
    const double *params[2]; /* per step */
    uint64_t *empty;         /* clamp: steps where the bounds are the wrong way round; or NULL */
};

/* ---- One value ---- */

static double map_abs(double v)
{
    return fabs(v);
}

static double map_ceil(double v)
{
    return ceil(v);
}

static double map_floor(double v)
{
    return floor(v);
}

static double map_sqrt(double v)
{
    return sqrt(v);
}

static double map_sgn(double v)
{
    return v < 0 ? -1 : v > 0 ? 1 : v;
}

static double map_rad(double v)
{
    return v * M_PI / 180;
}

static double map_deg(double v)
{
    return v * 180 / M_PI;
}

static struct timetext_date date_of(double v)
{
    struct timetext_date date;
    timetext_date(gomath_int64(v), &date);
    return date;
}

static double map_minute(double v)
{
    return date_of(v).minute;
}

static double map_hour(double v)
{
    return date_of(v).hour;
}

static double map_day_of_month(double v)
{
    return date_of(v).day;
}

static double map_day_of_week(double v)
{
    return date_of(v).weekday;
}

static double map_day_of_year(double v)
{
    return date_of(v).yearday;
}

static double map_days_in_month(double v)
{
    return date_of(v).days_in_month;
}

static double map_month(double v)
{
    return date_of(v).month;
}

static double map_year(double v)
{
    return (double)date_of(v).year;
}

static const struct {
    enum function_id id;
    double (*one)(double v);
} singles[] = {
    {FUNCTION_ABS, map_abs},
    {FUNCTION_CEIL, map_ceil},
    {FUNCTION_FLOOR, map_floor},
    {FUNCTION_SQRT, map_sqrt},
    {FUNCTION_SGN, map_sgn},
    {FUNCTION_EXP, gomath_exp},
    {FUNCTION_LN, gomath_log},
    {FUNCTION_LOG2, gomath_log2},
    {FUNCTION_LOG10, gomath_log10},
    {FUNCTION_SIN, gomath_sin},
    {FUNCTION_COS, gomath_cos},
    {FUNCTION_TAN, gomath_tan},
    {FUNCTION_ASIN, gomath_asin},
    {FUNCTION_ACOS, gomath_acos},
    {FUNCTION_ATAN, gomath_atan},
    {FUNCTION_SINH, gomath_sinh},
    {FUNCTION_COSH, gomath_cosh},
    {FUNCTION_TANH, gomath_tanh},
    {FUNCTION_ASINH, gomath_asinh},
    {FUNCTION_ACOSH, gomath_acosh},
    {FUNCTION_ATANH, gomath_atanh},
    {FUNCTION_RAD, map_rad},
    {FUNCTION_DEG, map_deg},
    {FUNCTION_MINUTE, map_minute},
    {FUNCTION_HOUR, map_hour},
    {FUNCTION_DAY_OF_MONTH, map_day_of_month},
    {FUNCTION_DAY_OF_WEEK, map_day_of_week},
    {FUNCTION_DAY_OF_YEAR, map_day_of_year},
    {FUNCTION_DAYS_IN_MONTH, map_days_in_month},
    {FUNCTION_MONTH, map_month},
    {FUNCTION_YEAR, map_year},
};

/* ---- A row ---- */

static void row_one(const struct map_op *m, double *v, const uint64_t *present, uint32_t steps)
{
    BITS_EACH(s, present, steps)
    v[s] = m->one(v[s]);
}

static void row_round(const struct map_op *m, double *v, const uint64_t *present, uint32_t steps)
{
    BITS_EACH(s, present, steps)
    {
        double inverse = 1 / (m->param_count ? m->params[0][s] : 1);
        v[s] = floor(v[s] * inverse + 0.5) / inverse;
    }
}

static void row_clamp(const struct map_op *m, double *v, const uint64_t *present, uint32_t steps)
{
    BITS_EACH(s, present, steps)
    v[s] = gomath_max(m->params[0][s], gomath_min(m->params[1][s], v[s]));
}

static void row_clamp_min(const struct map_op *m, double *v, const uint64_t *present, uint32_t steps)
{
    BITS_EACH(s, present, steps)
    v[s] = gomath_max(m->params[0][s], v[s]);
}

static void row_clamp_max(const struct map_op *m, double *v, const uint64_t *present, uint32_t steps)
{
    BITS_EACH(s, present, steps)
    v[s] = gomath_min(m->params[0][s], v[s]);
}

static void row_timestamp(const struct map_op *m, double *v, const uint64_t *present, uint32_t steps)
{
    BITS_EACH(s, present, steps)
    v[s] = (double)grid_time(&m->base.grid, s) / 1000;
}

/* start_timestamp() knows the samples of a selector only (plan.c); anything else has none. */
static void row_none(const struct map_op *m, double *v, const uint64_t *present, uint32_t steps)
{
    (void)m;
    (void)v;
    (void)present;
    (void)steps;
}

/* ---- The operator ---- */

static void clamp_bounds(struct map_op *m)
{
    uint32_t steps = m->base.grid.count;
    m->empty = ARENA_ARRAY(&m->base.x->arena, uint64_t, bits_words(steps));
    for (uint32_t s = 0; s < steps; s++)
        if (m->params[1][s] < m->params[0][s])
            bits_set(m->empty, s);
}

static enum err map_prepare(struct oper *op)
{
    struct map_op *m = (struct map_op *)op;
    TRY(op_prepare(op->args[0]));
    for (uint32_t i = 0; i < m->param_count; i++) {
        enum err err = op_prepare(op->args[i + 1]);
        if (err == ERR_OK)
            err = op_scalar(op->args[i + 1], &m->params[i]);
        if (err != ERR_OK)
            return op_drain(op->args[0], err);
    }
    if (m->row == row_clamp)
        clamp_bounds(m);
    return op_series_renamed(op, op->args[0]);
}

enum { PART = 1 << 16, ONE_NS = 40 }; /* a logarithm, a sine */

/* A row can be millions of steps long; functions that look at the step are fast enough for all of it at once. */
static enum err map_row(const struct map_op *m, struct worker *w, double *v, const uint64_t *present, uint32_t steps)
{
    if (m->row != row_one) {
        m->row(m, v, present, steps);
        return worker_go_on(w, (uint64_t)steps * 5);
    }
    for (uint32_t from = 0; from < steps; from += PART) {
        uint32_t n = steps - from < PART ? steps - from : PART;
        TRY(worker_go_on(w, (uint64_t)n * ONE_NS));
        row_one(m, v + from, present + from / 64, n);
    }
    return ERR_OK;
}

static enum err map_tile(struct oper *op, struct worker *w, uint32_t first, struct batch *b)
{
    struct map_op *m = (struct map_op *)op;
    TRY(op_tile(op->args[0], w, first, b));
    if (m->row == row_timestamp)
        memset(b->has_h, 0, b->rows * sizeof *b->has_h);
    else
        batch_drop_h(b);
    for (uint32_t r = 0; r < b->rows; r++) {
        uint64_t *present = batch_present(b, r);
        if (m->row == row_none)
            memset(present, 0, b->words * sizeof *present);
        for (uint32_t i = 0; m->empty && i < b->words; i++)
            present[i] &= ~m->empty[i];
        TRY(map_row(m, w, batch_v(b, r), present, b->steps));
    }
    return ERR_OK;
}

static const struct oper_ops map_ops = {.name = "function",
                                        .role = ROLE_ROWS,
                                        .cost = COST_STEPS,
                                        .prepare = map_prepare,
                                        .tile = map_tile,
                                        .skip = op_skip_input};

static map_row_fn row_fn(enum function_id id, double (**one)(double))
{
    switch (id) {
    case FUNCTION_ROUND:
        return row_round;
    case FUNCTION_CLAMP:
        return row_clamp;
    case FUNCTION_CLAMP_MIN:
        return row_clamp_min;
    case FUNCTION_CLAMP_MAX:
        return row_clamp_max;
    case FUNCTION_TIMESTAMP:
        return row_timestamp;
    case FUNCTION_START_TIMESTAMP:
        return row_none;
    default:
        break;
    }
    for (size_t i = 0; i < sizeof singles / sizeof singles[0]; i++)
        if (singles[i].id == id) {
            *one = singles[i].one;
            return row_one;
        }
    return NULL;
}

struct oper *map_op_new(const struct node *call, struct oper *const *args, uint32_t arg_count)
{
    double (*one)(double) = NULL;
    map_row_fn row = row_fn(call->call.function->id, &one);
    if (!row)
        return NULL;
    struct map_op *m = op_new(args[0]->x, sizeof *m, &map_ops, call, &args[0]->grid);
    m->row = row;
    m->one = one;
    m->param_count = arg_count - 1;
    op_args(&m->base, arg_count, args);
    return merge_op_new(&m->base);
}

/* ---- Unary minus ---- */

static enum err negate_prepare(struct oper *op)
{
    TRY(op_prepare(op->args[0]));
    return op_series_renamed(op, op->args[0]);
}

static enum err negate_tile(struct oper *op, struct worker *w, uint32_t first, struct batch *b)
{
    TRY(op_tile(op->args[0], w, first, b));
    for (uint32_t r = 0; r < b->rows; r++) {
        double *v = batch_v(b, r);
        for (uint32_t s = 0; s < b->steps; s++)
            v[s] = -v[s];
        const struct histogram **h = batch_h(b, r);
        TRY(worker_go_on(w, (uint64_t)b->steps * (h ? 500 : 1)));
        for (uint32_t s = 0; h && s < b->steps; s++)
            if (h[s])
                h[s] = histogram_mul(&w->tile, h[s], -1); /* with its empty buckets, unlike a product */
    }
    return ERR_OK;
}

static const struct oper_ops negate_ops = {.name = "unary minus",
                                           .role = ROLE_ROWS,
                                           .cost = COST_PASS,
                                           .prepare = negate_prepare,
                                           .tile = negate_tile,
                                           .skip = op_skip_input};

struct oper *negate_op_new(const struct node *n, struct oper *child)
{
    struct oper *op = op_new(child->x, sizeof *op, &negate_ops, n, &child->grid);
    op_args(op, 1, &child);
    return merge_mixed_op_new(op);
}
