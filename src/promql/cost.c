/*
 * cost.c - the reference's own accounting, from counts alone.
 *
 * Prometheus evaluates node after node over whole matrices and counts the points that it holds.  What it
 * would have held follows from how many points each operator made: held after the node, and the peak
 * while it ran.  This is what --query.max-samples and the statistics mean; real memory has a budget of its own.
 */
#include "promql/exec.h"

static int64_t larger(int64_t a, int64_t b)
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

/* Adds an operator's cells, step by step; with the sizes of histograms when it is a result that is counted. */
static void add_steps(const struct oper *op, bool sizes, uint64_t *sum)
{
    const struct exec *x = op->x;
    if (op->cost == COST_NONE)
        return;
    for (uint32_t s = 0; s < op->grid.count; s++)
        sum[s] += op->tally.full;
    for (uint32_t i = 0; i < x->worker_count; i++) {
        const struct step_counts *counts = &x->workers[i].step_counts[op->counts_id];
        for (uint32_t s = 0; counts->cells && s < op->grid.count; s++)
            sum[s] += counts->cells[s];
        for (uint32_t s = 0; sizes && counts->sizes && s < op->grid.count; s++)
            sum[s] += counts->sizes[s];
    }
}

/* At each step: what was there before, the results of all steps before, the vectors gathered, the result. */
static int64_t steps_peak(const struct oper *op, int64_t held)
{
    uint32_t steps = op->grid.count;
    uint64_t *gathered = steps <= STEP_COUNTS_MAX ? exec_alloc(op->x, steps, sizeof *gathered) : NULL;
    uint64_t *made = gathered ? exec_alloc(op->x, steps, sizeof *made) : NULL;
    int64_t peak = held, results = 0;
    if (!made)
        return held + (int64_t)op->tally.points;
    for (uint32_t i = 0; i < op->arg_count; i++)
        add_steps(op->args[i], false, gathered);
    if (op->cost == COST_TIMESTAMP)
        add_steps(op, false, gathered);
    add_steps(op, true, made);
    for (uint32_t s = 0; s < steps; s++) {
        uint64_t nothing = op->cost == COST_TIMESTAMP && op->yields_nothing ? made[s] : 0;
        results += (int64_t)(made[s] - nothing);
        peak = larger(peak, held + results + (int64_t)gathered[s]);
    }
    return peak;
}

/* Signed, because the reference's sums are: some nodes give back more than they took. */
struct cost op_cost(const struct oper *op)
{
    int64_t points = (int64_t)op->tally.points, peak = (int64_t)op->tally.peak;
    struct cost args = args_cost(op);
    switch (op->cost) {
    case COST_NONE:
        return (struct cost){0, 0};
    case COST_SMOOTHED: /* what it makes is not counted, what it looks at is never released */
        return (struct cost){(int64_t)op->tally.left, (int64_t)op->tally.left_peak};
    case COST_SELECT:
        return (struct cost){points, larger(points, peak)};
    case COST_RANGE:
        return (struct cost){points + args.held - (op->over_rows ? (int64_t)op->args[0]->tally.points : 0),
                             larger(args.peak, args.held + peak)};
    case COST_AGGREGATE:
        return (struct cost){points, larger(args.peak, points)};
    case COST_PASS:
        return args;
    case COST_INVARIANT:
        args.held += points - (int64_t)op->args[0]->tally.points;
        return (struct cost){args.held, larger(args.peak, args.held)};
    case COST_INFO:
        return (struct cost){args.held + points, larger(args.peak, steps_peak(op, args.held))};
    default:
        return (struct cost){op->yields_nothing ? 0 : points, larger(args.peak, steps_peak(op, args.held))};
    }
}

/* What a subquery reads counts; what its inner steps look at is counted by the windows over it. */
void op_samples(const struct oper *op, uint64_t *queryable, uint64_t *read)
{
    if (op->scope != SCOPE_SUBQUERY)
        *queryable += op->tally.queryable * op->repeat;
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
        x->step_queryable[s] += queryable * op->repeat / x->grid.count;
    uint32_t reader = op->step_of ? op->step_of[step] : 0;
    if (reader != READ_BY_NOBODY)
        x->step_read[reader] += read;
}
