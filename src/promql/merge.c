/*
 * merge.c - one row for each label set: where a node's results got equal labels.
 *
 * Rows with equal labels become one when no step has two of them, and are an error otherwise.  Nearly
 * always all labels differ; then rows pass through untouched.  The same operator removes flagged names
 * at the very end of a query.
 *
 * Below unary minus, label_replace, label_join and for flagged names a float and a histogram at the same step are no
 * error: the reference's series has a list of each.  As a result both
 * show (the histograms are rows of their own here, which result.c joins again); a node above sees the float, and no
 * histogram after it, because the list of histograms is never moved past that step.
 */
#include "promql/ops.h"
#include "promql/series.h"

struct merge_op {
    struct oper base;
    bool clean;  /* remove flagged names */
    bool mixes;  /* a float and a histogram at one step are no error */
    bool merged; /* some labels are equal: the rows are here */
    bool result; /* nothing is above */
    struct rowset rows;
    const struct histogram **
        *beside;      /* [child's count], of rows: NULL, or histograms at steps that have a float, too */
    uint32_t doubles; /* the last rows: histograms of earlier ones */
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

/* The row has a value at that step already. */
static enum err merge_second(struct merge_op *m, uint32_t to, uint32_t s, double v, const struct histogram *h)
{
    struct exec *x = m->base.x;
    struct rowset *rows = &m->rows;
    const struct histogram *there = rows->h[to] ? rows->h[to][s] : NULL, **beside = m->beside[to];
    if (!m->mixes || !h == !there || (h && beside && beside[s]))
        return op_same_labelset(x->why);
    if (!beside && !(beside = m->beside[to] = exec_alloc(x, m->base.grid.count, sizeof *beside)))
        return exec_no_memory(x, x->why);
    beside[s] = h ? h : there;
    if (there) {
        rows->h[to][s] = NULL;
        rowset_put(rows, to, s, v);
    }
    return ERR_OK;
}

/* Adds a row's cells to its row of the set. */
static enum err merge_row(struct merge_op *m, const struct matrix *from, uint32_t row)
{
    struct rowset *rows = &m->rows;
    const uint64_t *present = matrix_present(from, row);
    TRY(exec_go_on(m->base.x, 200 + (uint64_t)from->steps * 10));
    if (!bits_any(present, from->steps))
        return ERR_OK;
    uint32_t to;
    TRY(rowset_row(rows, &m->base.labels[row], op_drops_name(&m->base, row), &to));
    BITS_EACH(s, present, from->steps)
    {
        const struct histogram *h = from->h[row] ? from->h[row][s] : NULL;
        if (rowset_has(rows, to, s))
            TRY(merge_second(m, to, s, matrix_v(from, row)[s], h));
        else if (h)
            TRY(rowset_put_hist(rows, to, s, h));
        else
            rowset_put(rows, to, s, matrix_v(from, row)[s]);
    }
    return ERR_OK;
}

/* What a node above does not see: histograms after the first step that has both. */
static void hide_histograms(struct merge_op *m, uint32_t row)
{
    uint32_t first = 0;
    while (!m->beside[row][first])
        first++;
    for (uint32_t s = first; m->rows.h[row] && s < m->base.grid.count; s++)
        if (m->rows.h[row][s]) {
            m->rows.h[row][s] = NULL;
            bits_clear(m->rows.present[row], s);
        }
}

static enum err settle_doubles(struct merge_op *m)
{
    uint32_t count = m->rows.count;
    for (uint32_t row = 0; row < count; row++) {
        if (!m->beside[row])
            continue;
        if (!m->result) {
            hide_histograms(m, row);
            continue;
        }
        uint32_t to;
        struct labels labels = m->rows.labels[row];
        TRY(rowset_append(&m->rows, &labels, m->rows.drop_name[row], &to));
        for (uint32_t s = 0; s < m->base.grid.count; s++)
            if (m->beside[row][s])
                TRY(rowset_put_hist(&m->rows, to, s, m->beside[row][s]));
        m->doubles++;
    }
    return ERR_OK;
}

static enum err merge_rows(struct merge_op *m, struct oper *child)
{
    struct matrix matrix;
    TRY(matrix_read(&matrix, child));
    TRY(rowset_init(&m->rows, m->base.x, m->base.grid.count));
    m->beside = exec_alloc(m->base.x, matrix.rows, sizeof *m->beside);
    if (!m->beside)
        return exec_no_memory(m->base.x, m->base.x->why);
    for (uint32_t i = 0; i < matrix.rows; i++)
        TRY(merge_row(m, &matrix, i));
    TRY(settle_doubles(m));
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
    if (distinct && !(m->clean && merge_op_doubles(child)))
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

static bool merge_skip(struct oper *op, const uint64_t *wanted)
{
    return !((struct merge_op *)op)->merged && op_skip_input(op, wanted);
}

static const struct oper_ops merge_ops = {.name = "distinct labels",
                                          .role = ROLE_ROWS,
                                          .cost = COST_PASS,
                                          .prepare = merge_prepare,
                                          .tile = merge_tile,
                                          .skip = merge_skip};

static struct oper *merge_new(struct oper *child, bool clean, bool mixes)
{
    struct merge_op *m = op_new(child->x, sizeof *m, &merge_ops, child->node, &child->grid);
    m->clean = clean;
    m->mixes = mixes;
    op_args(&m->base, 1, &child);
    return &m->base;
}

struct oper *merge_op_new(struct oper *child)
{
    return merge_new(child, false, false);
}

struct oper *merge_mixed_op_new(struct oper *child)
{
    return merge_new(child, false, true);
}

struct oper *clean_op_new(struct oper *child)
{
    return merge_new(child, true, true);
}

void merge_op_is_result(struct oper *op)
{
    if (op->ops != &merge_ops)
        return;
    ((struct merge_op *)op)->result = true;
    if (((struct merge_op *)op)->clean) /* what is below only loses names */
        merge_op_is_result(op->args[0]);
}

uint32_t merge_op_doubles(const struct oper *op)
{
    return op->ops == &merge_ops ? ((const struct merge_op *)op)->doubles : 0;
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

static const struct oper_ops empty_ops = {
    .name = "nothing", .role = ROLE_ONE_ROW, .cost = COST_PASS, .prepare = empty_prepare, .tile = empty_tile};

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

static const struct oper_ops nothing_ops = {
    .name = "nothing", .role = ROLE_ROWS, .cost = COST_PASS, .prepare = nothing_prepare, .tile = nothing_tile};

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
