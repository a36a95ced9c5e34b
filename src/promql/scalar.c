/*
 * scalar.c - operators that yield one number per step: literals, time(), scalar(v), arithmetic of these.
 *
 * All of them know their values once they are prepared.
 */
#include "base/assert.h"
#include "promql/binop.h"
#include "promql/ops.h"
#include "promql/series.h"

struct scalar_op {
    struct oper base;
    double number;
    double *values; /* [grid.count], after prepare */
};

static const struct labels no_labels;

static enum err scalar_alloc(struct oper *op)
{
    struct scalar_op *s = (struct scalar_op *)op;
    op->count = 1;
    op->labels = &no_labels;
    s->values = exec_alloc(op->x, op->grid.count, sizeof *s->values);
    return s->values ? ERR_OK : exec_no_memory(op->x, op->x->why);
}

static enum err scalar_tile(struct oper *op, struct worker *w, uint32_t first, struct batch *b)
{
    (void)w;
    (void)first;
    memcpy(batch_v(b, 0), ((struct scalar_op *)op)->values, b->steps * sizeof(double));
    bits_fill(batch_present(b, 0), b->steps);
    return ERR_OK;
}

static struct oper *scalar_new(struct exec *x, const struct oper_ops *ops, const struct node *n, const struct grid *g)
{
    struct scalar_op *s = op_new(x, sizeof *s, ops, n, g);
    return &s->base;
}

/* ---- Literals and time ---- */

static enum err number_prepare(struct oper *op)
{
    struct scalar_op *s = (struct scalar_op *)op;
    TRY(scalar_alloc(op));
    TRY(exec_go_on(op->x, op->grid.count));
    for (uint32_t i = 0; i < op->grid.count; i++)
        s->values[i] = s->number;
    return ERR_OK;
}

static const struct oper_ops number_ops = {
    .name = "number", .role = ROLE_ONE_ROW, .cost = COST_STEPS, .prepare = number_prepare, .tile = scalar_tile};

struct oper *number_op_new(struct exec *x, const struct node *n, const struct grid *g, double v)
{
    struct oper *op = scalar_new(x, &number_ops, n, g);
    ((struct scalar_op *)op)->number = v;
    return op;
}

static enum err time_prepare(struct oper *op)
{
    struct scalar_op *s = (struct scalar_op *)op;
    TRY(scalar_alloc(op));
    for (uint32_t i = 0; i < op->grid.count; i++) {
        s->values[i] = (double)grid_time(&op->grid, i) / 1000;
        if (i % 4096 == 4095)
            TRY(exec_go_on(op->x, 4096 * 5));
    }
    return ERR_OK;
}

static const struct oper_ops time_ops = {
    .name = "time", .role = ROLE_ONE_ROW, .cost = COST_STEPS, .prepare = time_prepare, .tile = scalar_tile};

struct oper *time_op_new(struct exec *x, const struct node *n, const struct grid *g)
{
    return scalar_new(x, &time_ops, n, g);
}

/* What date functions without an argument look at: no expression, so nothing that the reference would hold. */
static const struct oper_ops now_ops = {
    .name = "time", .role = ROLE_ONE_ROW, .cost = COST_NONE, .prepare = time_prepare, .tile = scalar_tile};

struct oper *now_op_new(struct exec *x, const struct node *n, const struct grid *g)
{
    return scalar_new(x, &now_ops, n, g);
}

/* ---- scalar(v): the only float of a step, else NaN ---- */

struct singles {
    double *values;
    uint64_t *found, *several; /* per step */
};

static enum err singles_visit(void *ctx, uint32_t first, struct batch *b)
{
    (void)first;
    struct singles *s = ctx;
    batch_drop_h(b); /* histograms are invisible here */
    for (uint32_t r = 0; r < b->rows; r++) {
        const uint64_t *present = batch_present(b, r);
        const double *v = batch_v(b, r);
        BITS_EACH(i, present, b->steps)
        s->values[i] = v[i];
        for (uint32_t i = 0; i < b->words; i++) {
            s->several[i] |= s->found[i] & present[i];
            s->found[i] |= present[i];
        }
    }
    return ERR_OK;
}

static enum err single_prepare(struct oper *op)
{
    struct scalar_op *s = (struct scalar_op *)op;
    TRY(op_prepare(op->args[0]));
    TRY(scalar_alloc(op));
    uint32_t words = bits_words(op->grid.count);
    struct singles singles = {s->values, ARENA_ARRAY(&op->x->arena, uint64_t, words),
                              ARENA_ARRAY(&op->x->arena, uint64_t, words)};
    TRY(op_stream(op->args[0], singles_visit, &singles));
    for (uint32_t i = 0; i < op->grid.count; i++)
        if (!bits_get(singles.found, i) || bits_get(singles.several, i))
            s->values[i] = NAN;
    return ERR_OK;
}

static const struct oper_ops single_ops = {.name = "scalar of vector",
                                           .role = ROLE_ONE_ROW,
                                           .cost = COST_STEPS,
                                           .prepare = single_prepare,
                                           .tile = scalar_tile};

struct oper *scalar_op_new(const struct node *n, struct oper *vector)
{
    struct oper *op = scalar_new(vector->x, &single_ops, n, &vector->grid);
    op_args(op, 1, &vector);
    return op;
}

/* ---- vector(s): the same row, of another type ---- */

static enum err vector_prepare(struct oper *op)
{
    TRY(op_prepare(op->args[0]));
    op_series_same(op, op->args[0]);
    return ERR_OK;
}

static enum err vector_tile(struct oper *op, struct worker *w, uint32_t first, struct batch *b)
{
    return op_tile(op->args[0], w, first, b);
}

static const struct oper_ops vector_ops = {.name = "vector of scalar",
                                           .role = ROLE_ONE_ROW,
                                           .cost = COST_STEPS,
                                           .prepare = vector_prepare,
                                           .tile = vector_tile};

struct oper *vector_op_new(const struct node *n, struct oper *scalar)
{
    struct oper *op = op_new(scalar->x, sizeof *op, &vector_ops, n, &scalar->grid);
    op_args(op, 1, &scalar);
    return op;
}

/* ---- Two scalars ---- */

static double scalar_apply(const struct node *n, double a, double b)
{
    if (n->kind == NODE_BINARY)
        return binop_scalars(n->binary.op, a, b);
    return binop_scalars(n->call.function->id == FUNCTION_MAX_OF ? OP_MAX_OF : OP_MIN_OF, a, b);
}

static enum err binary_prepare(struct oper *op)
{
    struct scalar_op *s = (struct scalar_op *)op;
    const double *a, *b;
    TRY(scalar_alloc(op));
    TRY(op_prepare(op->args[0]));
    TRY(op_scalar(op->args[0], &a));
    TRY(op_prepare(op->args[1]));
    TRY(op_scalar(op->args[1], &b));
    if (op->node->kind == NODE_BINARY && op_is_trim(op->node->binary.op))
        return err_set(op->x->why, ERR_INVALID, "operator \"%s\" not allowed for Scalar operations",
                       op_text(op->node->binary.op));
    for (uint32_t i = 0; i < op->grid.count; i++) {
        s->values[i] = scalar_apply(op->node, a[i], b[i]);
        if (i % 4096 == 4095)
            TRY(exec_go_on(op->x, 4096 * 50));
    }
    return ERR_OK;
}

static const struct oper_ops binary_ops = {.name = "scalar operator",
                                           .role = ROLE_ONE_ROW,
                                           .cost = COST_STEPS,
                                           .prepare = binary_prepare,
                                           .tile = scalar_tile};

/* The operators made last are taken back; the reference would count them, so not where somebody looks at counts. */
static struct oper *folded(const struct node *n, const struct grid *g, struct oper *first, struct oper *last, double v)
{
    struct exec *x = last->x;
    struct grid grid = *g;
    assert(last->id == x->op_count - 1 && first->id <= last->id);
    x->op_count = first->id;
    struct oper *op = number_op_new(x, n, &grid, v);
    op->remark = "a constant";
    return op;
}

static bool may_fold(const struct oper *op)
{
    return op->ops == &number_ops && !op->x->exact_stats;
}

static double number_of(const struct oper *op)
{
    return ((const struct scalar_op *)op)->number;
}

struct oper *scalar_negate_fold(const struct node *n, struct oper *op)
{
    return may_fold(op) ? folded(n, &op->grid, op, op, -number_of(op)) : NULL;
}

struct oper *scalar_spread_fold(const struct grid *g, struct oper *op)
{
    return may_fold(op) ? folded(op->node, g, op, op, number_of(op)) : NULL;
}

struct oper *scalar_binary_op_new(const struct node *n, struct oper *lhs, struct oper *rhs)
{
    bool trims = n->kind == NODE_BINARY && op_is_trim(n->binary.op); /* an error, when its turn comes */
    if (may_fold(lhs) && may_fold(rhs) && !trims)
        return folded(n, &lhs->grid, lhs, rhs, scalar_apply(n, number_of(lhs), number_of(rhs)));
    struct oper *op = scalar_new(lhs->x, &binary_ops, n, &lhs->grid);
    op_args(op, 2, (struct oper *const[]){lhs, rhs});
    return op;
}
