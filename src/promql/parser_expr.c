/* parser_expr.c - operands and operators, by precedence climbing. */
#include "base/assert.h"
#include "promql/parser_internal.h"

/* What binds loosest comes first; a sign binds like PRECEDENCE_MUL. */
enum { PRECEDENCE_OR = 1, PRECEDENCE_AND, PRECEDENCE_COMPARE, PRECEDENCE_ADD, PRECEDENCE_MUL, PRECEDENCE_POW };

struct binary_operator {
    enum op op;
    int precedence; /* 0: not an operator */
};

_Static_assert(TOKEN_UNLESS - TOKEN_ADD == (int)OP_UNLESS - (int)OP_ADD, "tokens and operators in one order");

static struct binary_operator operator_of(enum token_kind kind)
{
    static const uint8_t precedence[] = {
        [OP_ADD] = PRECEDENCE_ADD,
        [OP_SUB] = PRECEDENCE_ADD,
        [OP_MUL] = PRECEDENCE_MUL,
        [OP_DIV] = PRECEDENCE_MUL,
        [OP_MOD] = PRECEDENCE_MUL,
        [OP_ATAN2] = PRECEDENCE_MUL,
        [OP_POW] = PRECEDENCE_POW,
        [OP_EQL] = PRECEDENCE_COMPARE,
        [OP_NEQ] = PRECEDENCE_COMPARE,
        [OP_GTR] = PRECEDENCE_COMPARE,
        [OP_GTE] = PRECEDENCE_COMPARE,
        [OP_LSS] = PRECEDENCE_COMPARE,
        [OP_LTE] = PRECEDENCE_COMPARE,
        [OP_TRIM_UPPER] = PRECEDENCE_COMPARE,
        [OP_TRIM_LOWER] = PRECEDENCE_COMPARE,
        [OP_AND] = PRECEDENCE_AND,
        [OP_UNLESS] = PRECEDENCE_AND,
        [OP_OR] = PRECEDENCE_OR,
    };
    if (kind < TOKEN_ADD || kind > TOKEN_UNLESS)
        return (struct binary_operator){OP_ADD, 0};
    enum op op = (enum op)(kind - TOKEN_ADD);
    return (struct binary_operator){op, precedence[op]};
}

bool parser_starts_expr(enum token_kind kind)
{
    switch (kind) {
    case TOKEN_ADD:
    case TOKEN_SUB:
    case TOKEN_LEFT_PAREN:
    case TOKEN_LEFT_BRACE:
    case TOKEN_NUMBER:
    case TOKEN_DURATION:
    case TOKEN_STRING:
        return true;
    default:
        return parser_is_metric_name(kind);
    }
}

/* ---- Operands ---- */

static struct node *parse_paren(struct parser *p)
{
    uint32_t start = parser_take(p).start;
    struct node *inner = parser_expr(p);
    if (!inner || !parser_expect(p, TOKEN_RIGHT_PAREN))
        return NULL;
    struct node *n = parser_node(p, NODE_PAREN, inner->type, start, p->next.start + 1);
    n->paren.expr = inner;
    return parser_close(p, n);
}

static struct node *parse_string(struct parser *p)
{
    struct token t = parser_take(p);
    struct node *n = parser_node(p, NODE_STRING, VALUE_STRING, t.start, t.start + (uint32_t)t.text.len);
    n->string.value = parser_unquote(p, t.text);
    return parser_close(p, n);
}

/* A word: function, aggregation or metric, depending on what comes next. */
static struct node *parse_word(struct parser *p)
{
    struct token word = parser_take(p);
    enum token_kind next = parser_peek(p);
    if (parser_is_aggregate(word.kind)) {
        if (next == TOKEN_LEFT_PAREN || next == TOKEN_BY || next == TOKEN_WITHOUT)
            return parser_aggregate(p, word);
    } else if (next == TOKEN_LEFT_PAREN && (word.kind == TOKEN_IDENTIFIER || word.kind >= TOKEN_START)) {
        return parser_call(p, word);
    }
    return parser_vector_selector_named(p, &word);
}

static struct node *parse_operand(struct parser *p)
{
    switch (parser_peek(p)) {
    case TOKEN_LEFT_PAREN:
        return parse_paren(p);
    case TOKEN_STRING:
        return parse_string(p);
    case TOKEN_NUMBER:
    case TOKEN_DURATION:
        return parser_number(p);
    case TOKEN_LEFT_BRACE:
        return parser_vector_selector(p);
    default:
        if (parser_is_metric_name(parser_peek(p)))
            return parse_word(p);
        parser_unexpected(p);
        return NULL;
    }
}

static struct node *parse_binary(struct parser *p, int precedence);

/* A signed number is a number. */
static struct node *parse_sign(struct parser *p)
{
    struct token sign = parser_take(p);
    struct node *operand = parse_binary(p, PRECEDENCE_POW);
    if (!operand)
        return NULL;
    if (operand->kind == NODE_NUMBER) {
        if (sign.kind == TOKEN_SUB)
            operand->number.value *= -1;
        operand->start = sign.start;
        return operand;
    }
    struct node *n = parser_node(p, NODE_UNARY, operand->type, sign.start, operand->end);
    n->unary = (struct unary_node){sign.kind == TOKEN_SUB ? OP_SUB : OP_ADD, operand};
    return parser_close(p, n);
}

static struct node *parse_unary(struct parser *p)
{
    if (parser_peek(p) == TOKEN_ADD || parser_peek(p) == TOKEN_SUB)
        return parse_sign(p);
    return parser_suffixes(p, parse_operand(p));
}

/* ---- Operators ---- */

static bool parse_matching(struct parser *p, struct matching *m)
{
    enum token_kind kind = parser_peek(p);
    if (kind != TOKEN_ON && kind != TOKEN_IGNORING)
        return true;
    parser_take(p);
    m->on = kind == TOKEN_ON;
    if (!parser_grouping(p, &m->labels))
        return false;
    kind = parser_peek(p);
    if (kind != TOKEN_GROUP_LEFT && kind != TOKEN_GROUP_RIGHT)
        return true;
    parser_take(p);
    m->card = kind == TOKEN_GROUP_LEFT ? CARD_MANY_TO_ONE : CARD_ONE_TO_MANY;
    return parser_optional_grouping(p, &m->include);
}

/* (1) or (-1), after fill and its kin */
static bool parse_fill_value(struct parser *p, double *value)
{
    parser_take(p);
    if (!parser_expect(p, TOKEN_LEFT_PAREN))
        return false;
    bool negative = parser_accept(p, TOKEN_SUB);
    if (!negative)
        parser_accept(p, TOKEN_ADD);
    struct node *number = parser_number(p);
    if (!number || !parser_expect(p, TOKEN_RIGHT_PAREN))
        return false;
    *value = negative ? -number->number.value : number->number.value;
    return true;
}

static bool is_fill_side(enum token_kind kind)
{
    return kind == TOKEN_FILL_LEFT || kind == TOKEN_FILL_RIGHT;
}

static bool parse_fill_side(struct parser *p, struct matching *m)
{
    if (parser_peek(p) == TOKEN_FILL_LEFT) {
        m->fill_left = true;
        return parse_fill_value(p, &m->fill_left_value);
    }
    m->fill_right = true;
    return parse_fill_value(p, &m->fill_right_value);
}

/* fill(v), or fill_left(v) and fill_right(v), one or both, in any order */
static bool parse_fill(struct parser *p, struct matching *m)
{
    enum token_kind kind = parser_peek(p);
    if (kind == TOKEN_FILL) {
        m->fill_left = m->fill_right = true;
        bool ok = parse_fill_value(p, &m->fill_left_value);
        m->fill_right_value = m->fill_left_value;
        return ok;
    }
    if (!is_fill_side(kind))
        return true;
    if (!parse_fill_side(p, m))
        return false;
    return !is_fill_side(parser_peek(p)) || parser_peek(p) == kind || parse_fill_side(p, m);
}

static struct node *parse_operation(struct parser *p, struct node *lhs, struct binary_operator o)
{
    struct matching m = {0};
    parser_take(p);
    bool return_bool = parser_accept(p, TOKEN_BOOL);
    if (!parse_matching(p, &m) || !parse_fill(p, &m))
        return NULL;
    struct node *rhs = parse_binary(p, o.op == OP_POW ? PRECEDENCE_POW : o.precedence + 1);
    if (!rhs)
        return NULL;
    if ((m.fill_left || m.fill_right) && !(p->features & PROMQL_BINOP_FILL_MODIFIERS))
        parser_fail(p, lhs->start, "binop fill modifiers are experimental and not enabled");
    bool scalars = lhs->type == VALUE_SCALAR && rhs->type == VALUE_SCALAR;
    struct node *n = parser_node(p, NODE_BINARY, scalars ? VALUE_SCALAR : VALUE_VECTOR, lhs->start, rhs->end);
    n->binary = (struct binary_node){.op = o.op, .return_bool = return_bool, .lhs = lhs, .rhs = rhs};
    n->binary.matching = ARENA_NEW(p->arena, struct matching);
    *n->binary.matching = m;
    return parser_close(p, n);
}

/* An operand and all operators behind it that bind at least as tightly as `precedence`. */
static struct node *parse_binary(struct parser *p, int precedence)
{
    if (!parser_nest(p))
        return NULL;
    struct node *lhs = parse_unary(p);
    while (lhs) {
        struct binary_operator o = operator_of(parser_peek(p));
        if (o.precedence < precedence)
            break;
        lhs = parse_operation(p, lhs, o);
    }
    parser_unnest(p);
    return p->failed ? NULL : lhs;
}

struct node *parser_expr(struct parser *p)
{
    return parse_binary(p, PRECEDENCE_OR);
}
