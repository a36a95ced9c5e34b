/* ast.c - making, naming and walking nodes; the contract is in ast.h. */
#include "promql/ast.h"

#include "base/assert.h"

const char *op_text(enum op op)
{
    static const char *const texts[] = {
        [OP_ADD] = "+",         [OP_SUB] = "-",         [OP_MUL] = "*",         [OP_DIV] = "/",
        [OP_MOD] = "%",         [OP_POW] = "^",         [OP_ATAN2] = "atan2",   [OP_EQL] = "==",
        [OP_NEQ] = "!=",        [OP_GTR] = ">",         [OP_GTE] = ">=",        [OP_LSS] = "<",
        [OP_LTE] = "<=",        [OP_TRIM_UPPER] = "</", [OP_TRIM_LOWER] = ">/", [OP_AND] = "and",
        [OP_OR] = "or",         [OP_UNLESS] = "unless", [OP_STEP] = "step",     [OP_RANGE] = "range",
        [OP_MIN_OF] = "min_of", [OP_MAX_OF] = "max_of",
    };
    assert(op < sizeof texts / sizeof texts[0]);
    return texts[op];
}

const char *aggregate_op_text(enum aggregate_op op)
{
    static const char *const texts[] = {
        [AGGREGATE_AVG] = "avg",
        [AGGREGATE_BOTTOMK] = "bottomk",
        [AGGREGATE_COUNT] = "count",
        [AGGREGATE_COUNT_VALUES] = "count_values",
        [AGGREGATE_GROUP] = "group",
        [AGGREGATE_LIMITK] = "limitk",
        [AGGREGATE_LIMIT_RATIO] = "limit_ratio",
        [AGGREGATE_MAX] = "max",
        [AGGREGATE_MIN] = "min",
        [AGGREGATE_QUANTILE] = "quantile",
        [AGGREGATE_STDDEV] = "stddev",
        [AGGREGATE_STDVAR] = "stdvar",
        [AGGREGATE_SUM] = "sum",
        [AGGREGATE_TOPK] = "topk",
    };
    assert(op < sizeof texts / sizeof texts[0]);
    return texts[op];
}

bool aggregate_op_has_param(enum aggregate_op op)
{
    switch (op) {
    case AGGREGATE_TOPK:
    case AGGREGATE_BOTTOMK:
    case AGGREGATE_LIMITK:
    case AGGREGATE_LIMIT_RATIO:
    case AGGREGATE_QUANTILE:
    case AGGREGATE_COUNT_VALUES:
        return true;
    default:
        return false;
    }
}

bool aggregate_op_is_experimental(enum aggregate_op op)
{
    return op == AGGREGATE_LIMITK || op == AGGREGATE_LIMIT_RATIO;
}

const char *value_type_name(enum value_type t)
{
    static const char *const names[] = {
        [VALUE_NONE] = "none",     [VALUE_SCALAR] = "scalar", [VALUE_VECTOR] = "vector",
        [VALUE_MATRIX] = "matrix", [VALUE_STRING] = "string",
    };
    assert(t < sizeof names / sizeof names[0]);
    return names[t];
}

struct node *node_new(struct arena *arena, enum node_kind kind, enum value_type type, uint32_t start, uint32_t end)
{
    struct node *n = ARENA_NEW(arena, struct node);
    n->kind = kind;
    n->type = type;
    n->start = start;
    n->end = end;
    return n;
}

uint32_t node_child_count(const struct node *n)
{
    switch (n->kind) {
    case NODE_MATRIX_SELECTOR:
    case NODE_SUBQUERY:
    case NODE_UNARY:
    case NODE_PAREN:
    case NODE_STEP_INVARIANT:
        return 1;
    case NODE_CALL:
        return n->call.arg_count;
    case NODE_AGGREGATE:
        return n->aggregate.param ? 2 : 1;
    case NODE_BINARY:
        return 2;
    default:
        return 0;
    }
}

struct node **node_child_slot(struct node *n, uint32_t i)
{
    assert(i < node_child_count(n));
    switch (n->kind) {
    case NODE_MATRIX_SELECTOR:
        return &n->matrix.selector;
    case NODE_SUBQUERY:
        return &n->subquery.expr;
    case NODE_UNARY:
        return &n->unary.expr;
    case NODE_PAREN:
        return &n->paren.expr;
    case NODE_STEP_INVARIANT:
        return &n->invariant.expr;
    case NODE_CALL:
        return &n->call.args[i];
    case NODE_AGGREGATE:
        return i == 0 ? &n->aggregate.expr : &n->aggregate.param;
    default:
        return i == 0 ? &n->binary.lhs : &n->binary.rhs;
    }
}

struct node *node_child(const struct node *n, uint32_t i)
{
    struct node copy = *n; /* the slots of a copy hold the same children */
    return *node_child_slot(&copy, i);
}

const struct node *node_strip_parens(const struct node *n)
{
    while (n->kind == NODE_PAREN)
        n = n->paren.expr;
    return n;
}

struct walk {
    node_visit visit;
    void *ctx;
    struct node **path; /* root->depth entries */
};

static bool walk(const struct walk *w, struct node *n, uint32_t depth)
{
    if (!w->visit(w->ctx, n, w->path, depth))
        return false;
    w->path[depth] = n;
    for (uint32_t i = 0; i < node_child_count(n); i++)
        if (!walk(w, node_child(n, i), depth + 1))
            return false;
    return true;
}

bool node_walk(struct node *root, node_visit visit, void *ctx)
{
    struct walk w = {visit, ctx, mem_array(root->depth, sizeof(struct node *))};
    bool done = walk(&w, root, 0);
    mem_free(w.path);
    return done;
}
