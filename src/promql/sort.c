/*
 * sort.c - sort, sort_desc, sort_by_label, sort_by_label_desc.
 *
 * Only an instant query has an order to change; a range query is warned that it has none.  Values go
 * through the reference's own unstable sort, so that ties end where it puts them.
 */
#include "numeric/gosort.h"
#include "promql/ops.h"
#include "promql/series.h"

struct sort_op {
    struct oper base;
    bool by_label, descending;
    struct matrix in;
    struct going *going;   /* while rows are sorted */
    uint32_t count, *rows; /* of `in`, sorted; NULL: as they come */
    struct labels *labels;
    bool *drop_name;
};

static bool less_value(const void *ctx, size_t i, size_t j)
{
    const struct sort_op *s = ctx;
    if (!going_on(s->going, 30))
        return false;
    double a = matrix_v(&s->in, s->rows[i])[0], b = matrix_v(&s->in, s->rows[j])[0];
    return isnan(b) || (s->descending ? b < a : b > a);
}

static int compare_labels(const struct sort_op *s, const struct labels *a, const struct labels *b)
{
    const struct node *call = s->base.node;
    for (uint32_t i = 1; i < call->call.arg_count; i++) {
        struct slice name = call->call.args[i]->string.value;
        struct slice x = labels_get(a, name), y = labels_get(b, name);
        if (!slice_eq(x, y))
            return gosort_natural_less(x, y) ? -1 : 1;
    }
    return labels_cmp(a, b);
}

static bool less_label(const void *ctx, size_t i, size_t j)
{
    const struct sort_op *s = ctx;
    const struct labels *labels = s->base.args[0]->labels;
    if (!going_on(s->going, 300))
        return false;
    int c = compare_labels(s, &labels[s->rows[i]], &labels[s->rows[j]]);
    return s->descending ? c > 0 : c < 0;
}

static void swap_rows(void *ctx, size_t i, size_t j)
{
    uint32_t *rows = ((struct sort_op *)ctx)->rows;
    uint32_t row = rows[i];
    rows[i] = rows[j];
    rows[j] = row;
}

static const struct gosort_ops value_ops = {less_value, swap_rows}, label_ops = {less_label, swap_rows};

static bool sorts_row(const struct sort_op *s, uint32_t row)
{
    bool hist = s->in.h[row] && s->in.h[row][0];
    return bits_get(matrix_present(&s->in, row), 0) && (s->by_label || !hist);
}

static enum err sort_rows(struct sort_op *s)
{
    struct oper *child = s->base.args[0];
    struct exec *x = s->base.x;
    TRY(matrix_read(&s->in, child));
    s->rows = exec_alloc(x, child->count, sizeof *s->rows);
    s->labels = exec_alloc(x, child->count, sizeof *s->labels);
    s->drop_name = exec_alloc(x, child->count, sizeof *s->drop_name);
    if (!s->rows || !s->labels || !s->drop_name)
        return exec_no_memory(x, x->why);
    for (uint32_t i = 0; i < child->count; i++) {
        TRY(exec_go_on(x, 20));
        if (sorts_row(s, i))
            s->rows[s->count++] = i;
    }
    struct going going = {x, ERR_OK};
    s->going = &going;
    gosort_sort(s->by_label ? &label_ops : &value_ops, s, s->count);
    s->going = NULL;
    TRY(going.err);
    for (uint32_t i = 0; i < s->count; i++) {
        TRY(exec_go_on(x, 30));
        s->labels[i] = child->labels[s->rows[i]];
        s->drop_name[i] = op_drops_name(child, s->rows[i]);
    }
    s->base.count = s->count;
    s->base.labels = s->labels;
    s->base.drop_name = s->drop_name;
    s->base.one_name = child->one_name;
    return ERR_OK;
}

static enum err sort_prepare(struct oper *op)
{
    struct sort_op *s = (struct sort_op *)op;
    TRY(op_prepare(op->args[0]));
    if (grid_is_instant(&op->grid))
        return sort_rows(s);
    notes_warn(&op->x->notes, op_place(op),
               "sort is ineffective for range queries since results are always ordered by labels");
    op_series_same(op, op->args[0]);
    return ERR_OK;
}

static enum err sort_tile(struct oper *op, struct worker *w, uint32_t first, struct batch *b)
{
    struct sort_op *s = (struct sort_op *)op;
    if (!s->rows) {
        TRY(op_tile(op->args[0], w, first, b));
        if (!s->by_label)
            batch_drop_h(b);
        return ERR_OK;
    }
    for (uint32_t i = 0; i < b->rows; i++) {
        uint32_t row = s->rows[first + i];
        batch_put(b, i, 0, matrix_v(&s->in, row)[0]);
        if (s->in.h[row])
            batch_need_h(b, i)[0] = s->in.h[row][0];
    }
    return ERR_OK;
}

static const struct oper_ops sort_ops = {
    .name = "sort", .role = ROLE_KEEPS, .cost = COST_STEPS, .prepare = sort_prepare, .tile = sort_tile};

struct oper *sort_op_new(const struct node *call, struct oper *child)
{
    struct sort_op *s = op_new(child->x, sizeof *s, &sort_ops, call, &child->grid);
    enum function_id id = call->call.function->id;
    s->by_label = id == FUNCTION_SORT_BY_LABEL || id == FUNCTION_SORT_BY_LABEL_DESC;
    s->descending = id == FUNCTION_SORT_DESC || id == FUNCTION_SORT_BY_LABEL_DESC;
    op_args(&s->base, 1, &child);
    return &s->base;
}
