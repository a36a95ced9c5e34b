/*
 * setops.c - and, or, unless: what counts is which signatures are present at a step on the other side.
 *
 * That is one bit per signature and step.  `and` and `unless` keep it of the right side and let the left
 * rows pass; `or` keeps the left rows and lets the right ones pass where no left sample has their signature.
 */
#include "promql/match.h"
#include "promql/ops.h"
#include "promql/series.h"

struct set_op {
    struct oper base;
    enum op op;
    const struct matching *matching;
    struct signatures signatures;
    uint32_t words;
    uint64_t *present;  /* [signatures * words] of the other side */
    struct matrix left; /* or */
};

static uint64_t *signature_present(const struct set_op *s, uint32_t signature)
{
    return s->present + (size_t)signature * s->words;
}

static void mark(struct set_op *s, uint32_t signature, const uint64_t *present)
{
    uint64_t *bits = signature_present(s, signature);
    for (uint32_t w = 0; w < s->words; w++)
        bits[w] |= present[w];
}

static enum err right_visit(void *ctx, uint32_t first, struct batch *b)
{
    struct set_op *s = ctx;
    for (uint32_t i = 0; i < b->rows; i++)
        mark(s, s->signatures.of_right[first + i], batch_present(b, i));
    return ERR_OK;
}

static enum err concatenate(struct set_op *s)
{
    struct oper *op = &s->base, *left = op->args[0], *right = op->args[1];
    struct exec *x = op->x;
    uint32_t count = left->count + right->count;
    struct labels *labels = exec_alloc(x, count, sizeof *labels);
    bool *drop_name = exec_alloc(x, count, sizeof *drop_name);
    if (!labels || !drop_name)
        return exec_no_memory(x, x->why);
    for (uint32_t i = 0; i < count; i++) {
        bool on_left = i < left->count;
        const struct oper *from = on_left ? left : right;
        uint32_t row = on_left ? i : i - left->count;
        labels[i] = from->labels[row];
        drop_name[i] = op_drops_name(from, row);
        TRY(exec_go_on(x, 30));
    }
    op->count = count;
    op->labels = labels;
    op->drop_name = drop_name;
    return ERR_OK;
}

static enum err read_left(struct set_op *s)
{
    TRY(matrix_read(&s->left, s->base.args[0]));
    for (uint32_t i = 0; i < s->left.rows; i++) {
        mark(s, s->signatures.of_left[i], matrix_present(&s->left, i));
        TRY(exec_go_on(s->base.x, 20 + s->words));
    }
    return concatenate(s);
}

static enum err read_right(struct set_op *s)
{
    op_series_same(&s->base, s->base.args[0]);
    enum err err = op_stream(s->base.args[1], right_visit, s);
    return err == ERR_OK ? ERR_OK : op_drain(s->base.args[0], err);
}

/*
 * No error can come of matching here: rows on the right that no left row asks about need not be read, nor left rows of
 * `and` about which the right side cannot say anything.
 */
static enum err skip_unasked(struct set_op *s)
{
    struct oper *op = &s->base, *left = op->args[0], *right = op->args[1];
    const struct signatures *of = &s->signatures;
    uint64_t *seen;
    if (s->op == OP_OR || !rows_may_be_skipped(left, right))
        return ERR_OK;
    TRY(signatures_seen(op->x, of->of_left, left->count, of->count, &seen));
    TRY(rows_skip(op, right, of->of_right, seen));
    if (s->op != OP_AND)
        return ERR_OK;
    TRY(signatures_seen(op->x, of->of_right, right->count, of->count, &seen));
    return rows_skip(op, left, of->of_left, seen);
}

static enum err set_prepare(struct oper *op)
{
    struct set_op *s = (struct set_op *)op;
    TRY(op_prepare(op->args[0]));
    enum err err = op_prepare(op->args[1]);
    if (err != ERR_OK)
        return op_drain(op->args[0], err);
    TRY(signatures_make(&s->signatures, s->matching, op->args[0], op->args[1]));
    s->words = bits_words(op->grid.count);
    s->present = exec_alloc(op->x, (size_t)s->signatures.count * s->words, sizeof *s->present);
    if (!s->present)
        return exec_no_memory(op->x, op->x->why);
    TRY(skip_unasked(s));
    return s->op == OP_OR ? read_left(s) : read_right(s);
}

static enum err or_tile(struct set_op *s, struct worker *w, uint32_t first, struct batch *b)
{
    uint32_t left = s->left.rows, rows = b->rows;
    if (first + rows <= left) {
        matrix_tile(&s->left, first, b);
        return ERR_OK;
    }
    uint32_t skip = first < left ? left - first : 0;
    struct batch head = batch_part(b, 0, skip), tail = batch_part(b, skip, rows - skip);
    matrix_tile(&s->left, first, &head);
    TRY(op_tile(s->base.args[1], w, first + skip - left, &tail));
    for (uint32_t i = skip; i < rows; i++) {
        uint64_t *present = batch_present(b, i);
        const uint64_t *taken = signature_present(s, s->signatures.of_right[first + i - left]);
        for (uint32_t k = 0; k < b->words; k++)
            present[k] &= ~taken[k];
    }
    return ERR_OK;
}

static enum err set_tile(struct oper *op, struct worker *w, uint32_t first, struct batch *b)
{
    struct set_op *s = (struct set_op *)op;
    if (s->op == OP_OR)
        return or_tile(s, w, first, b);
    TRY(op_tile(op->args[0], w, first, b));
    for (uint32_t i = 0; i < b->rows; i++) {
        uint64_t *present = batch_present(b, i);
        const uint64_t *other = signature_present(s, s->signatures.of_left[first + i]);
        for (uint32_t k = 0; k < b->words; k++)
            present[k] &= s->op == OP_AND ? other[k] : ~other[k];
    }
    return ERR_OK;
}

static const struct oper_ops set_ops = {
    .name = "set operator", .role = ROLE_SET, .cost = COST_STEPS, .prepare = set_prepare, .tile = set_tile};

struct oper *set_op_new(const struct node *n, struct oper *lhs, struct oper *rhs)
{
    struct set_op *s = op_new(lhs->x, sizeof *s, &set_ops, n, &lhs->grid);
    s->op = n->binary.op;
    s->matching = n->binary.matching;
    op_args(&s->base, 2, (struct oper *const[]){lhs, rhs});
    if (s->op != OP_OR)
        rows_skip_remark(rhs);
    if (s->op == OP_AND)
        rows_skip_remark(lhs);
    return s->op == OP_OR ? merge_op_new(&s->base) : &s->base;
}
