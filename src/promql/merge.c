/*
 * merge.c - one row for each label set: where a node's results got equal labels.
 *
 * Rows with equal labels become one when no step has two of them, and are an error otherwise.  Nearly
 * always all labels differ; then rows pass through untouched.  The same operator removes flagged names
 * at the very end of a query.
 */
#include "promql/ops.h"
#include "promql/series.h"

struct merge_op {
    struct oper base;
    bool clean;  /* remove flagged names */
    bool merged; /* some labels are equal: the rows are here */
    struct rowset rows;
};

/* Whether all stay distinct for sure: one metric, and nothing else is removed with its name. */
static enum err clean_labels(struct oper *op, const struct oper *child, bool *distinct)
{
    struct exec *x = op->x;
    struct labels *labels = exec_alloc(x, child->count, sizeof *labels);
    if (!labels)
        return exec_no_memory(x, x->why);
    *distinct = child->one_name;
    for (uint32_t i = 0; i < child->count; i++) {
        TRY(exec_go_on(x, 200));
        bool drop = op_drops_name(child, i);
        labels[i] = drop ? labels_drop_metadata(&child->labels[i], &x->arena) : child->labels[i];
        *distinct = *distinct && drop && !labels_have_metadata(&child->labels[i], true);
    }
    op->labels = labels;
    op->drop_name = NULL;
    op->drop_all = false;
    return ERR_OK;
}

static bool any_name_drops(const struct oper *op)
{
    bool any = false;
    for (uint32_t i = 0; i < op->count; i++)
        any |= op_drops_name(op, i);
    return any;
}

/* Adds a row's cells to its row of the set. */
static enum err merge_row(struct merge_op *m, const struct matrix *from, uint32_t row)
{
    struct exec *x = m->base.x;
    struct rowset *rows = &m->rows;
    const uint64_t *present = matrix_present(from, row);
    TRY(exec_go_on(x, 200 + (uint64_t)from->steps * 10));
    if (!bits_any(present, from->steps))
        return ERR_OK;
    uint32_t to;
    TRY(rowset_row(rows, &m->base.labels[row], op_drops_name(&m->base, row), &to));
    BITS_EACH(s, present, from->steps)
    {
        if (rowset_has(rows, to, s))
            return op_same_labelset(x->why);
        if (from->h[row] && from->h[row][s])
            TRY(rowset_put_hist(rows, to, s, from->h[row][s]));
        else
            rowset_put(rows, to, s, matrix_v(from, row)[s]);
    }
    return ERR_OK;
}

static enum err merge_rows(struct merge_op *m, struct oper *child)
{
    struct matrix matrix;
    TRY(matrix_read(&matrix, child));
    TRY(rowset_init(&m->rows, m->base.x, m->base.grid.count));
    for (uint32_t i = 0; i < matrix.rows; i++)
        TRY(merge_row(m, &matrix, i));
    op_series_rowset(&m->base, &m->rows);
    m->merged = true;
    return ERR_OK;
}

/* Where names are removed late, an instant query looks for equal labels only there - and when labels are written. */
static bool not_yet(const struct merge_op *m)
{
    const struct node *n = m->base.node;
    bool writes = n->kind == NODE_CALL &&
                  (n->call.function->id == FUNCTION_LABEL_REPLACE || n->call.function->id == FUNCTION_LABEL_JOIN);
    return !writes && exec_delays_names(m->base.x) && grid_is_instant(&m->base.grid);
}

static enum err merge_prepare(struct oper *op)
{
    struct merge_op *m = (struct merge_op *)op;
    struct oper *child = op->args[0];
    TRY(op_prepare(child));
    op_series_same(op, child);
    bool distinct = m->clean ? !any_name_drops(child) : child->one_name || not_yet(m);
    if (m->clean && grid_is_instant(&op->grid))
        distinct = distinct && child->one_name;
    if (m->clean && !distinct)
        TRY(clean_labels(op, child, &distinct));
    if (distinct)
        return ERR_OK;
    uint32_t *classes, class_count;
    TRY(series_classes(op->x, op->labels, op->count, &classes, &class_count));
    return classes ? merge_rows(m, child) : ERR_OK;
}

static enum err merge_tile(struct oper *op, struct worker *w, uint32_t first, struct batch *b)
{
    struct merge_op *m = (struct merge_op *)op;
    if (!m->merged)
        return op_tile(op->args[0], w, first, b);
    rowset_tile(&m->rows, first, b);
    return ERR_OK;
}

static const struct oper_ops merge_ops = {.cost = COST_PASS, .prepare = merge_prepare, .tile = merge_tile};

static struct oper *merge_new(struct oper *child, bool clean)
{
    struct merge_op *m = op_new(child->x, sizeof *m, &merge_ops, child->node, &child->grid);
    m->clean = clean;
    op_args(&m->base, 1, &child);
    return &m->base;
}

struct oper *merge_op_new(struct oper *child)
{
    return merge_new(child, false);
}

struct oper *clean_op_new(struct oper *child)
{
    return merge_new(child, true);
}

/* ---- Nothing ---- */

static enum err empty_prepare(struct oper *op)
{
    const double *unused;
    op->count = 0;
    for (uint32_t i = 0; i < op->arg_count; i++) { /* may have something to tell */
        TRY(op_prepare(op->args[i]));
        TRY(op_scalar(op->args[i], &unused));
    }
    return ERR_OK;
}

static enum err empty_tile(struct oper *op, struct worker *w, uint32_t first, struct batch *b)
{
    (void)op, (void)w, (void)first, (void)b;
    return ERR_OK;
}

static const struct oper_ops empty_ops = {.cost = COST_PASS, .prepare = empty_prepare, .tile = empty_tile};

static enum err nothing_prepare(struct oper *op)
{
    TRY(op_prepare(op->args[0]));
    op_series_same(op, op->args[0]);
    return ERR_OK;
}

static enum err nothing_tile(struct oper *op, struct worker *w, uint32_t first, struct batch *b)
{
    TRY(op_tile(op->args[0], w, first, b));
    memset(b->present, 0, (size_t)b->rows * b->words * sizeof *b->present);
    return ERR_OK;
}

static const struct oper_ops nothing_ops = {.cost = COST_PASS, .prepare = nothing_prepare, .tile = nothing_tile};

struct oper *nothing_op_new(struct oper *child)
{
    struct oper *op = op_new(child->x, sizeof *op, &nothing_ops, child->node, &child->grid);
    op_args(op, 1, &child);
    child->yields_nothing = true;
    return op;
}

struct oper *empty_op_new(struct exec *x, const struct node *n, const struct grid *g, struct oper *const *scalars,
                          uint32_t count)
{
    struct oper *op = op_new(x, sizeof *op, &empty_ops, n, g);
    op_args(op, count, scalars);
    return op;
}
