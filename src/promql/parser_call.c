/* parser_call.c - function calls, aggregations and lists of labels. */
#include "base/assert.h"
#include "model/label.h"
#include "promql/parser_internal.h"

/* ---- Lists of labels ---- */

/* Keywords that may be label names in by(...), on(...) and their kin: all but "without", "inf" and "nan". */
static bool is_label(enum token_kind kind)
{
    if (kind == TOKEN_IDENTIFIER || kind == TOKEN_METRIC_IDENTIFIER || parser_is_aggregate(kind))
        return true;
    if (kind > TOKEN_KEYWORDS_START && kind < TOKEN_KEYWORDS_END)
        return kind != TOKEN_WITHOUT;
    if (kind == TOKEN_AND || kind == TOKEN_OR || kind == TOKEN_UNLESS || kind == TOKEN_ATAN2)
        return true;
    return kind >= TOKEN_START && kind <= TOKEN_MIN_OF;
}

struct label_names {
    struct slice *list;
    size_t count, capacity;
};

static void name_add(struct parser *p, struct label_names *l, struct slice name)
{
    if (l->count == l->capacity) {
        size_t capacity = l->capacity ? l->capacity * 2 : 4;
        struct slice *list = ARENA_ARRAY(p->arena, struct slice, capacity);
        if (l->count)
            memcpy(list, l->list, l->count * sizeof *list);
        l->list = list;
        l->capacity = capacity;
    }
    l->list[l->count++] = name;
}

static bool parse_label(struct parser *p, struct label_names *l)
{
    bool quoted = parser_peek(p) == TOKEN_STRING;
    if (!quoted && !is_label(parser_peek(p))) {
        parser_unexpected(p);
        return false;
    }
    struct token t = parser_take(p);
    struct slice name = quoted ? parser_unquote(p, t.text) : t.text;
    if (name.len == 0 || !utf8_valid(name))
        parser_fail(p, t.start, "invalid label name for grouping: %s", parser_quote(p, name));
    name_add(p, l, name);
    return !p->failed;
}

/* ( has been taken. */
static bool parse_labels(struct parser *p, struct label_names *l)
{
    for (;;) {
        p->context.expected = "label";
        if (parser_accept(p, TOKEN_RIGHT_PAREN))
            return true;
        if (!parse_label(p, l))
            return false;
        p->context.expected = "\",\" or \")\"";
        if (parser_accept(p, TOKEN_RIGHT_PAREN))
            return true;
        if (!parser_expect(p, TOKEN_COMMA))
            return false;
    }
}

bool parser_grouping(struct parser *p, struct name_list *out)
{
    struct parser_context saved;
    struct label_names l = {0};
    parser_enter(p, &saved, "grouping opts", "\"(\"");
    bool ok = parser_expect(p, TOKEN_LEFT_PAREN) && parse_labels(p, &l);
    parser_leave(p, &saved);
    *out = (struct name_list){(uint32_t)l.count, l.list};
    return ok;
}

/* After group_left and group_right.  What follows instead of ( must be able to start an operand. */
bool parser_optional_grouping(struct parser *p, struct name_list *out)
{
    enum token_kind kind = parser_peek(p);
    *out = (struct name_list){0};
    if (kind != TOKEN_LEFT_PAREN && parser_starts_expr(kind))
        return true;
    return parser_grouping(p, out);
}

/* ---- Arguments ---- */

struct arguments {
    struct node **list;
    size_t count, capacity;
};

static void argument_add(struct parser *p, struct arguments *a, struct node *n)
{
    if (a->count == a->capacity) {
        size_t capacity = a->capacity ? a->capacity * 2 : 4;
        struct node **list = ARENA_ARRAY(p->arena, struct node *, capacity);
        if (a->count)
            memcpy(list, a->list, a->count * sizeof(struct node *));
        a->list = list;
        a->capacity = capacity;
    }
    a->list[a->count++] = n;
}

static bool parse_arguments(struct parser *p, struct arguments *a)
{
    if (!parser_expect(p, TOKEN_LEFT_PAREN))
        return false;
    if (parser_accept(p, TOKEN_RIGHT_PAREN))
        return true;
    for (;;) {
        struct node *n = parser_expr(p);
        if (!n)
            return false;
        argument_add(p, a, n);
        if (parser_peek(p) != TOKEN_COMMA)
            return parser_expect(p, TOKEN_RIGHT_PAREN);
        uint32_t comma = parser_take(p).start;
        if (!parser_starts_expr(parser_peek(p))) {
            parser_fail(p, comma, "trailing commas not allowed in function call args");
            return false;
        }
    }
}

/* ---- Calls ---- */

struct node *parser_call(struct parser *p, struct token name)
{
    struct arguments a = {0};
    if (!parse_arguments(p, &a))
        return NULL;
    const struct function *f = function_find(name.text);
    if (!f)
        parser_fail(p, name.start, "unknown function with name %s", parser_quote(p, name.text));
    else if (f->experimental && !(p->features & PROMQL_EXPERIMENTAL_FUNCTIONS))
        parser_fail(p, name.start, "function %s is not enabled", parser_quote(p, name.text));
    if (p->failed)
        return NULL;
    struct node *n = parser_node(p, NODE_CALL, f->result, name.start, p->last_closing);
    n->call = (struct call_node){f, (uint32_t)a.count, a.list};
    return parser_close(p, n);
}

/* ---- Aggregations ---- */

_Static_assert(TOKEN_TOPK - TOKEN_AVG == (int)AGGREGATE_TOPK - (int)AGGREGATE_AVG, "tokens and operators in one order");

bool parser_is_aggregate(enum token_kind kind)
{
    return kind > TOKEN_AGGREGATORS_START && kind < TOKEN_AGGREGATORS_END;
}

static bool parse_modifier(struct parser *p, struct aggregate_node *a)
{
    a->without = parser_take(p).kind == TOKEN_WITHOUT;
    return parser_grouping(p, &a->grouping);
}

static bool at_modifier(struct parser *p)
{
    return parser_peek(p) == TOKEN_BY || parser_peek(p) == TOKEN_WITHOUT;
}

static bool parse_aggregate_body(struct parser *p, struct node *n, struct arguments *a)
{
    if (at_modifier(p)) {
        if (!parse_modifier(p, &n->aggregate) || !parse_arguments(p, a))
            return false;
        n->end = p->last_closing;
        return true;
    }
    if (!parse_arguments(p, a))
        return false;
    n->end = p->last_closing;
    if (!at_modifier(p))
        return !p->failed;
    bool ok = parse_modifier(p, &n->aggregate);
    n->end = p->last_closing;
    return ok;
}

static void set_arguments(struct parser *p, struct node *n, const struct arguments *a)
{
    struct aggregate_node *g = &n->aggregate;
    bool has_param = aggregate_op_has_param(g->op);
    size_t wanted = has_param ? 2 : 1;
    if (a->count == 0)
        return parser_fail(p, n->start, "no arguments for aggregate expression provided");
    if (aggregate_op_is_experimental(g->op) && !(p->features & PROMQL_EXPERIMENTAL_FUNCTIONS))
        return parser_fail(p, n->start,
                           "%s() is experimental and must be enabled with "
                           "--enable-feature=promql-experimental-functions",
                           aggregate_op_text(g->op));
    if (a->count != wanted)
        return parser_fail(p, n->start,
                           "wrong number of arguments for aggregate expression provided, expected %zu, got %zu", wanted,
                           a->count);
    g->param = has_param ? a->list[0] : NULL;
    g->expr = a->list[wanted - 1];
}

struct node *parser_aggregate(struct parser *p, struct token op)
{
    struct parser_context saved;
    struct arguments a = {0};
    struct node *n = parser_node(p, NODE_AGGREGATE, VALUE_VECTOR, op.start, 0);
    n->aggregate.op = (enum aggregate_op)(op.kind - TOKEN_AVG);
    parser_enter(p, &saved, "aggregation", NULL);
    bool ok = parse_aggregate_body(p, n, &a);
    parser_leave(p, &saved);
    if (!ok)
        return NULL;
    set_arguments(p, n, &a);
    return p->failed ? NULL : parser_close(p, n);
}
