/*
 * plan.c - from the resolved tree to operators.
 *
 * Arguments are planned in the order in which Prometheus evaluates them: the rank of an operator decides
 * which of equal annotations shows its place.
 */
#include "base/assert.h"
#include "promql/ops.h"
#include "promql/range.h"
#include "promql/range_extended.h"
#include "promql/select.h"

static enum err plan_call(struct exec *x, const struct node *n, const struct grid *g, struct oper **out);

static const struct node *strip(const struct node *n)
{
    while (n->kind == NODE_PAREN || n->kind == NODE_STEP_INVARIANT)
        n = n->kind == NODE_PAREN ? n->paren.expr : n->invariant.expr;
    return n;
}

/* ---- Range functions ---- */

/* A subquery runs on multiples of its own step, from just after the first window's start. */
static enum err subquery_grid(struct exec *x, const struct subquery_node *s, const struct grid *g, struct grid *out)
{
    /* Below @ too the reference goes on for as long as the outer steps do, though nobody looks there. */
    int64_t length = grid_time(g, g->count - 1) - g->start_ms;
    int64_t end = time_sub(subquery_time(s, g->start_ms), -length), start = subquery_start(s, g->start_ms);
    if (start <= end && !grid_fits(start, end, s->step_ms))
        return exec_too_many_samples(x->why);
    *out = (struct grid){start, s->step_ms, end, end < start ? 0 : (uint32_t)((end - start) / s->step_ms + 1)};
    return ERR_OK;
}

/* The first outer step at or after an inner one; like the reference, offset counts here and @ does not. */
static uint32_t reading_step(const struct subquery_node *s, const struct grid *outer, int64_t inner_ms)
{
    int64_t t = time_sub(inner_ms, -s->mod.offset_ms), behind = time_sub(t, outer->start_ms);
    if (outer->count <= 1 || behind <= 0)
        return 0;
    int64_t step = behind / outer->step_ms + (behind % outer->step_ms != 0);
    return step < outer->count ? (uint32_t)step : outer->count - 1;
}

/* Samples of an inner step that lies between two windows are looked at, but not booked as read. */
static bool in_window(const struct subquery_node *s, const struct grid *outer, int64_t inner_ms, uint32_t step)
{
    return outer->count <= 1 || time_sub(inner_ms, -s->mod.offset_ms) > time_sub(grid_time(outer, step), s->range_ms);
}

static enum err inner_steps(struct exec *x, const struct subquery_node *s, const struct grid *outer,
                            const struct grid *inner, bool answer, const uint32_t **out)
{
    uint32_t *steps = exec_alloc(x, inner->count, sizeof *steps);
    bool gaps = false;
    if (!steps)
        return exec_no_memory(x, x->why);
    for (uint32_t i = 0; i < inner->count; i++) {
        TRY(exec_go_on(x, 10));
        int64_t t = grid_time(inner, i);
        uint32_t step = reading_step(s, outer, t);
        if (!answer && !in_window(s, outer, t, step))
            steps[i] = READ_BY_NOBODY;
        else
            steps[i] = x->step_of ? x->step_of[step] : x->scope == SCOPE_INVARIANT ? 0 : step;
        gaps |= steps[i] == READ_BY_NOBODY;
    }
    *out = gaps || x->step_queryable ? steps : NULL;
    return ERR_OK;
}

enum err plan_subquery(struct exec *x, const struct node *n, const struct grid *g, enum op_scope scope,
                       struct oper **out)
{
    struct grid inner;
    TRY(subquery_grid(x, &n->subquery, g, &inner));
    if (inner.count == 0) { /* no step falls into any window */
        *out = NULL;
        return ERR_OK;
    }
    enum op_scope outer = x->scope;
    const uint32_t *outer_step_of = x->step_of;
    TRY(inner_steps(x, &n->subquery, g, &inner, scope != SCOPE_SUBQUERY, &x->step_of));
    x->scope = scope;
    enum err err = plan_op(x, n->subquery.expr, &inner, out);
    x->scope = outer;
    x->step_of = outer_step_of;
    return err;
}

/* Anchored and smoothed windows have functions of their own; NULL: this one has none. */
static const struct range_function *window_function(const struct node *matrix, const struct range_function *function)
{
    if (matrix->kind != NODE_MATRIX_SELECTOR)
        return function;
    const struct vector_selector_node *vs = &matrix->matrix.selector->vector;
    return vs->anchored || vs->smoothed ? range_function_extended(function->id, vs->smoothed) : function;
}

static enum err plan_range(struct exec *x, const struct node *call, const struct grid *g,
                           const struct range_function *function, struct oper **out)
{
    const struct node *matrix = NULL;
    struct oper *child = NULL, *params[2] = {NULL};
    uint32_t param_count = 0, matrix_arg = 0;
    for (uint32_t i = 0; i < call->call.arg_count && !matrix; i++)
        if (call->call.args[i]->type == VALUE_MATRIX) {
            matrix = strip(call->call.args[i]);
            matrix_arg = i;
        }
    assert(matrix);
    if (matrix->kind == NODE_SUBQUERY)
        TRY(plan_subquery(x, matrix, g, SCOPE_SUBQUERY, &child));
    for (uint32_t i = 0; i < call->call.arg_count; i++)
        if (i != matrix_arg)
            TRY(plan_op(x, call->call.args[i], g, &params[param_count++]));
    if (matrix->kind == NODE_SUBQUERY && !child)
        *out = empty_op_new(x, call, g, params, param_count);
    else
        *out = range_op_new(x, call, g, matrix, window_function(matrix, function), child, params, param_count);
    return ERR_OK;
}

/* ---- Calls ---- */

static enum err plan_args(struct exec *x, const struct node *n, const struct grid *g, struct oper **args,
                          uint32_t *count)
{
    *count = 0;
    for (uint32_t i = 0; i < n->call.arg_count; i++)
        if (n->call.args[i]->type != VALUE_STRING)
            TRY(plan_op(x, n->call.args[i], g, &args[(*count)++]));
    return ERR_OK;
}

/* With @ and offset the reference looks at the time of @, but only has what both together would read. */
static struct oper *timestamp_with_both(struct exec *x, const struct node *call, const struct node *arg,
                                        const struct grid *g, enum select_yield yield)
{
    struct node *at = ARENA_NEW(&x->arena, struct node);
    int64_t offset = arg->vector.mod.offset_ms;
    *at = *arg;
    at->vector.mod.offset_ms = at->vector.mod.offset_ns = 0;
    struct oper *op = select_op_new(x, call, at, g, yield);
    select_op_shift(op, offset);
    return op;
}

/* timestamp() of a plain selector looks at the samples themselves. */
static bool plan_timestamp(struct exec *x, const struct node *n, const struct grid *g, struct oper **out)
{
    enum function_id id = n->call.function->id;
    if (id != FUNCTION_TIMESTAMP && id != FUNCTION_START_TIMESTAMP)
        return false;
    const struct node *arg = strip(n->call.args[0]);
    if (arg->kind != NODE_VECTOR_SELECTOR)
        return false;
    enum select_yield yield = id == FUNCTION_TIMESTAMP ? SELECT_TIMESTAMP : SELECT_START_TIMESTAMP;
    struct oper *select = arg->vector.mod.at == AT_TIME && arg->vector.mod.offset_ms != 0
                              ? timestamp_with_both(x, n, arg, g, yield)
                              : select_op_new(x, n, arg, g, yield);
    if (id == FUNCTION_START_TIMESTAMP && !exec_has(x, PROMQL_USE_START_TIMESTAMPS))
        select = nothing_op_new(select);
    *out = merge_op_new(select);
    return true;
}

static enum err plan_simple_call(struct exec *x, const struct node *n, const struct grid *g, struct oper **out)
{
    struct oper *args[OP_ARGS_MAX] = {NULL};
    uint32_t count;
    TRY(plan_args(x, n, g, args, &count));
    enum function_id id = n->call.function->id;
    switch (id) {
    case FUNCTION_VECTOR:
        *out = vector_op_new(n, args[0]);
        return ERR_OK;
    case FUNCTION_SCALAR:
        *out = scalar_op_new(n, args[0]);
        return ERR_OK;
    case FUNCTION_MAX_OF:
    case FUNCTION_MIN_OF:
        *out = scalar_binary_op_new(n, args[0], args[1]);
        return ERR_OK;
    case FUNCTION_ABSENT:
        *out = absent_op_new(n, args[0]);
        return ERR_OK;
    case FUNCTION_SORT:
    case FUNCTION_SORT_DESC:
    case FUNCTION_SORT_BY_LABEL:
    case FUNCTION_SORT_BY_LABEL_DESC:
        *out = sort_op_new(n, args[0]);
        return ERR_OK;
    case FUNCTION_LABEL_REPLACE:
    case FUNCTION_LABEL_JOIN:
        *out = relabel_op_new(n, args[0]);
        return ERR_OK;
    default:
        break;
    }
    if (count == 0) /* date functions look at now */
        args[count++] = now_op_new(x, n, g);
    *out = map_op_new(n, args, count);
    if (!*out)
        *out = histogram_op_new(n, args, count);
    return ERR_OK;
}

static enum err plan_call(struct exec *x, const struct node *n, const struct grid *g, struct oper **out)
{
    enum function_id id = n->call.function->id;
    const struct range_function *function = range_function_find(id);
    if (function) {
        TRY(plan_range(x, n, g, function, out));
        if (id == FUNCTION_ABSENT_OVER_TIME)
            *out = absent_op_new(n, *out);
        return ERR_OK;
    }
    if (plan_timestamp(x, n, g, out))
        return ERR_OK;
    switch (id) {
    case FUNCTION_TIME:
        *out = time_op_new(x, n, g);
        return ERR_OK;
    case FUNCTION_PI:
        *out = number_op_new(x, n, g, M_PI);
        return ERR_OK;
    case FUNCTION_INFO:
        return plan_info(x, n, g, out);
    default:
        return plan_simple_call(x, n, g, out);
    }
}

/* ---- The rest ---- */

static enum err plan_binary(struct exec *x, const struct node *n, const struct grid *g, struct oper **out)
{
    struct oper *lhs, *rhs;
    TRY(plan_op(x, n->binary.lhs, g, &lhs));
    TRY(plan_op(x, n->binary.rhs, g, &rhs));
    bool left_scalar = n->binary.lhs->type == VALUE_SCALAR, right_scalar = n->binary.rhs->type == VALUE_SCALAR;
    if (left_scalar && right_scalar)
        *out = scalar_binary_op_new(n, lhs, rhs);
    else if (left_scalar || right_scalar)
        *out = scalar_vector_op_new(n, lhs, rhs);
    else if (op_is_set(n->binary.op))
        *out = set_op_new(n, lhs, rhs);
    else
        *out = match_op_new(n, lhs, rhs);
    return ERR_OK;
}

/* by() looks at few labels of a selector's series; their order and equality are told without the others. */
static void project(const struct aggregate_node *a, struct oper *child)
{
    bool groups_only = a->op != AGGREGATE_TOPK && a->op != AGGREGATE_BOTTOMK && a->op != AGGREGATE_LIMITK &&
                       a->op != AGGREGATE_LIMIT_RATIO && a->op != AGGREGATE_COUNT_VALUES;
    if (a->without || !groups_only)
        return;
    bool reads = range_op_project(child, &a->grouping);
    if (op_is_select(child))
        select_op_project(child, &a->grouping);
    if (reads || op_is_select(child))
        child->remark = "labels of the grouping only";
}

static enum err plan_aggregate(struct exec *x, const struct node *n, const struct grid *g, struct oper **out)
{
    struct oper *param = NULL, *child;
    const struct aggregate_node *a = &n->aggregate;
    if (a->param && a->param->type != VALUE_STRING)
        TRY(plan_op(x, a->param, g, &param));
    TRY(plan_op(x, a->expr, g, &child));
    bool any_order = a->op == AGGREGATE_COUNT || a->op == AGGREGATE_GROUP;
    if (any_order && !a->without && a->grouping.count == 0 && op_is_select(child))
        select_op_unsorted(child);
    project(a, child);
    *out = aggregate_op_new(n, param, child);
    return ERR_OK;
}

static enum err plan_invariant(struct exec *x, const struct node *n, const struct grid *g, struct oper **out)
{
    const struct node *inner = n->invariant.expr;
    struct grid one = {g->start_ms, g->step_ms, g->start_ms, 1};
    if (g->count == 1 && grid_is_instant(g))
        return plan_op(x, inner, g, out);
    enum op_scope outer = x->scope;
    x->scope = outer == SCOPE_ROOT ? SCOPE_INVARIANT : outer;
    x->repeat *= g->count;
    struct oper *child;
    enum err err = plan_op(x, inner, &one, &child);
    x->scope = outer;
    x->repeat /= g->count;
    TRY(err);
    struct oper *constant = scalar_spread_fold(g, child);
    *out = constant ? constant : invariant_op_new(n, g, child);
    return ERR_OK;
}

static enum err plan_unary(struct exec *x, const struct node *n, const struct grid *g, struct oper **out)
{
    TRY(plan_op(x, n->unary.expr, g, out));
    if (n->unary.op != OP_SUB)
        return ERR_OK;
    struct oper *constant = scalar_negate_fold(n, *out);
    *out = constant ? constant : negate_op_new(n, *out);
    return ERR_OK;
}

static enum err plan_node(struct exec *x, const struct node *n, const struct grid *g, struct oper **out)
{
    switch (n->kind) {
    case NODE_NUMBER:
        *out = number_op_new(x, n, g, n->number.value);
        return ERR_OK;
    case NODE_VECTOR_SELECTOR:
        *out = select_op_new(x, n, n, g, SELECT_VALUE);
        return ERR_OK;
    case NODE_CALL:
        return plan_call(x, n, g, out);
    case NODE_AGGREGATE:
        return plan_aggregate(x, n, g, out);
    case NODE_BINARY:
        return plan_binary(x, n, g, out);
    case NODE_UNARY:
        return plan_unary(x, n, g, out);
    case NODE_PAREN:
        return plan_op(x, n->paren.expr, g, out);
    case NODE_STEP_INVARIANT:
        return plan_invariant(x, n, g, out);
    default: /* strings and range vectors are read by those who take them */
        return err_set(x->why, ERR_INVALID, "unhandled expression of type: %s", value_type_name(n->type));
    }
}

enum err plan_op(struct exec *x, const struct node *n, const struct grid *g, struct oper **out)
{
    uint32_t first_id = x->op_count;
    bool share = share_worthwhile(x, n);
    TRY(plan_node(x, n, g, out));
    if (share)
        *out = share_op_new(n, first_id, *out);
    return ERR_OK;
}
