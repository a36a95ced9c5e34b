/* quantile.c - the quantile of a set, and the aggregation, which needs all values of a group's step at once. */
#include "promql/quantile.h"

#include <stdlib.h>

#include "numeric/gosort.h"
#include "promql/aggregate.h"

/* ---- The quantile of a set ---- */

static int compare_values(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return quantile_less(x, y) ? -1 : quantile_less(y, x);
}

void quantile_sort(double *v, size_t n)
{
    if (n > 32) {
        qsort(v, n, sizeof *v, compare_values);
        return;
    }
    for (size_t i = 1; i < n; i++) {
        double x = v[i];
        size_t j = i;
        for (; j > 0 && quantile_less(x, v[j - 1]); j--)
            v[j] = v[j - 1];
        v[j] = x;
    }
}

/* phi where no interpolation is needed; false: it is. */
static bool quantile_trivial(double phi, size_t n, double *out)
{
    if (isnan(phi) || n == 0)
        *out = NAN;
    else if (phi < 0)
        *out = -INFINITY;
    else if (phi > 1)
        *out = INFINITY;
    else
        return false;
    return true;
}

double quantile_sorted(double phi, const double *v, size_t n)
{
    double out;
    if (quantile_trivial(phi, n, &out))
        return out;
    double rank = phi * (double)(n - 1), below = floor(rank);
    size_t lower = below > 0 ? (size_t)below : 0, upper = lower + 1 < n ? lower + 1 : n - 1;
    double weight = rank - below;
    return v[lower] * (1 - weight) + v[upper] * weight;
}

static void swap(double *v, size_t i, size_t j)
{
    double t = v[i];
    v[i] = v[j];
    v[j] = t;
}

enum { SELECT_ROUNDS_MAX = 64 }; /* halving ends long before; after that many unlucky pivots the rest is sorted */

/* Puts into v[k] what belongs there when sorted, nothing greater before it and nothing less behind it. */
static void select_kth(double *v, size_t n, size_t k)
{
    size_t lo = 0, hi = n;
    uint32_t rounds = 0;
    while (hi - lo > 16 && rounds++ < SELECT_ROUNDS_MAX) {
        double pivot = v[lo + (hi - lo) / 2];
        size_t less = lo, at = lo, more = hi; /* [lo, less) < pivot, [less, at) equal, [more, hi) > pivot */
        while (at < more) {
            if (quantile_less(v[at], pivot))
                swap(v, less++, at++);
            else if (quantile_less(pivot, v[at]))
                swap(v, at, --more);
            else
                at++;
        }
        if (k < less)
            hi = less;
        else if (k >= more)
            lo = more;
        else
            return;
    }
    quantile_sort(v + lo, hi - lo);
}

double quantile_select(double phi, double *v, size_t n)
{
    double out;
    if (quantile_trivial(phi, n, &out))
        return out;
    double rank = phi * (double)(n - 1), below = floor(rank);
    size_t lower = below > 0 ? (size_t)below : 0;
    select_kth(v, n, lower);
    size_t upper = lower;
    for (size_t i = lower + 1; i < n; i++)
        if (upper == lower || quantile_less(v[i], v[upper]))
            upper = i;
    double weight = rank - below;
    return v[lower] * (1 - weight) + v[upper] * weight;
}

bool quantile_ambiguous(double result, const double *v, size_t n)
{
    bool plus = false, minus = false;
    for (size_t i = 0; result == 0 && i < n; i++) {
        plus |= v[i] == 0 && !signbit(v[i]);
        minus |= v[i] == 0 && signbit(v[i]);
    }
    return plus && minus;
}

static bool reference_less(const void *ctx, size_t i, size_t j)
{
    const double *v = ctx;
    return isnan(v[i]) || v[i] < v[j];
}

static void reference_swap(void *ctx, size_t i, size_t j)
{
    swap(ctx, i, j);
}

double quantile_reference(double phi, double *v, size_t n)
{
    static const struct gosort_ops ops = {reference_less, reference_swap};
    gosort_sort(&ops, v, n);
    return quantile_sorted(phi, v, n);
}

/* ---- The aggregation ---- */

struct quantile_op {
    struct aggregation agg;
    struct matrix in;
    struct rowset rows;
};

/* One warning for each way in which parameters are wrong. */
static void check_params(struct quantile_op *q)
{
    struct notes *n = &q->agg.base.x->notes;
    struct param_range range = aggregate_params(&q->agg);
    const double wrong[] = {range.any_nan ? NAN : 0, range.max > 1 ? range.max : 0, range.min < 0 ? range.min : 0};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        if (wrong[i] != 0)
            notes_warn(n, aggregate_place_param(&q->agg), "quantile value should be between 0 and 1, got %s",
                       notes_number(n, wrong[i]));
}

static void note_ignored(struct quantile_op *q)
{
    notes_info(&q->agg.base.x->notes, aggregate_place_expr(&q->agg), "ignored histogram in quantile aggregation");
}

/* The floats of these rows at one step. */
static uint32_t gather(struct quantile_op *q, const uint32_t *rows, uint32_t count, uint32_t step, double *values)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t row = rows[i];
        if (!bits_get(matrix_present(&q->in, row), step))
            continue;
        if (q->in.h[row] && q->in.h[row][step])
            note_ignored(q);
        else
            values[n++] = matrix_v(&q->in, row)[step];
    }
    return n;
}

static enum err quantile_group(struct quantile_op *q, uint32_t group, const uint32_t *rows, uint32_t count,
                               double *values)
{
    struct exec *x = q->agg.base.x;
    bool drop = false;
    for (uint32_t i = 0; i < count; i++) {
        TRY(exec_go_on(x, 20));
        if (bits_any(matrix_present(&q->in, rows[i]), q->in.steps))
            drop |= op_drops_name(q->agg.child, rows[i]);
    }
    uint32_t out;
    TRY(rowset_append(&q->rows, &q->agg.groups.labels[group], drop, &out));
    for (uint32_t s = 0; s < q->in.steps; s++) {
        uint32_t n = gather(q, rows, count, s, values);
        TRY(exec_go_on(x, (uint64_t)count * 30));
        if (n == 0)
            continue;
        double phi = q->agg.params[s], result = quantile_select(phi, values, n);
        if (quantile_ambiguous(result, values, n)) /* the order of arrival matters: gather anew */
            result = quantile_reference(phi, values, gather(q, rows, count, s, values));
        rowset_put(&q->rows, out, s, result);
    }
    return exec_go_on(x, 200);
}

static enum err quantile_prepare(struct oper *op)
{
    struct quantile_op *q = (struct quantile_op *)op;
    uint32_t *start, *rows;
    TRY(aggregate_op_prepare(&q->agg, NULL));
    TRY(rowset_init(&q->rows, op->x, op->grid.count));
    TRY(matrix_read(&q->in, q->agg.child));
    check_params(q);
    TRY(groups_lists(&q->agg.groups, op->x, q->in.rows, &start, &rows));
    double *values = exec_alloc(op->x, q->in.rows, sizeof *values);
    bool *met = exec_alloc(op->x, q->agg.groups.count, sizeof *met);
    if (!values || !met)
        return exec_no_memory(op->x, op->x->why);
    for (uint32_t row = 0; row < q->in.rows; row++) { /* groups come in the order of their first samples */
        uint32_t g = groups_of(&q->agg.groups, row);
        TRY(exec_go_on(op->x, 20));
        if (met[g] || !bits_any(matrix_present(&q->in, row), q->in.steps))
            continue;
        met[g] = true;
        TRY(quantile_group(q, g, rows + start[g], start[g + 1] - start[g], values));
    }
    op_series_rowset(op, &q->rows);
    return ERR_OK;
}

static enum err quantile_tile(struct oper *op, struct worker *w, uint32_t first, struct batch *b)
{
    (void)w;
    rowset_tile(&((struct quantile_op *)op)->rows, first, b);
    return ERR_OK;
}

static const struct oper_ops quantile_ops = {.name = "quantile",
                                             .role = ROLE_GROUPS_OF_KEPT,
                                             .cost = COST_AGGREGATE,
                                             .prepare = quantile_prepare,
                                             .tile = quantile_tile};

struct oper *quantile_op_new(const struct node *n, struct oper *param, struct oper *child)
{
    struct quantile_op *q = aggregate_op_base(sizeof *q, &quantile_ops, n, param, child);
    return &q->agg.base;
}
