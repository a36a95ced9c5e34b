/* quantile.c - the quantile aggregation: all values of a group's step are needed at once. */
#include "promql/aggregate.h"
#include "promql/range.h"

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
    bool drop = false, any = false;
    for (uint32_t i = 0; i < count; i++)
        if (bits_any(matrix_present(&q->in, rows[i]), q->in.steps)) {
            any = true;
            drop |= op_drops_name(q->agg.child, rows[i]);
        }
    if (!any)
        return ERR_OK;
    uint32_t out;
    TRY(rowset_append(&q->rows, &q->agg.groups.labels[group], drop, &out));
    for (uint32_t s = 0; s < q->in.steps; s++) {
        uint32_t n = gather(q, rows, count, s, values);
        if (n == 0)
            continue;
        quantile_sort(values, n);
        rowset_put(&q->rows, out, s, quantile_sorted(q->agg.params[s], values, n));
    }
    return exec_check(q->agg.base.x, q->agg.base.x->why);
}

static enum err quantile_prepare(struct operator *op)
{
    struct quantile_op *q = (struct quantile_op *)op;
    uint32_t *start, *rows;
    TRY(aggregate_op_prepare(&q->agg, NULL));
    TRY(rowset_init(&q->rows, op->x, op->grid.count));
    TRY(matrix_read(&q->in, q->agg.child));
    check_params(q);
    TRY(groups_lists(&q->agg.groups, op->x, q->in.rows, &start, &rows));
    double *values = exec_alloc(op->x, q->in.rows, sizeof *values);
    if (!values)
        return exec_no_memory(op->x, op->x->why);
    for (uint32_t g = 0; g < q->agg.groups.count; g++)
        TRY(quantile_group(q, g, rows + start[g], start[g + 1] - start[g], values));
    op_series_rowset(op, &q->rows);
    return ERR_OK;
}

static enum err quantile_tile(struct operator *op, struct worker *w, uint32_t first, struct batch *b)
{
    (void)w;
    rowset_tile(&((struct quantile_op *)op)->rows, first, b);
    return ERR_OK;
}

static const struct operator_ops quantile_ops = {.cost = COST_AGGREGATE, .prepare = quantile_prepare, .tile = quantile_tile};

struct operator *quantile_op_new(const struct node *n, struct operator *param, struct operator *child)
{
    struct quantile_op *q = aggregate_op_base(sizeof *q, &quantile_ops, n, param, child);
    return &q->agg.base;
}
