/* aggregate.c - what all aggregations share; the contract is in aggregate.h. */
#include "promql/aggregate.h"

#include "numeric/goformat.h"
#include "numeric/gomath.h"

void *aggregate_op_base(size_t bytes, const struct oper_ops *ops, const struct node *n, struct oper *param,
                        struct oper *child)
{
    struct aggregation *a = op_new(child->x, bytes, ops, n, &child->grid);
    a->node = &n->aggregate;
    a->param = param;
    a->child = child;
    op_args(&a->base, param ? 2 : 1, param ? (struct oper *const[]){param, child} : &child);
    return a;
}

enum err aggregate_op_prepare(struct aggregation *a, const struct slice *extra_name)
{
    if (a->param) {
        TRY(op_prepare(a->param));
        TRY(op_scalar(a->param, &a->params));
    }
    TRY(op_prepare(a->child));
    struct grouping g = grouping_make(&a->base.x->arena, a->node, extra_name);
    return groups_make(&a->groups, a->child, &g);
}

struct param_range aggregate_params(const struct aggregation *a)
{
    struct param_range r = {INFINITY, -INFINITY, false};
    for (uint32_t s = 0; s < a->base.grid.count; s++) {
        double v = a->params[s];
        r.any_nan |= isnan(v);
        r.min = gomath_min(r.min, v);
        r.max = gomath_max(r.max, v);
    }
    return r;
}

struct note_place aggregate_place_expr(const struct aggregation *a)
{
    return op_place_at(&a->base, a->node->expr);
}

struct note_place aggregate_place_param(const struct aggregation *a)
{
    return op_place_at(&a->base, a->node->param);
}

static enum err k_out_of_range(struct aggregation *a, double v, const char *how)
{
    char text[GOFORMAT_BYTES_MAX];
    size_t len = goformat_float(text, v, 'g', -1);
    return err_set(a->base.x->why, ERR_INVALID, "Scalar value %.*s %s int64", (int)len, text, how);
}

enum err aggregate_k(struct aggregation *a, uint32_t **k, bool *nothing)
{
    struct exec *x = a->base.x;
    struct param_range range = aggregate_params(a);
    const double limit = 9223372036854775808.0; /* 2^63 */
    *nothing = range.max < 1;
    if (*nothing)
        return ERR_OK;
    if (range.any_nan)
        return err_set(x->why, ERR_INVALID, "Parameter value is NaN");
    if (range.min <= -limit)
        return k_out_of_range(a, range.min, "underflows");
    if (range.max >= limit)
        return k_out_of_range(a, range.max, "overflows");
    *k = exec_alloc(x, a->base.grid.count, sizeof **k);
    if (!*k)
        return exec_no_memory(x, x->why);
    for (uint32_t s = 0; s < a->base.grid.count; s++) {
        int64_t n = gomath_int64(a->params[s]);
        (*k)[s] = n < 1 ? 0 : n > a->child->count ? a->child->count : (uint32_t)n;
    }
    return ERR_OK;
}

struct oper *aggregate_op_new(const struct node *n, struct oper *param, struct oper *child)
{
    switch (n->aggregate.op) {
    case AGGREGATE_TOPK:
    case AGGREGATE_BOTTOMK:
        return topk_op_new(n, param, child);
    case AGGREGATE_LIMITK:
        return limitk_op_new(n, param, child);
    case AGGREGATE_LIMIT_RATIO:
        return limit_ratio_op_new(n, param, child);
    case AGGREGATE_QUANTILE:
        return quantile_op_new(n, param, child);
    case AGGREGATE_COUNT_VALUES:
        return count_values_op_new(n, child);
    default:
        return fold_op_new(n, child);
    }
}
