/*
 * resolve.c - from the tree as parsed to a tree for one execution; the contract is in query_internal.h.
 *
 * Six passes, in the order in which the reference prepares a query, because later ones see what
 * earlier ones made (a folded start() is a constant, and constants make their parents step-invariant):
 *
 *     copy      nodes only; names, matchers and strings stay in the query's arena
 *     stats     which selectors may leave out the buckets of native histograms
 *     fold      start() end() range() step() become numbers
 *     durations offset, range and step expressions become milliseconds
 *     wrap      @ start() and @ end() become times, parentheses around arguments go, and the highest
 *               subtrees that do not depend on the step get a NODE_STEP_INVARIANT
 *     times     what @ means below subqueries (resolve_times.c)
 */
#include "base/assert.h"
#include "promql/durations.h"
#include "promql/info_reference.h"
#include "promql/query_internal.h"
#include "promql/select.h"

struct resolver {
    const struct resolve_params *params;
    struct duration_grid grid;
    struct arena *arena;
    struct errmsg *why;
    enum err err;
};

/* ---- Copy ---- */

static struct node *copy_tree(struct resolver *r, const struct node *from)
{
    struct node *n = arena_alloc(r->arena, sizeof *n);
    *n = *from;
    if (n->kind == NODE_CALL && n->call.arg_count > 0) {
        n->call.args = ARENA_ARRAY(r->arena, struct node *, n->call.arg_count);
        memcpy(n->call.args, from->call.args, n->call.arg_count * sizeof(struct node *));
    }
    for (uint32_t i = 0; i < node_child_count(n); i++)
        *node_child_slot(n, i) = copy_tree(r, node_child(from, i));
    return n;
}

/* ---- Stats only ---- */

static bool reads_stats(enum function_id id)
{
    return id == FUNCTION_HISTOGRAM_COUNT || id == FUNCTION_HISTOGRAM_SUM || id == FUNCTION_HISTOGRAM_AVG;
}

static bool reads_buckets(const struct node *n)
{
    if (n->kind == NODE_SUBQUERY) /* buckets are needed to detect resets */
        return true;
    if (n->kind == NODE_BINARY)
        return n->binary.op == OP_TRIM_UPPER || n->binary.op == OP_TRIM_LOWER;
    if (n->kind != NODE_CALL)
        return false;
    switch (n->call.function->id) {
    case FUNCTION_HISTOGRAM_QUANTILE:
    case FUNCTION_HISTOGRAM_QUANTILES:
    case FUNCTION_HISTOGRAM_FRACTION:
    case FUNCTION_HISTOGRAM_STDDEV:
    case FUNCTION_HISTOGRAM_STDVAR:
        return true;
    default:
        return false;
    }
}

static bool mark_stats(void *ctx, struct node *n, struct node *const *path, uint32_t depth)
{
    (void)ctx;
    if (n->kind != NODE_VECTOR_SELECTOR)
        return true;
    bool stats = false;
    for (uint32_t i = depth; i-- > 0;) {
        if (reads_buckets(path[i])) {
            stats = false;
            break;
        }
        stats = stats || (path[i]->kind == NODE_CALL && reads_stats(path[i]->call.function->id));
    }
    n->vector.stats_only = stats;
    return true;
}

/* ---- Fold ---- */

static bool fold_value(const struct resolver *r, enum function_id id, double *value)
{
    const struct resolve_params *p = r->params;
    switch (id) {
    case FUNCTION_START:
        *value = (double)p->start_ms / 1000;
        return true;
    case FUNCTION_END:
        *value = (double)p->end_ms / 1000;
        return true;
    case FUNCTION_RANGE:
        *value = promql_duration_seconds(r->grid.range_ns);
        return true;
    case FUNCTION_STEP:
        *value = p->start_ms == p->end_ms ? 0 : promql_duration_seconds(r->grid.step_ns);
        return true;
    default:
        return false;
    }
}

static bool fold(void *ctx, struct node *n, struct node *const *path, uint32_t depth)
{
    const struct resolver *r = ctx;
    double value;
    (void)path, (void)depth;
    if (n->kind == NODE_CALL && fold_value(r, n->call.function->id, &value)) {
        n->kind = NODE_NUMBER;
        n->number = (struct number_node){.value = value};
    }
    return true;
}

/* ---- Durations ---- */

static void resolve_duration(struct resolver *r, struct node **expr, int64_t *ns, int64_t *ms, bool may_be_negative)
{
    if (*expr && r->err == ERR_OK)
        r->err = promql_duration_evaluate(*expr, &r->grid, may_be_negative, ns, r->why);
    *expr = NULL;
    *ms = *ns / NS_PER_MS;
}

static void resolve_offset(struct resolver *r, struct modifiers *mod)
{
    resolve_duration(r, &mod->offset_expr, &mod->offset_ns, &mod->offset_ms, true);
}

static void resolve_subquery(struct resolver *r, struct subquery_node *s)
{
    resolve_offset(r, &s->mod);
    resolve_duration(r, &s->step_expr, &s->step_ns, &s->step_ms, false);
    resolve_duration(r, &s->range_expr, &s->range_ns, &s->range_ms, false);
    if (s->step_ns == 0)
        s->step_ms = r->params->default_interval_ms;
    if (s->step_ms <= 0)
        s->step_ms = 1; /* written below a millisecond, which is the finest grid there is */
}

static bool resolve_durations(void *ctx, struct node *n, struct node *const *path, uint32_t depth)
{
    struct resolver *r = ctx;
    (void)path, (void)depth;
    if (n->kind == NODE_VECTOR_SELECTOR)
        resolve_offset(r, &n->vector.mod);
    else if (n->kind == NODE_MATRIX_SELECTOR)
        resolve_duration(r, &n->matrix.range_expr, &n->matrix.range_ns, &n->matrix.range_ms, false);
    else if (n->kind == NODE_SUBQUERY)
        resolve_subquery(r, &n->subquery);
    return r->err == ERR_OK;
}

/* ---- Wrap ---- */

/* What a subtree is: the same at every step, and if so, worth wrapping (constants and ranges are not). */
struct invariance {
    bool invariant, wrap;
};

static const struct invariance VARIES = {false, false};

static void resolve_at(const struct resolver *r, struct modifiers *mod)
{
    if (mod->at == AT_START || mod->at == AT_END) {
        mod->at_ms = mod->at == AT_START ? r->params->start_ms : r->params->end_ms;
        mod->at = AT_TIME;
    }
}

static void unwrap_parens(struct node **slot)
{
    while ((*slot)->kind == NODE_PAREN)
        *slot = (*slot)->paren.expr;
}

static void wrap_node(struct resolver *r, struct node **slot)
{
    struct node *n = node_new(r->arena, NODE_STEP_INVARIANT, (*slot)->type, (*slot)->start, (*slot)->end);
    n->invariant.expr = *slot;
    *slot = n;
}

/* Functions whose result depends on the time of evaluation though their arguments do not. */
static bool reads_time(enum function_id id)
{
    switch (id) {
    case FUNCTION_DAYS_IN_MONTH:
    case FUNCTION_DAY_OF_MONTH:
    case FUNCTION_DAY_OF_WEEK:
    case FUNCTION_DAY_OF_YEAR:
    case FUNCTION_HOUR:
    case FUNCTION_MINUTE:
    case FUNCTION_MONTH:
    case FUNCTION_YEAR:
    case FUNCTION_PREDICT_LINEAR:
    case FUNCTION_TIME:
    case FUNCTION_TIMESTAMP:
        return true;
    default:
        return false;
    }
}

static struct invariance wrap(struct resolver *r, struct node *n);

static struct invariance wrap_binary(struct resolver *r, struct binary_node *b)
{
    struct invariance lhs = wrap(r, b->lhs), rhs = wrap(r, b->rhs);
    if (lhs.invariant && rhs.invariant)
        return (struct invariance){true, true};
    if (lhs.wrap)
        wrap_node(r, &b->lhs);
    if (rhs.wrap)
        wrap_node(r, &b->rhs);
    return VARIES;
}

static struct invariance wrap_call(struct resolver *r, struct call_node *c)
{
    enum function_id id = c->function->id;
    bool invariant = !reads_time(id), timestamp_of_selector = id == FUNCTION_TIMESTAMP;
    bool *wrap_arg = ARENA_ARRAY(r->arena, bool, c->arg_count);
    for (uint32_t i = 0; i < c->arg_count; i++) {
        unwrap_parens(&c->args[i]);
        struct invariance arg = wrap(r, c->args[i]);
        if (id == FUNCTION_INFO && i == 1)
            continue; /* a list of conditions */
        wrap_arg[i] = arg.wrap;
        invariant = invariant && arg.invariant;
        if (!arg.invariant || c->args[i]->kind != NODE_VECTOR_SELECTOR)
            timestamp_of_selector = false;
    }
    if (id == FUNCTION_INFO)
        invariant = invariant && info_reference_of(c->args[0]).uniform;
    if (invariant || timestamp_of_selector)
        return (struct invariance){true, true};
    for (uint32_t i = 0; i < c->arg_count; i++)
        if (wrap_arg[i])
            wrap_node(r, &c->args[i]);
    return VARIES;
}

/* The inside is wrapped even below @: it has the same answer at each step of the subquery. */
static struct invariance wrap_subquery(struct resolver *r, struct subquery_node *s)
{
    if (wrap(r, s->expr).invariant)
        wrap_node(r, &s->expr);
    resolve_at(r, &s->mod);
    return (struct invariance){s->mod.at == AT_TIME, false};
}

static bool finish_param_node(void *ctx, struct node *n, struct node *const *path, uint32_t depth)
{
    struct modifiers *mod = n->kind == NODE_VECTOR_SELECTOR ? &n->vector.mod
                            : n->kind == NODE_SUBQUERY      ? &n->subquery.mod
                                                            : NULL;
    (void)ctx, (void)path, (void)depth;
    if (mod && mod->at != AT_TIME)
        mod->at = AT_NONE;
    for (uint32_t i = 0; n->kind == NODE_CALL && i < n->call.arg_count; i++)
        unwrap_parens(&n->call.args[i]);
    if (n->kind == NODE_AGGREGATE) {
        unwrap_parens(&n->aggregate.expr);
        if (n->aggregate.param)
            unwrap_parens(&n->aggregate.param);
    }
    return true;
}

/*
 * The reference forgets the parameter: `@ start()` in it has no effect, nothing in it is wrapped, and the
 * aggregation counts as invariant when its argument is, whatever the parameter does.
 */
static struct invariance wrap_aggregate(struct resolver *r, struct aggregate_node *a)
{
    unwrap_parens(&a->expr);
    if (a->param) {
        unwrap_parens(&a->param);
        node_walk(a->param, finish_param_node, NULL);
    }
    return wrap(r, a->expr);
}

static struct invariance wrap(struct resolver *r, struct node *n)
{
    switch (n->kind) {
    case NODE_VECTOR_SELECTOR:
        resolve_at(r, &n->vector.mod);
        return (struct invariance){n->vector.mod.at == AT_TIME, n->vector.mod.at == AT_TIME};
    case NODE_MATRIX_SELECTOR:
        return (struct invariance){wrap(r, n->matrix.selector).invariant, false};
    case NODE_SUBQUERY:
        return wrap_subquery(r, &n->subquery);
    case NODE_CALL:
        return wrap_call(r, &n->call);
    case NODE_AGGREGATE:
        return wrap_aggregate(r, &n->aggregate);
    case NODE_BINARY:
        return wrap_binary(r, &n->binary);
    case NODE_UNARY:
        return wrap(r, n->unary.expr);
    case NODE_PAREN:
        return wrap(r, n->paren.expr);
    default:
        assert(n->kind == NODE_NUMBER || n->kind == NODE_STRING);
        return (struct invariance){true, false};
    }
}

static uint32_t set_depths(struct node *n)
{
    uint32_t deepest = 0;
    for (uint32_t i = 0; i < node_child_count(n); i++) {
        uint32_t depth = set_depths(node_child(n, i));
        deepest = depth > deepest ? depth : deepest;
    }
    return n->depth = deepest + 1;
}

enum err query_resolve(const struct query *q, const struct resolve_params *p, struct arena *arena, struct node **out,
                       struct errmsg *why)
{
    struct resolver r = {.params = p, .arena = arena, .why = why};
    r.grid.step_ns = p->step_ms * NS_PER_MS;
    r.grid.range_ns = (p->end_ms - p->start_ms) * NS_PER_MS;
    struct node *root = copy_tree(&r, q->root);
    node_walk(root, mark_stats, NULL);
    node_walk(root, fold, &r);
    node_walk(root, resolve_durations, &r);
    if (r.err != ERR_OK)
        return r.err;
    if (wrap(&r, root).wrap)
        wrap_node(&r, &root);
    set_depths(root);
    resolve_times(root, p->start_ms, p->lookback_ms);
    *out = root;
    return ERR_OK;
}
