/*
 * parser_internal.h - what the files of the parser share.
 *
 * A recursive descent parser with the error reports of an LALR one.  Two rules make the texts agree:
 *   - the next token is read (parser_peek) only where the reference's tables need a look ahead, because
 *     an error of the lexer is reported when its token is read;
 *   - an unexpected token is reported in the innermost construct that has a text of its own
 *     (parser_enter/parser_leave), which is where the reference's error recovery ends up.
 * The first error wins.  From then on every token is TOKEN_ERROR and every node NULL.
 */
#ifndef PROMQL_PARSER_INTERNAL_H
#define PROMQL_PARSER_INTERNAL_H

#include "promql/ast.h"
#include "promql/lexer.h"
#include "promql/query_internal.h"

/* "unexpected x in <place>, expected <expected>"; both may be NULL. */
struct parser_context {
    const char *place, *expected;
};

struct parser {
    struct lexer lexer;
    struct arena *arena; /* borrowed */
    unsigned features;
    struct token next; /* valid while `peeked`; else the newest token that was taken */
    bool peeked;
    bool failed;
    enum err err;
    struct errmsg *why;
    struct parser_context context;
    uint32_t last_closing; /* end of the newest ) ] } or number that was read, also as look-ahead */
    uint32_t nesting, depth_max;
};

/* ---- Tokens and errors: parser.c ---- */

enum token_kind parser_peek(struct parser *p);
struct token parser_take(struct parser *p);
bool parser_accept(struct parser *p, enum token_kind kind); /* takes it if it comes next */
bool parser_expect(struct parser *p, enum token_kind kind); /* else unexpected */
void parser_unexpected(struct parser *p);                   /* the newest token, in the present context */
void parser_fail(struct parser *p, uint32_t position, const char *fmt, ...) PRINTF_LIKE(3, 4);
void parser_fail_err(struct parser *p, enum err err, uint32_t position, const char *text);

/* `saved` keeps the outer context. */
void parser_enter(struct parser *p, struct parser_context *saved, const char *place, const char *expected);
void parser_leave(struct parser *p, const struct parser_context *saved);

/* A node whose children are set afterwards; parser_close computes the depth and refuses past the bound. */
struct node *parser_node(struct parser *p, enum node_kind kind, enum value_type type, uint32_t start, uint32_t end);
struct node *parser_close(struct parser *p, struct node *n);
struct node *parser_check_depth(struct parser *p, struct node *n); /* NULL when too deep */
/* Around every recursion of the descent; false when too deep. */
bool parser_nest(struct parser *p);
void parser_unnest(struct parser *p);

/* ---- Literals: parser_literal.c ---- */

struct slice parser_unquote(struct parser *p, struct slice quoted);
struct node *parser_number(struct parser *p); /* takes NUMBER or DURATION */
/* "quoted" for messages, in the parser's arena. */
const char *parser_quote(struct parser *p, struct slice text);

/* ---- Durations in [ ] and after offset: parser_duration.c ---- */

struct node *parser_duration(struct parser *p);        /* any expression */
struct node *parser_offset_duration(struct parser *p); /* after offset, where operators may end it */

/* ---- Selectors, ranges, offset, @: parser_selector.c ---- */

bool parser_is_metric_name(enum token_kind kind);
struct node *parser_vector_selector(struct parser *p);
struct node *parser_vector_selector_named(struct parser *p, const struct token *name); /* name is taken already */
/* Everything that may follow an expression; returns it or what became of it. */
struct node *parser_suffixes(struct parser *p, struct node *n);

/* ---- Calls and aggregations: parser_call.c ---- */

struct node *parser_call(struct parser *p, struct token name); /* ( comes next */
bool parser_is_aggregate(enum token_kind kind);
struct node *parser_aggregate(struct parser *p, struct token op); /* (, by or without comes next */
bool parser_grouping(struct parser *p, struct name_list *out);    /* (a, b) */
bool parser_optional_grouping(struct parser *p, struct name_list *out);

/* ---- Expressions: parser_expr.c ---- */

struct node *parser_expr(struct parser *p);
bool parser_starts_expr(enum token_kind kind);

/* ---- check.c: types, as the last step ---- */

bool parser_check(struct parser *p, struct node *root);

#endif
