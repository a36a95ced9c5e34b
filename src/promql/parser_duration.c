/*
 * parser_duration.c - arithmetic on durations: inside [ ] and after offset.
 *
 *     duration = number | "-" duration | duration op duration | "(" duration ")"
 *              | "step()" | "range()" | "min_of(" duration "," duration ")" | "max_of(" ... ")"
 *
 * Inside brackets that is all.  After offset the same operators may also belong to the expression
 * around it, so there a bare number, a call, or a sign with one of these or with parentheses is the
 * whole duration: `a offset 5m + 1m` adds 1m to a vector.  What does not start so (`(5m)`, `--5m`)
 * goes on as long as it can: `a offset (5m) + 1m` is an offset of 6m.
 */
#include "base/assert.h"
#include "promql/durations.h"
#include "promql/parser_internal.h"

enum { PRECEDENCE_ADD = 1, PRECEDENCE_MUL, PRECEDENCE_POW };

struct duration_operator {
    enum op op;
    int precedence; /* 0: not an operator */
};

static struct duration_operator operator_of(enum token_kind kind)
{
    switch (kind) {
    case TOKEN_ADD:
        return (struct duration_operator){OP_ADD, PRECEDENCE_ADD};
    case TOKEN_SUB:
        return (struct duration_operator){OP_SUB, PRECEDENCE_ADD};
    case TOKEN_MUL:
        return (struct duration_operator){OP_MUL, PRECEDENCE_MUL};
    case TOKEN_DIV:
        return (struct duration_operator){OP_DIV, PRECEDENCE_MUL};
    case TOKEN_MOD:
        return (struct duration_operator){OP_MOD, PRECEDENCE_MUL};
    case TOKEN_POW:
        return (struct duration_operator){OP_POW, PRECEDENCE_POW};
    default:
        return (struct duration_operator){OP_ADD, 0};
    }
}

static bool check_feature(struct parser *p, const struct node *n)
{
    if (!(p->features & PROMQL_DURATION_EXPR))
        parser_fail(p, n->start, "experimental duration expression is not enabled");
    return !p->failed;
}

/* Positions as the reference has them: a unary node ends with its operand, a binary one spans both. */
static struct node *duration_node(struct parser *p, enum op op, struct node *lhs, struct node *rhs, uint32_t start)
{
    if (p->failed)
        return NULL;
    struct node *n = parser_node(p, NODE_DURATION, VALUE_NONE, lhs ? lhs->start : start, rhs->end);
    n->duration = (struct duration_node){.op = op, .lhs = lhs, .rhs = rhs};
    uint32_t left = lhs ? lhs->depth : 0;
    n->depth = (left > rhs->depth ? left : rhs->depth) + 1;
    return parser_check_depth(p, n);
}

static struct node *check_range(struct parser *p, struct node *n, uint32_t position)
{
    if (n && !promql_duration_in_range(n->number.value))
        parser_fail(p, position, "duration out of range");
    return p->failed ? NULL : n;
}

/* A number cannot carry parentheses, so a unary plus does. */
static struct node *wrap(struct parser *p, struct node *n, uint32_t start)
{
    if (!n)
        return NULL;
    if (n->kind != NODE_DURATION)
        n = duration_node(p, OP_ADD, NULL, n, start);
    if (n)
        n->duration.wrapped = true;
    return n;
}

static struct node *apply_sign(struct parser *p, const struct token *sign, struct node *n)
{
    if (!n)
        return NULL;
    if (n->kind == NODE_DURATION)
        return sign->kind == TOKEN_SUB ? duration_node(p, OP_SUB, NULL, n, sign->start) : n;
    if (sign->kind == TOKEN_SUB)
        n->number.value *= -1;
    if (!check_range(p, n, sign->start))
        return NULL;
    n->start = sign->start;
    return n;
}

/* step() or range() */
static struct node *duration_call(struct parser *p)
{
    struct token t = parser_take(p);
    if (!parser_expect(p, TOKEN_LEFT_PAREN) || !parser_expect(p, TOKEN_RIGHT_PAREN))
        return NULL;
    struct node *n = parser_node(p, NODE_DURATION, VALUE_NONE, t.start, p->next.start + 1);
    n->duration.op = t.kind == TOKEN_STEP ? OP_STEP : OP_RANGE;
    n->depth = 1;
    return n;
}

static struct node *parse(struct parser *p, int precedence);

/* min_of(a, b) or max_of(a, b) */
static struct node *duration_extreme(struct parser *p)
{
    struct token t = parser_take(p);
    parser_expect(p, TOKEN_LEFT_PAREN);
    struct node *lhs = parse(p, PRECEDENCE_ADD);
    parser_expect(p, TOKEN_COMMA);
    struct node *rhs = parse(p, PRECEDENCE_ADD);
    parser_expect(p, TOKEN_RIGHT_PAREN);
    return duration_node(p, t.kind == TOKEN_MIN_OF ? OP_MIN_OF : OP_MAX_OF, lhs, rhs, t.start);
}

static bool is_call(enum token_kind kind)
{
    return kind == TOKEN_STEP || kind == TOKEN_RANGE;
}

static bool is_extreme(enum token_kind kind)
{
    return kind == TOKEN_MIN_OF || kind == TOKEN_MAX_OF;
}

static bool is_number(enum token_kind kind)
{
    return kind == TOKEN_NUMBER || kind == TOKEN_DURATION;
}

static struct node *any_call(struct parser *p)
{
    return is_call(parser_peek(p)) ? duration_call(p) : duration_extreme(p);
}

static struct node *checked(struct parser *p, struct node *n)
{
    return n && check_feature(p, n) ? n : NULL;
}

static struct node *parenthesised(struct parser *p)
{
    uint32_t start = parser_take(p).start;
    struct node *n = parse(p, PRECEDENCE_ADD);
    parser_expect(p, TOKEN_RIGHT_PAREN);
    return wrap(p, checked(p, n), start);
}

static struct node *primary(struct parser *p)
{
    enum token_kind kind = parser_peek(p);
    if (is_number(kind)) {
        struct node *n = parser_number(p);
        return n ? check_range(p, n, n->start) : NULL;
    }
    if (is_call(kind) || is_extreme(kind))
        return checked(p, any_call(p));
    if (kind == TOKEN_LEFT_PAREN)
        return parenthesised(p);
    if (kind == TOKEN_ADD || kind == TOKEN_SUB) {
        struct token sign = parser_take(p);
        return apply_sign(p, &sign, parse(p, PRECEDENCE_POW));
    }
    parser_unexpected(p);
    return NULL;
}

static bool is_zero(const struct node *n)
{
    return n && n->kind == NODE_NUMBER && n->number.value == 0;
}

static struct node *operation(struct parser *p, enum op op, const struct token *t, struct node *lhs, struct node *rhs)
{
    if (!rhs || !checked(p, lhs))
        return NULL;
    if (is_zero(rhs) && op == OP_DIV)
        parser_fail(p, t->start, "division by zero");
    if (is_zero(rhs) && op == OP_MOD)
        parser_fail(p, t->start, "modulo by zero");
    return duration_node(p, op, lhs, rhs, 0);
}

/* Goes on behind `lhs` with operators that bind at least as tightly as `precedence`. */
static struct node *climb(struct parser *p, struct node *lhs, int precedence)
{
    while (lhs) {
        struct duration_operator o = operator_of(parser_peek(p));
        if (o.precedence < precedence)
            break;
        struct token t = parser_take(p);
        struct node *rhs = parse(p, o.op == OP_POW ? PRECEDENCE_POW : o.precedence + 1);
        lhs = operation(p, o.op, &t, lhs, rhs);
    }
    return p->failed ? NULL : lhs;
}

static struct node *parse(struct parser *p, int precedence)
{
    if (!parser_nest(p))
        return NULL;
    struct node *n = climb(p, primary(p), precedence);
    parser_unnest(p);
    return n;
}

struct node *parser_duration(struct parser *p)
{
    return parse(p, PRECEDENCE_ADD);
}

/* After offset and a sign. */
static struct node *signed_offset(struct parser *p, const struct token *sign)
{
    enum token_kind kind = parser_peek(p);
    if (is_number(kind))
        return apply_sign(p, sign, parser_number(p));
    if (is_call(kind) || is_extreme(kind)) {
        enum op op = sign->kind == TOKEN_SUB ? OP_SUB : OP_ADD;
        return checked(p, duration_node(p, op, NULL, any_call(p), sign->start));
    }
    if (kind == TOKEN_LEFT_PAREN) {
        parser_take(p);
        struct node *n = parse(p, PRECEDENCE_ADD);
        parser_expect(p, TOKEN_RIGHT_PAREN);
        return apply_sign(p, sign, wrap(p, n, n ? n->start : 0));
    }
    return climb(p, apply_sign(p, sign, parse(p, PRECEDENCE_POW)), PRECEDENCE_ADD);
}

struct node *parser_offset_duration(struct parser *p)
{
    enum token_kind kind = parser_peek(p);
    if (kind == TOKEN_LEFT_PAREN)
        return parse(p, PRECEDENCE_ADD);
    if (kind == TOKEN_ADD || kind == TOKEN_SUB) {
        struct token sign = parser_take(p);
        return signed_offset(p, &sign);
    }
    return primary(p);
}
