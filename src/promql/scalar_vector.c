/*
 * scalar_vector.c - binary operators between a vector and a scalar: no matching, rows keep their labels.
 */
#include "promql/binop.h"
#include "promql/ops.h"
#include "promql/series.h"

struct scalar_vector_op {
    struct oper base;
    enum op op;
    bool return_bool;
    bool scalar_left;
    const double *scalar; /* per step */
};

static enum err scalar_vector_prepare(struct oper *op)
{
    struct scalar_vector_op *s = (struct scalar_vector_op *)op;
    struct oper *vector = op->args[s->scalar_left], *scalar = op->args[!s->scalar_left];
    if (s->scalar_left) {
        TRY(op_prepare(scalar));
        TRY(op_scalar(scalar, &s->scalar));
        TRY(op_prepare(vector));
    } else {
        TRY(op_prepare(vector));
        enum err err = op_prepare(scalar);
        if (err == ERR_OK)
            err = op_scalar(scalar, &s->scalar);
        if (err != ERR_OK)
            return op_drain(vector, err);
    }
    if (op_renames(s->op, s->return_bool))
        return op_series_renamed(op, vector);
    op_series_same(op, vector);
    return ERR_OK;
}

/* A row with histograms, or an operator that floats don't have: cell by cell. */
static void cells_row(struct scalar_vector_op *s, struct worker *w, struct batch *b, uint32_t row)
{
    double *v = batch_v(b, row);
    uint64_t *present = batch_present(b, row);
    const struct histogram **h = batch_h(b, row);
    BITS_EACH(i, present, b->steps)
    {
        struct cell element = {v[i], h ? h[i] : NULL}, scalar = {.v = s->scalar[i]};
        struct cell_result r = s->scalar_left ? binop_cells(&w->tile, s->op, scalar, element)
                                              : binop_cells(&w->tile, s->op, element, scalar);
        if (r.note)
            worker_note_late(w, &s->base, i, r.warning, r.note);
        if (r.none || (!r.keep && !s->return_bool)) {
            bits_clear(present, i);
            continue;
        }
        if (s->return_bool)
            r.cell = (struct cell){.v = r.keep ? 1 : 0};
        else if (op_is_comparison(s->op))
            r.cell = element;
        v[i] = r.cell.v;
        if (h)
            h[i] = r.cell.h;
    }
}

static enum err scalar_vector_tile(struct oper *op, struct worker *w, uint32_t first, struct batch *b)
{
    struct scalar_vector_op *s = (struct scalar_vector_op *)op;
    TRY(op_tile(op->args[s->scalar_left], w, first, b));
    for (uint32_t r = 0; r < b->rows; r++) {
        if (b->has_h[r] || op_is_trim(s->op)) {
            TRY(worker_go_on(w, (uint64_t)b->steps * 500));
            cells_row(s, w, b, r);
            continue;
        }
        double *v = batch_v(b, r);
        const double *left = s->scalar_left ? s->scalar : v, *right = s->scalar_left ? v : s->scalar;
        TRY(binop_row(w, s->op, s->return_bool, v, batch_present(b, r), left, right, v, b->steps));
    }
    return ERR_OK;
}

static const struct oper_ops scalar_vector_ops = {.name = "operator with scalar",
                                                  .role = ROLE_ROWS,
                                                  .cost = COST_STEPS,
                                                  .prepare = scalar_vector_prepare,
                                                  .tile = scalar_vector_tile};

struct oper *scalar_vector_op_new(const struct node *n, struct oper *lhs, struct oper *rhs)
{
    struct scalar_vector_op *s = op_new(lhs->x, sizeof *s, &scalar_vector_ops, n, &lhs->grid);
    s->op = n->binary.op;
    s->return_bool = n->binary.return_bool;
    s->scalar_left = n->binary.lhs->type == VALUE_SCALAR;
    op_args(&s->base, 2, (struct oper *const[]){lhs, rhs});
    return merge_op_new(&s->base);
}
