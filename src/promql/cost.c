/*
 * cost.c - the reference's own accounting, from counts alone.
 *
 * Prometheus evaluates node after node over whole matrices and counts the points that it holds.  What it
 * would have held follows from how many points each operator made: held after the node, and the peak
 * while it ran.  This is what --query.max-samples and the statistics mean; real memory has a budget of its own.
 */
#include "promql/exec.h"

static uint64_t larger(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* All arguments, one after the other, each held while the next is evaluated. */
static struct cost args_cost(const struct oper *op)
{
    struct cost c = {0, 0};
    for (uint32_t i = 0; i < op->arg_count; i++) {
        struct cost arg = op_cost(op->args[i]);
        c.peak = larger(c.peak, c.held + arg.peak);
        c.held += arg.held;
    }
    return c;
}

struct cost op_cost(const struct oper *op)
{
    uint64_t points = op->tally.points;
    struct cost args = args_cost(op);
    switch (op->ops->cost) {
    case COST_SELECT:
        return (struct cost){points, larger(points, op->tally.peak)};
    case COST_RANGE:
        return (struct cost){points, larger(args.peak, args.held + op->tally.peak)};
    case COST_AGGREGATE:
        return (struct cost){points, larger(args.peak, points)};
    case COST_PASS:
        return (struct cost){points, larger(args.peak, points)};
    default:
        break;
    }
    uint64_t gathered = 0; /* at the last step, when all results before it are there */
    for (uint32_t i = 0; i < op->arg_count; i++)
        gathered += op->args[i]->tally.last;
    return (struct cost){points, larger(args.peak, args.held + points + gathered)};
}

/* What a subquery reads counts; what its inner steps look at is counted by the windows over it. */
void op_samples(const struct oper *op, uint64_t *queryable, uint64_t *read)
{
    uint64_t steps = op->scope == SCOPE_INVARIANT ? op->x->grid.count : 1;
    if (op->scope != SCOPE_SUBQUERY)
        *queryable += op->tally.queryable * steps;
    *read += op->tally.read;
    for (uint32_t i = 0; i < op->arg_count; i++)
        op_samples(op->args[i], queryable, read);
}

void exec_count_step(struct exec *x, const struct oper *op, uint32_t step, uint64_t queryable, uint64_t read)
{
    if (!x->step_queryable)
        return;
    if (op->scope == SCOPE_ROOT) {
        x->step_queryable[step] += queryable;
        x->step_read[step] += read;
        return;
    }
    for (uint32_t s = 0; op->scope == SCOPE_INVARIANT && s < x->grid.count; s++)
        x->step_queryable[s] += queryable;
    x->step_read[op->step_of ? op->step_of[step] : 0] += read;
}
