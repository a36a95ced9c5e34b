/* invariant.c - one step's answer at all steps of the grid. */
#include "promql/ops.h"
#include "promql/series.h"

struct invariant_state {
    struct batch one;
};

static enum err invariant_prepare(struct oper *op)
{
    TRY(op_prepare(op->args[0]));
    op_series_same(op, op->args[0]);
    return ERR_OK;
}

static void spread_row(const struct batch *one, uint32_t row, struct batch *b)
{
    if (!bits_get(batch_present(one, row), 0))
        return;
    double *v = batch_v(b, row), value = batch_v(one, row)[0];
    for (uint32_t s = 0; s < b->steps; s++)
        v[s] = value;
    bits_fill(batch_present(b, row), b->steps);
    const struct histogram **from = batch_h(one, row);
    if (!from || !from[0])
        return;
    const struct histogram **h = batch_need_h(b, row);
    for (uint32_t s = 0; s < b->steps; s++)
        h[s] = from[0];
}

static enum err invariant_tile(struct oper *op, struct worker *w, uint32_t first, struct batch *b)
{
    struct invariant_state *state = worker_state(w, op, sizeof *state);
    if (state->one.capacity < b->rows)
        batch_deinit(&state->one);
    if (!state->one.v && !batch_init(&state->one, b->capacity, 1, &w->x->budget))
        return exec_no_memory(w->x, w->why);
    batch_reset(&state->one, b->rows);
    TRY(op_tile(op->args[0], w, first, &state->one));
    for (uint32_t r = 0; r < b->rows; r++) {
        TRY(worker_go_on(w, b->steps));
        spread_row(&state->one, r, b);
    }
    return ERR_OK;
}

static void invariant_close(struct oper *op, void *state)
{
    (void)op;
    batch_deinit(&((struct invariant_state *)state)->one);
}

static const struct oper_ops invariant_ops = {.name = "once for all steps",
                                              .role = ROLE_ROWS,
                                              .cost = COST_INVARIANT,
                                              .prepare = invariant_prepare,
                                              .tile = invariant_tile,
                                              .worker_close = invariant_close,
                                              .skip = op_skip_input};

struct oper *invariant_op_new(const struct node *n, const struct grid *g, struct oper *child)
{
    struct oper *op = op_new(child->x, sizeof *op, &invariant_ops, n, g);
    op_args(op, 1, &child);
    return op;
}
