/*
 * ast.h - the syntax tree of a PromQL expression.
 *
 * The parser makes the tree, check.c types it, resolve.c copies it into a *resolved* tree for one
 * execution, and the engine reads only resolved trees.  What a resolved tree promises:
 *   - start() end() step() range() calls are number literals, `@ start()` and `@ end()` are times;
 *   - duration expressions are evaluated: offset_ms, range_ms and step_ms are final (a subquery without
 *     a step has the engine's default in step_ms), the *_expr fields are NULL;
 *   - no NODE_PAREN directly below a call or an aggregation (argument or parameter);
 *   - NODE_STEP_INVARIANT wraps the highest subtrees that give the same answer at every step;
 *   - selectors below histogram_count/sum/avg that may skip buckets have `stats_only` set.
 *
 * Positions are byte offsets [start, end) into the query text, as Prometheus counts them.
 *
 * Ownership: nodes, names and matchers live in the arena of the query (or of the execution for a
 *            resolved tree); nothing is freed one by one.
 * Threads:   immutable once parsed or resolved.
 */
#ifndef PROMQL_AST_H
#define PROMQL_AST_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/slice.h"
#include "model/matcher.h"
#include "promql/functions.h"
#include "promql/promql.h"

enum node_kind {
    NODE_NUMBER,
    NODE_STRING,
    NODE_VECTOR_SELECTOR,
    NODE_MATRIX_SELECTOR,
    NODE_SUBQUERY,
    NODE_CALL,
    NODE_AGGREGATE,
    NODE_BINARY,
    NODE_UNARY,
    NODE_PAREN,
    NODE_STEP_INVARIANT, /* only in resolved trees */
    NODE_DURATION,       /* only below range_expr, offset_expr, step_expr of a parsed tree */
};

/* Operators of NODE_BINARY, NODE_UNARY (ADD, SUB) and NODE_DURATION. */
enum op {
    OP_ADD,
    OP_SUB,
    OP_MUL,
    OP_DIV,
    OP_MOD,
    OP_POW,
    OP_ATAN2,
    OP_EQL,
    OP_NEQ,
    OP_GTR,
    OP_GTE,
    OP_LSS,
    OP_LTE,
    OP_TRIM_UPPER, /* </ */
    OP_TRIM_LOWER, /* >/ */
    OP_AND,
    OP_OR,
    OP_UNLESS,
    OP_STEP, /* the rest: durations only */
    OP_RANGE,
    OP_MIN_OF,
    OP_MAX_OF,
};
const char *op_text(enum op op); /* "+", "unless", "min_of" ... */
static inline bool op_is_comparison(enum op op)
{
    return op >= OP_EQL && op <= OP_LTE;
}
static inline bool op_is_set(enum op op)
{
    return op >= OP_AND && op <= OP_UNLESS;
}

enum aggregate_op {
    AGGREGATE_AVG,
    AGGREGATE_BOTTOMK,
    AGGREGATE_COUNT,
    AGGREGATE_COUNT_VALUES,
    AGGREGATE_GROUP,
    AGGREGATE_LIMITK,
    AGGREGATE_LIMIT_RATIO,
    AGGREGATE_MAX,
    AGGREGATE_MIN,
    AGGREGATE_QUANTILE,
    AGGREGATE_STDDEV,
    AGGREGATE_STDVAR,
    AGGREGATE_SUM,
    AGGREGATE_TOPK,
};
const char *aggregate_op_text(enum aggregate_op op);
bool aggregate_op_has_param(enum aggregate_op op);
bool aggregate_op_is_experimental(enum aggregate_op op);

/* Names as written, in that order; may repeat. */
struct name_list {
    uint32_t count;
    const struct slice *list;
};

enum match_card {
    CARD_ONE_TO_ONE,
    CARD_MANY_TO_ONE /* group_left */,
    CARD_ONE_TO_MANY /* group_right */,
    CARD_MANY_TO_MANY
};

/* How the series of a vector-vector operation find each other. */
struct matching {
    enum match_card card;
    bool on;                    /* labels are those compared; else those ignored */
    bool fill_left, fill_right; /* a missing series of that side counts as the value */
    double fill_left_value, fill_right_value;
    struct name_list labels;
    struct name_list include; /* group_left(...), group_right(...) */
};

/* `@` of selectors and subqueries. */
enum at_kind { AT_NONE, AT_TIME, AT_START, AT_END }; /* resolved: AT_NONE or AT_TIME */

/* offset and @; in resolved trees times are final: the reference time is at_ms or the step, minus offset_ms. */
struct modifiers {
    enum at_kind at;
    int64_t at_ms;            /* AT_TIME */
    int64_t offset_ns;        /* as written (literal) or as evaluated */
    int64_t offset_ms;        /* resolved; truncated from ns */
    struct node *offset_expr; /* parsed: NODE_DURATION, or NULL for a literal */
};

struct number_node {
    double value;
    bool duration; /* written as 5m; printed so */
};

struct string_node {
    struct slice value; /* unquoted; any bytes */
};

struct vector_selector_node {
    struct slice name; /* written outside of the braces; else empty */
    uint32_t matcher_count;
    struct matcher *matchers; /* as written, then the one for `name` */
    struct modifiers mod;
    bool anchored, smoothed;
    bool info_argument; /* second argument of info(): may match everything, is not evaluated */
    bool stats_only;    /* resolved: only count and sum of native histograms are looked at */
    bool bounded;       /* resolved: only samples from first_ms to last_ms are seen */
    int64_t first_ms, last_ms;
};

struct matrix_selector_node {
    struct node *selector; /* NODE_VECTOR_SELECTOR; offset and @ are there */
    int64_t range_ns;
    int64_t range_ms;        /* resolved */
    struct node *range_expr; /* parsed: NODE_DURATION, or NULL for a literal */
};

struct subquery_node {
    struct node *expr;
    int64_t range_ns, step_ns; /* step 0 = not given */
    int64_t range_ms, step_ms; /* resolved; step_ms > 0 */
    int64_t shift_ms;          /* resolved: steps are at another time than @ says; see resolve_times.c */
    struct node *range_expr, *step_expr;
    struct modifiers mod;
};

struct call_node {
    const struct function *function;
    uint32_t arg_count;
    struct node **args;
};

struct aggregate_node {
    enum aggregate_op op;
    bool without;
    struct name_list grouping;
    struct node *expr;
    struct node *param; /* NULL unless aggregate_op_has_param */
};

struct binary_node {
    enum op op;
    bool return_bool;
    struct node *lhs, *rhs;
    struct matching *matching; /* NULL unless both sides are instant vectors */
};

struct unary_node {
    enum op op; /* OP_ADD or OP_SUB */
    struct node *expr;
};

struct paren_node {
    struct node *expr;
};

struct step_invariant_node {
    struct node *expr;
};

struct duration_node {
    enum op op;
    bool wrapped;           /* in parentheses */
    struct node *lhs, *rhs; /* NODE_NUMBER or NODE_DURATION; lhs NULL: unary; both NULL: step(), range() */
};

struct node {
    enum node_kind kind;
    enum value_type type; /* VALUE_NONE for NODE_DURATION */
    uint32_t start, end;  /* byte offsets */
    uint32_t depth;       /* of the tree below, this node included; bounded by the parser */
    union {
        struct number_node number;
        struct string_node string;
        struct vector_selector_node vector;
        struct matrix_selector_node matrix;
        struct subquery_node subquery;
        struct call_node call;
        struct aggregate_node aggregate;
        struct binary_node binary;
        struct unary_node unary;
        struct paren_node paren;
        struct step_invariant_node invariant;
        struct duration_node duration;
    };
};

struct node *node_new(struct arena *arena, enum node_kind kind, enum value_type type, uint32_t start, uint32_t end);

/* Children in Prometheus' order: an aggregation's expression before its parameter; no durations. */
uint32_t node_child_count(const struct node *n);
struct node *node_child(const struct node *n, uint32_t i);
struct node **node_child_slot(struct node *n, uint32_t i); /* to replace a child */

const struct node *node_strip_parens(const struct node *n);

/* Depth first, parents first; `path` is the chain of parents from the root, `depth` long.  False stops. */
typedef bool (*node_visit)(void *ctx, struct node *n, struct node *const *path, uint32_t depth);
bool node_walk(struct node *root, node_visit visit, void *ctx);

/* expr.String() of one node, as labels, warnings and errors show it. */
void node_print(const struct node *n, struct buf *out);

#endif
