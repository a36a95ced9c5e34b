/* parser.c - tokens, error reports and the doors of the parser; the contract is in parser_internal.h. */
#include <stdarg.h>
#include <stdio.h>

#include "base/assert.h"
#include "promql/parser_internal.h"

enum { LENGTH_MAX_DEFAULT = 1 << 20, DEPTH_MAX_DEFAULT = 1000 };

/* ---- Errors ---- */

/* line:col of a byte offset, both from 1; columns are bytes. */
static void position_print(struct slice text, uint32_t position, struct buf *out)
{
    if (text.len == 0)
        return buf_str(out, "unknown position");
    uint32_t line = 1, line_start = 0;
    for (uint32_t i = 0; i < position && i < text.len; i++)
        if (text.data[i] == '\n') {
            line++;
            line_start = i + 1;
        }
    buf_printf(out, "%u:%u", line, position - line_start + 1);
}

void parser_fail_err(struct parser *p, enum err err, uint32_t position, const char *text)
{
    if (p->failed)
        return;
    p->failed = true;
    struct buf b = {0};
    position_print(p->lexer.input, position, &b);
    p->err = err_set(p->why, err, "%s: parse error: %s", buf_cstr(&b), text);
    buf_deinit(&b);
}

void parser_fail(struct parser *p, uint32_t position, const char *fmt, ...)
{
    if (p->failed)
        return;
    struct buf b = {0};
    va_list args;
    va_start(args, fmt);
    buf_vprintf(&b, fmt, args);
    va_end(args);
    parser_fail_err(p, ERR_INVALID, position, buf_cstr(&b));
    buf_deinit(&b);
}

void parser_unexpected(struct parser *p)
{
    if (p->failed)
        return;
    struct buf b = {0};
    buf_str(&b, "unexpected ");
    token_describe(&p->next, &b);
    if (p->context.place)
        buf_printf(&b, " in %s", p->context.place);
    if (p->context.expected)
        buf_printf(&b, ", expected %s", p->context.expected);
    parser_fail_err(p, ERR_INVALID, p->next.start, buf_cstr(&b));
    buf_deinit(&b);
}

void parser_enter(struct parser *p, struct parser_context *saved, const char *place, const char *expected)
{
    *saved = p->context;
    p->context = (struct parser_context){place, expected};
}

void parser_leave(struct parser *p, const struct parser_context *saved)
{
    p->context = *saved;
}

/* ---- Tokens ---- */

static void note_closing(struct parser *p)
{
    switch (p->next.kind) {
    case TOKEN_RIGHT_BRACE:
    case TOKEN_RIGHT_PAREN:
    case TOKEN_RIGHT_BRACKET:
    case TOKEN_DURATION:
    case TOKEN_NUMBER:
        p->last_closing = p->next.start + (uint32_t)p->next.text.len;
        break;
    default:
        break;
    }
}

enum token_kind parser_peek(struct parser *p)
{
    if (!p->failed && !p->peeked) {
        do
            lexer_next(&p->lexer, &p->next);
        while (p->next.kind == TOKEN_COMMENT);
        p->peeked = true;
        note_closing(p);
        if (p->next.kind == TOKEN_ERROR)
            parser_fail_err(p, ERR_INVALID, p->next.start, p->lexer.error.text);
    }
    return p->failed ? TOKEN_ERROR : p->next.kind;
}

struct token parser_take(struct parser *p)
{
    parser_peek(p);
    p->peeked = false;
    return p->next;
}

bool parser_accept(struct parser *p, enum token_kind kind)
{
    if (parser_peek(p) != kind)
        return false;
    parser_take(p);
    return true;
}

bool parser_expect(struct parser *p, enum token_kind kind)
{
    if (parser_accept(p, kind))
        return true;
    parser_unexpected(p);
    return false;
}

/* ---- Nodes ---- */

struct node *parser_node(struct parser *p, enum node_kind kind, enum value_type type, uint32_t start, uint32_t end)
{
    return node_new(p->arena, kind, type, start, end);
}

static void fail_too_deep(struct parser *p, uint32_t position)
{
    struct errmsg text;
    (void)err_set(&text, ERR_LIMIT, "expression is nested more than %u levels deep", p->depth_max);
    parser_fail_err(p, ERR_LIMIT, position, text.text);
}

struct node *parser_check_depth(struct parser *p, struct node *n)
{
    if (n->depth > p->depth_max)
        fail_too_deep(p, n->start);
    return p->failed ? NULL : n;
}

struct node *parser_close(struct parser *p, struct node *n)
{
    uint32_t deepest = 0;
    for (uint32_t i = 0; i < node_child_count(n); i++) {
        uint32_t depth = node_child(n, i)->depth;
        deepest = depth > deepest ? depth : deepest;
    }
    n->depth = deepest + 1;
    return parser_check_depth(p, n);
}

bool parser_nest(struct parser *p)
{
    if (p->nesting >= p->depth_max)
        fail_too_deep(p, p->next.start);
    p->nesting++;
    return !p->failed;
}

void parser_unnest(struct parser *p)
{
    p->nesting--;
}

/* ---- Doors ---- */

static void parser_init(struct parser *p, struct slice text, struct arena *arena, const struct parse_options *o,
                        struct errmsg *why)
{
    *p = (struct parser){.arena = arena, .features = o->features, .why = why};
    p->depth_max = o->depth_max ? o->depth_max : DEPTH_MAX_DEFAULT;
    lexer_init(&p->lexer, text);
}

static enum err check_length(struct slice text, uint32_t length_max, struct errmsg *why)
{
    if (length_max == 0)
        length_max = LENGTH_MAX_DEFAULT;
    if (text.len > length_max)
        return err_set(why, ERR_LIMIT, "expression has %zu bytes; the limit is %u", text.len, length_max);
    return ERR_OK;
}

static struct node *parse_whole(struct parser *p)
{
    if (parser_peek(p) == TOKEN_EOF) {
        parser_fail(p, 0, "no expression found in input");
        return NULL;
    }
    struct node *root = parser_expr(p);
    parser_expect(p, TOKEN_EOF);
    return !p->failed && parser_check(p, root) ? root : NULL;
}

enum err query_parse(struct slice text, const struct parse_options *o, struct query **out, struct errmsg *why)
{
    TRY(check_length(text, o->length_max, why));
    struct query *q = MEM_NEW(struct query);
    arena_init(&q->arena, o->budget);
    q->text = arena_copy(&q->arena, text);
    q->features = o->features;
    struct parser p;
    parser_init(&p, q->text, &q->arena, o, why);
    q->root = parse_whole(&p);
    q->depth_max = p.depth_max;
    if (p.failed) {
        promql_query_free(q);
        return p.err;
    }
    *out = q;
    return ERR_OK;
}

void promql_query_free(struct query *q)
{
    if (!q)
        return;
    arena_deinit(&q->arena);
    mem_free(q);
}

enum value_type promql_query_type(const struct query *q)
{
    return q->root->type;
}

enum err promql_parse_selector(struct slice text, struct arena *arena, struct matcher_set *out, struct errmsg *why)
{
    TRY(check_length(text, 0, why));
    struct parser p;
    struct parse_options o = {0};
    parser_init(&p, arena_copy(arena, text), arena, &o, why);
    struct node *n = parser_vector_selector(&p);
    parser_expect(&p, TOKEN_EOF);
    if (p.failed)
        return p.err;
    *out = (struct matcher_set){n->vector.matchers, n->vector.matcher_count};
    return ERR_OK;
}
