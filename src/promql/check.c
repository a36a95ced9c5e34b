/*
 * check.c - the type check: what the grammar lets through but no evaluation could make sense of.
 *
 * Children are checked before their parent, left to right, and the first error is the one reported,
 * so the order of the tests below is part of the contract (design: the texts of the reference).
 */
#include <stdlib.h>

#include "model/label.h"
#include "promql/parser_internal.h"
#include "regex/regex.h"

static void check(struct parser *p, struct node *n);

static const char *documented(enum value_type type)
{
    switch (type) {
    case VALUE_VECTOR:
        return "instant vector";
    case VALUE_MATRIX:
        return "range vector";
    default:
        return value_type_name(type);
    }
}

/* ---- Aggregations ---- */

static void expect_type(struct parser *p, struct node *n, enum value_type want, const char *where)
{
    check(p, n);
    if (n->type != want)
        parser_fail(p, n->start, "expected type %s in %s, got %s", documented(want), where, documented(n->type));
}

static void check_aggregate(struct parser *p, const struct aggregate_node *a)
{
    expect_type(p, a->expr, VALUE_VECTOR, "aggregation expression");
    if (a->param)
        expect_type(p, a->param, a->op == AGGREGATE_COUNT_VALUES ? VALUE_STRING : VALUE_SCALAR,
                    "aggregation parameter");
}

/* ---- Binary operators ---- */

/* Where the operator stands: behind the left operand and white space. */
static uint32_t operator_position(const struct parser *p, const struct binary_node *b)
{
    struct slice text = p->lexer.input;
    uint32_t i = b->lhs->end;
    while (i < text.len && strchr(" \t\n\r", text.data[i]))
        i++;
    return i;
}

static bool is_operand(enum value_type type)
{
    return type == VALUE_SCALAR || type == VALUE_VECTOR;
}

static int slice_order(const void *a, const void *b)
{
    return slice_cmp(*(const struct slice *)a, *(const struct slice *)b);
}

/* Sorted and searched, because both lists may fill a query of a megabyte. */
static void check_include(struct parser *p, const struct binary_node *b)
{
    const struct matching *m = b->matching;
    if (!m->on || m->labels.count == 0 || m->include.count == 0)
        return;
    struct slice *include = ARENA_ARRAY(p->arena, struct slice, m->include.count);
    memcpy(include, m->include.list, m->include.count * sizeof *include);
    qsort(include, m->include.count, sizeof *include, slice_order);
    for (uint32_t i = 0; i < m->labels.count && !p->failed; i++)
        if (bsearch(&m->labels.list[i], include, m->include.count, sizeof *include, slice_order))
            parser_fail(p, operator_position(p, b), "label %s must not occur in ON and GROUP clause at once",
                        parser_quote(p, m->labels.list[i]));
}

static void check_bool(struct parser *p, const struct binary_node *b)
{
    bool scalars = b->lhs->type == VALUE_SCALAR && b->rhs->type == VALUE_SCALAR;
    if (b->return_bool && !op_is_comparison(b->op))
        parser_fail(p, operator_position(p, b), "bool modifier can only be used on comparison operators");
    if (op_is_comparison(b->op) && !b->return_bool && scalars)
        parser_fail(p, operator_position(p, b), "comparisons between scalars must use BOOL modifier");
}

/* `start`: of the whole expression. */
static void check_matching(struct parser *p, struct binary_node *b, uint32_t start)
{
    struct matching *m = b->matching;
    bool fill = m->fill_left || m->fill_right;
    if (b->lhs->type != VALUE_VECTOR || b->rhs->type != VALUE_VECTOR) {
        if (m->labels.count > 0)
            parser_fail(p, start, "vector matching only allowed between instant vectors");
        if (fill)
            parser_fail(p, start, "filling in missing series only allowed between instant vectors");
        b->matching = NULL;
    } else if (op_is_set(b->op)) {
        if (m->card == CARD_MANY_TO_ONE || m->card == CARD_ONE_TO_MANY)
            parser_fail(p, start, "no grouping allowed for \"%s\" operation", op_text(b->op));
        if (fill)
            parser_fail(p, start, "filling in missing series not allowed for set operators");
    }
}

static void check_binary(struct parser *p, struct node *n)
{
    struct binary_node *b = &n->binary;
    static const char WRONG_TYPE[] = "binary expression must contain only scalar and instant vector types";
    check(p, b->lhs);
    check(p, b->rhs);
    check_bool(p, b);
    if (op_is_set(b->op) && b->matching->card == CARD_ONE_TO_ONE)
        b->matching->card = CARD_MANY_TO_MANY;
    check_include(p, b);
    if (!is_operand(b->lhs->type))
        parser_fail(p, b->lhs->start, WRONG_TYPE);
    if (!is_operand(b->rhs->type))
        parser_fail(p, b->rhs->start, WRONG_TYPE);
    check_matching(p, b, n->start);
    if ((b->lhs->type == VALUE_SCALAR || b->rhs->type == VALUE_SCALAR) && op_is_set(b->op))
        parser_fail(p, n->start, "set operator \"%s\" not allowed in binary scalar expression", op_text(b->op));
}

/* ---- Calls ---- */

static void check_argument_count(struct parser *p, const struct node *n)
{
    const struct function *f = n->call.function;
    uint32_t listed = f->arg_count, got = n->call.arg_count;
    if (f->variadic == 0) {
        if (got != listed)
            parser_fail(p, n->start, "expected %u argument(s) in call to \"%s\", got %u", listed, f->name, got);
        return;
    }
    uint32_t min = listed - 1;
    if (got < min)
        parser_fail(p, n->start, "expected at least %u argument(s) in call to \"%s\", got %u", min, f->name, got);
    uint32_t most = min + (uint8_t)f->variadic;
    if (f->variadic > 0 && got > most)
        parser_fail(p, n->start, "expected at most %u argument(s) in call to \"%s\", got %u", most, f->name, got);
}

/* The second argument of info() is a bare {...}: a list of conditions, not something to evaluate. */
static void check_info(struct parser *p, const struct node *n)
{
    if (n->call.arg_count < 2)
        return;
    struct node *selector = n->call.args[1];
    if (selector->type != VALUE_VECTOR)
        parser_fail(p, n->start, "expected type %s in call to function \"info\", got %s", documented(VALUE_VECTOR),
                    documented(selector->type));
    if (selector->kind != NODE_VECTOR_SELECTOR)
        return parser_fail(p, selector->start, "expected label selectors only");
    if (selector->vector.name.len)
        parser_fail(p, selector->start, "expected label selectors only, got vector selector instead");
    selector->vector.info_argument = true;
}

static void check_call(struct parser *p, const struct node *n)
{
    const struct function *f = n->call.function;
    check_argument_count(p, n);
    if (f->id == FUNCTION_INFO)
        check_info(p, n);
    for (uint32_t i = 0; i < n->call.arg_count && !p->failed; i++) {
        struct node *arg = n->call.args[i];
        enum value_type want = function_arg_type(f, i);
        check(p, arg);
        if (arg->type != want)
            parser_fail(p, arg->start, "expected type %s in call to function \"%s\", got %s", documented(want), f->name,
                        documented(arg->type));
    }
}

/* ---- The rest ---- */

static bool matches_empty(const struct matcher *m)
{
    switch (m->op) {
    case MATCH_EQUAL:
        return m->value.len == 0;
    case MATCH_NOT_EQUAL:
        return m->value.len != 0;
    case MATCH_REGEX:
        return regex_matches_empty(m->regex);
    default:
        return !regex_matches_empty(m->regex);
    }
}

static void check_selector(struct parser *p, const struct node *n)
{
    const struct vector_selector_node *s = &n->vector;
    bool bounded = s->info_argument || s->name.len;
    for (uint32_t i = 0; i < s->matcher_count; i++) {
        bool outside = s->name.len && i == s->matcher_count - 1;
        if (s->name.len && !outside && slice_eq_str(s->matchers[i].name, METRIC_NAME))
            parser_fail(p, n->start, "metric name must not be set twice: %s or %s", parser_quote(p, s->name),
                        parser_quote(p, s->matchers[i].value));
        bounded = bounded || !matches_empty(&s->matchers[i]);
    }
    if (!bounded)
        parser_fail(p, n->start, "vector selector must contain at least one non-empty matcher");
}

static void check_unary(struct parser *p, const struct node *n)
{
    check(p, n->unary.expr);
    if (!is_operand(n->unary.expr->type))
        parser_fail(p, n->start,
                    "unary expression only allowed on expressions of type scalar or instant vector, got \"%s\"",
                    documented(n->unary.expr->type));
}

static void check_subquery(struct parser *p, const struct node *n)
{
    check(p, n->subquery.expr);
    if (n->subquery.expr->type != VALUE_VECTOR)
        parser_fail(p, n->start, "subquery is only allowed on instant vector, got %s instead",
                    value_type_name(n->subquery.expr->type));
}

static void check(struct parser *p, struct node *n)
{
    if (p->failed)
        return;
    switch (n->kind) {
    case NODE_AGGREGATE:
        return check_aggregate(p, &n->aggregate);
    case NODE_BINARY:
        return check_binary(p, n);
    case NODE_CALL:
        return check_call(p, n);
    case NODE_PAREN:
        return check(p, n->paren.expr);
    case NODE_UNARY:
        return check_unary(p, n);
    case NODE_SUBQUERY:
        return check_subquery(p, n);
    case NODE_MATRIX_SELECTOR:
        return check_selector(p, n->matrix.selector);
    case NODE_VECTOR_SELECTOR:
        return check_selector(p, n);
    default:
        return;
    }
}

bool parser_check(struct parser *p, struct node *root)
{
    check(p, root);
    return !p->failed;
}
