/* parser_selector.c - name{matchers}, and what may follow an expression: [range], [range:step], offset, @. */
#include <math.h>

#include "base/assert.h"
#include "numeric/goformat.h"
#include "numeric/gomath.h"
#include "promql/durations.h"
#include "promql/parser_internal.h"
#include "regex/regex.h"

static const char IN_LABEL_MATCHING[] = "label matching";
static const char DURATION_EXPECTED[] = "number, duration, step(), or range()";

/* ---- Matchers ---- */

struct matcher_list {
    struct matcher *list;
    size_t count, capacity;
};

static void matcher_add(struct parser *p, struct matcher_list *l, struct matcher m)
{
    if (l->count == l->capacity) {
        size_t capacity = l->capacity ? l->capacity * 2 : 4;
        struct matcher *list = ARENA_ARRAY(p->arena, struct matcher, capacity);
        if (l->count)
            memcpy(list, l->list, l->count * sizeof *list);
        l->list = list;
        l->capacity = capacity;
    }
    l->list[l->count++] = m;
}

static bool match_op_of(enum token_kind kind, enum match_op *op)
{
    switch (kind) {
    case TOKEN_EQL:
        *op = MATCH_EQUAL;
        return true;
    case TOKEN_NEQ:
        *op = MATCH_NOT_EQUAL;
        return true;
    case TOKEN_EQL_REGEX:
        *op = MATCH_REGEX;
        return true;
    case TOKEN_NEQ_REGEX:
        *op = MATCH_NOT_REGEX;
        return true;
    default:
        return false;
    }
}

static void compile(struct parser *p, struct matcher *m, uint32_t position)
{
    if (m->op != MATCH_REGEX && m->op != MATCH_NOT_REGEX)
        return;
    struct errmsg why;
    enum err err = regex_compile(m->value, p->arena, 0, &m->regex, &why);
    if (err != ERR_OK)
        parser_fail_err(p, err, position, why.text);
}

/* After the name: operator and value.  A quoted name may stand alone, it names the metric. */
static void parse_match(struct parser *p, struct matcher *m, uint32_t position, bool may_stand_alone)
{
    struct parser_context saved;
    if (!match_op_of(parser_peek(p), &m->op)) {
        if (may_stand_alone) {
            *m = (struct matcher){MATCH_EQUAL, SLICE_LIT(METRIC_NAME), m->name, NULL};
            return;
        }
        parser_enter(p, &saved, IN_LABEL_MATCHING, "label matching operator");
        return parser_unexpected(p);
    }
    parser_take(p);
    parser_enter(p, &saved, IN_LABEL_MATCHING, "string");
    if (!parser_expect(p, TOKEN_STRING))
        return;
    parser_leave(p, &saved);
    m->value = parser_unquote(p, p->next.text);
    compile(p, m, position);
}

static void parse_matcher(struct parser *p, struct matcher_list *l)
{
    struct matcher m = {0};
    bool quoted = parser_peek(p) == TOKEN_STRING;
    if (!quoted && parser_peek(p) != TOKEN_IDENTIFIER)
        return parser_unexpected(p);
    struct token name = parser_take(p);
    m.name = quoted ? parser_unquote(p, name.text) : name.text;
    parse_match(p, &m, name.start, quoted);
    matcher_add(p, l, m);
}

/* { has been seen; takes it all up to }. */
static void parse_matchers(struct parser *p, struct matcher_list *l)
{
    struct parser_context saved;
    parser_take(p);
    for (;;) {
        parser_enter(p, &saved, IN_LABEL_MATCHING, "identifier or \"}\"");
        if (parser_accept(p, TOKEN_RIGHT_BRACE))
            break;
        parse_matcher(p, l);
        if (p->failed)
            return;
        p->context.expected = "\",\" or \"}\"";
        if (parser_accept(p, TOKEN_RIGHT_BRACE))
            break;
        if (!parser_expect(p, TOKEN_COMMA))
            return;
        parser_leave(p, &saved);
    }
    parser_leave(p, &saved);
}

bool parser_is_metric_name(enum token_kind kind)
{
    if (parser_is_aggregate(kind))
        return true;
    switch (kind) {
    case TOKEN_IDENTIFIER:
    case TOKEN_METRIC_IDENTIFIER:
    case TOKEN_BY:
    case TOKEN_WITHOUT:
    case TOKEN_OFFSET:
    case TOKEN_FILL:
    case TOKEN_FILL_LEFT:
    case TOKEN_FILL_RIGHT:
    case TOKEN_ANCHORED:
    case TOKEN_SMOOTHED:
    case TOKEN_AND:
    case TOKEN_OR:
    case TOKEN_UNLESS:
    case TOKEN_START:
    case TOKEN_END:
    case TOKEN_STEP:
    case TOKEN_RANGE:
    case TOKEN_MAX_OF:
    case TOKEN_MIN_OF:
        return true;
    default:
        return false;
    }
}

/* An empty token: there is no name. */
struct node *parser_vector_selector_named(struct parser *p, const struct token *name)
{
    struct matcher_list l = {0};
    struct node *n =
        parser_node(p, NODE_VECTOR_SELECTOR, VALUE_VECTOR, name->start, name->start + (uint32_t)name->text.len);
    if (parser_peek(p) == TOKEN_LEFT_BRACE) {
        if (name->text.len == 0)
            n->start = p->next.start;
        parse_matchers(p, &l);
        n->end = p->next.start + 1;
    }
    n->vector.name = name->text;
    if (name->text.len)
        matcher_add(p, &l, (struct matcher){MATCH_EQUAL, SLICE_LIT(METRIC_NAME), name->text, NULL});
    n->vector.matchers = l.list;
    n->vector.matcher_count = (uint32_t)l.count;
    return parser_close(p, n);
}

struct node *parser_vector_selector(struct parser *p)
{
    struct token name = {0};
    if (parser_is_metric_name(parser_peek(p))) {
        name = parser_take(p);
    } else if (parser_peek(p) != TOKEN_LEFT_BRACE) {
        parser_unexpected(p);
        return NULL;
    }
    return parser_vector_selector_named(p, &name);
}

/* ---- offset, @, anchored, smoothed ---- */

/* Where offset and @ of a selector, range or subquery are kept; NULL after an error. */
static struct modifiers *modifiers_of(struct parser *p, struct node *n, const char *what)
{
    switch (n->kind) {
    case NODE_VECTOR_SELECTOR:
        return &n->vector.mod;
    case NODE_SUBQUERY:
        return &n->subquery.mod;
    case NODE_MATRIX_SELECTOR:
        return &n->matrix.selector->vector.mod;
    default:
        parser_fail(p, n->start,
                    "%s modifier must be preceded by an instant vector selector or range vector selector or a subquery",
                    what);
        return NULL;
    }
}

static struct node *parse_offset(struct parser *p, struct node *n)
{
    struct parser_context saved;
    parser_take(p);
    parser_enter(p, &saved, "offset", DURATION_EXPECTED);
    struct node *d = parser_offset_duration(p);
    parser_leave(p, &saved);
    if (!d)
        return NULL;
    struct modifiers *mod = modifiers_of(p, n, "offset");
    if (!mod)
        return NULL;
    if (mod->offset_ns != 0 || mod->offset_expr)
        parser_fail(p, n->start, "offset may not be set multiple times");
    if (d->kind == NODE_DURATION)
        mod->offset_expr = d;
    else
        mod->offset_ns = promql_duration_from_seconds(d->number.value);
    n->end = p->last_closing;
    return p->failed ? NULL : n;
}

static struct modifiers *at_modifiers(struct parser *p, struct node *n)
{
    struct modifiers *mod = modifiers_of(p, n, "@");
    if (mod && mod->at != AT_NONE)
        parser_fail(p, n->start, "@ <timestamp> may not be set multiple times");
    return p->failed ? NULL : mod;
}

static void fail_timestamp(struct parser *p, const struct node *n, double seconds)
{
    struct buf b = {0};
    goformat_append(&b, seconds, 'f', 6);
    parser_fail(p, n->start, "timestamp out of bounds for @ modifier: %s", buf_cstr(&b));
    buf_deinit(&b);
}

static void parse_at_time(struct parser *p, struct node *n)
{
    bool negative = parser_accept(p, TOKEN_SUB);
    if (!negative)
        parser_accept(p, TOKEN_ADD);
    struct node *number = parser_number(p);
    if (!number)
        return;
    double seconds = negative ? -number->number.value : number->number.value;
    if (!(seconds < 9223372036854775808.0 && seconds > -9223372036854775808.0))
        return fail_timestamp(p, n, seconds);
    struct modifiers *mod = at_modifiers(p, n);
    if (mod) {
        mod->at = AT_TIME;
        mod->at_ms = gomath_int64(round(seconds * 1000));
    }
}

static struct node *parse_at(struct parser *p, struct node *n)
{
    struct parser_context saved;
    parser_take(p);
    parser_enter(p, &saved, "@", "timestamp");
    enum token_kind kind = parser_peek(p);
    if (kind == TOKEN_START || kind == TOKEN_END) {
        parser_take(p);
        parser_expect(p, TOKEN_LEFT_PAREN);
        parser_expect(p, TOKEN_RIGHT_PAREN);
        struct modifiers *mod = p->failed ? NULL : at_modifiers(p, n);
        if (mod)
            mod->at = kind == TOKEN_START ? AT_START : AT_END;
    } else {
        parse_at_time(p, n);
    }
    parser_leave(p, &saved);
    n->end = p->last_closing;
    return p->failed ? NULL : n;
}

static struct node *parse_extended(struct parser *p, struct node *n)
{
    bool anchored = parser_take(p).kind == TOKEN_ANCHORED;
    const char *word = anchored ? "anchored" : "smoothed";
    if (!(p->features & PROMQL_EXTENDED_RANGE_SELECTORS)) {
        parser_fail(p, n->start, "%s modifier is experimental and not enabled", word);
        return NULL;
    }
    struct node *selector = n->kind == NODE_MATRIX_SELECTOR ? n->matrix.selector : n;
    if (n->kind == NODE_SUBQUERY)
        parser_fail(p, n->start, "%s modifier is not supported for subqueries", word);
    else if (selector->kind != NODE_VECTOR_SELECTOR)
        parser_fail(p, n->start, "%s modifier not implemented", word);
    if (p->failed)
        return NULL;
    *(anchored ? &selector->vector.anchored : &selector->vector.smoothed) = true;
    if (selector->vector.anchored && selector->vector.smoothed)
        parser_fail(p, n->start, "anchored and smoothed modifiers cannot be used together");
    return p->failed ? NULL : n;
}

/* ---- [range] and [range:step] ---- */

static struct node *positive_duration(struct parser *p)
{
    struct node *d = parser_duration(p);
    if (d && d->kind == NODE_NUMBER && d->number.value <= 0)
        parser_fail(p, d->start, "duration must be greater than 0");
    return p->failed ? NULL : d;
}

static void set_duration(struct node *d, int64_t *ns, struct node **expr)
{
    if (d->kind == NODE_DURATION)
        *expr = d;
    else
        *ns = promql_duration_from_seconds(d->number.value);
}

static struct node *range_node(struct parser *p, struct node *n, struct node *range, uint32_t bracket)
{
    const char *fault = NULL;
    if (n->kind != NODE_VECTOR_SELECTOR)
        fault = "ranges only allowed for vector selectors";
    else if (n->vector.mod.offset_ns != 0 || n->vector.mod.offset_expr)
        fault = "no offset modifiers allowed before range";
    else if (n->vector.mod.at != AT_NONE)
        fault = "no @ modifiers allowed before range";
    if (fault) {
        parser_fail(p, bracket, "%s", fault);
        return NULL;
    }
    struct node *matrix = parser_node(p, NODE_MATRIX_SELECTOR, VALUE_MATRIX, n->start, p->last_closing);
    matrix->matrix.selector = n;
    set_duration(range, &matrix->matrix.range_ns, &matrix->matrix.range_expr);
    return parser_close(p, matrix);
}

/* After the colon. */
static struct node *subquery_node(struct parser *p, struct node *n, struct node *range)
{
    struct node *step = NULL;
    if (parser_peek(p) != TOKEN_RIGHT_BRACKET) {
        step = positive_duration(p);
        p->context.expected = "\"]\"";
    }
    if (!parser_expect(p, TOKEN_RIGHT_BRACKET))
        return NULL;
    struct node *subquery = parser_node(p, NODE_SUBQUERY, VALUE_MATRIX, n->start, p->next.start + 1);
    subquery->subquery.expr = n;
    set_duration(range, &subquery->subquery.range_ns, &subquery->subquery.range_expr);
    if (step)
        set_duration(step, &subquery->subquery.step_ns, &subquery->subquery.step_expr);
    return parser_close(p, subquery);
}

static struct node *parse_bracket(struct parser *p, struct node *n)
{
    struct parser_context saved;
    uint32_t bracket = parser_take(p).start;
    parser_enter(p, &saved, "subquery or range selector", DURATION_EXPECTED);
    struct node *result = NULL, *range = positive_duration(p);
    p->context = (struct parser_context){"subquery or range", "\":\" or \"]\""};
    if (!range) {
        ; /* reported */
    } else if (parser_accept(p, TOKEN_RIGHT_BRACKET)) {
        result = range_node(p, n, range, bracket);
    } else if (parser_expect(p, TOKEN_COLON)) {
        p->context = (struct parser_context){"subquery selector", "number, duration, step(), range(), or \"]\""};
        result = subquery_node(p, n, range);
    }
    parser_leave(p, &saved);
    return result;
}

struct node *parser_suffixes(struct parser *p, struct node *n)
{
    while (n) {
        switch (parser_peek(p)) {
        case TOKEN_LEFT_BRACKET:
            n = parse_bracket(p, n);
            break;
        case TOKEN_OFFSET:
            n = parse_offset(p, n);
            break;
        case TOKEN_AT:
            n = parse_at(p, n);
            break;
        case TOKEN_ANCHORED:
        case TOKEN_SMOOTHED:
            n = parse_extended(p, n);
            break;
        default:
            return n;
        }
    }
    return NULL;
}
