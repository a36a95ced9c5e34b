/*
 * lexer.h - PromQL text into tokens.
 *
 * Which tokens exist depends on where the text stands: inside { } keywords are plain names, inside
 * [ ] only numbers, durations and their operators may come.  Texts and positions of errors are those
 * of Prometheus.
 *
 *     lexer_init(&lexer, text);
 *     do lexer_next(&lexer, &token); while (token.kind != TOKEN_EOF && token.kind != TOKEN_ERROR);
 *
 * Ownership: borrows the text; tokens are slices of it.
 * Threads:   one at a time.
 */
#ifndef PROMQL_LEXER_H
#define PROMQL_LEXER_H

#include "base/buf.h"
#include "base/err.h"
#include "base/slice.h"

enum token_kind {
    TOKEN_EOF,
    TOKEN_ERROR, /* lexer.error has the text, token.start the position */
    TOKEN_COMMENT,
    TOKEN_IDENTIFIER,
    TOKEN_METRIC_IDENTIFIER, /* with a colon */
    TOKEN_STRING,
    TOKEN_NUMBER,
    TOKEN_DURATION,
    TOKEN_LEFT_PAREN,
    TOKEN_RIGHT_PAREN,
    TOKEN_LEFT_BRACE,
    TOKEN_RIGHT_BRACE,
    TOKEN_LEFT_BRACKET,
    TOKEN_RIGHT_BRACKET,
    TOKEN_COMMA,
    TOKEN_COLON,
    TOKEN_EQL, /* = */

    TOKEN_OPERATORS_START,
    TOKEN_ADD,
    TOKEN_SUB,
    TOKEN_MUL,
    TOKEN_DIV,
    TOKEN_MOD,
    TOKEN_POW,
    TOKEN_ATAN2,
    TOKEN_EQLC, /* == */
    TOKEN_NEQ,
    TOKEN_GTR,
    TOKEN_GTE,
    TOKEN_LSS,
    TOKEN_LTE,
    TOKEN_TRIM_UPPER,
    TOKEN_TRIM_LOWER,
    TOKEN_AND,
    TOKEN_OR,
    TOKEN_UNLESS,
    TOKEN_EQL_REGEX,
    TOKEN_NEQ_REGEX,
    TOKEN_AT,
    TOKEN_OPERATORS_END,

    TOKEN_AGGREGATORS_START,
    TOKEN_AVG,
    TOKEN_BOTTOMK,
    TOKEN_COUNT,
    TOKEN_COUNT_VALUES,
    TOKEN_GROUP,
    TOKEN_LIMITK,
    TOKEN_LIMIT_RATIO,
    TOKEN_MAX,
    TOKEN_MIN,
    TOKEN_QUANTILE,
    TOKEN_STDDEV,
    TOKEN_STDVAR,
    TOKEN_SUM,
    TOKEN_TOPK,
    TOKEN_AGGREGATORS_END,

    TOKEN_KEYWORDS_START,
    TOKEN_BOOL,
    TOKEN_BY,
    TOKEN_GROUP_LEFT,
    TOKEN_GROUP_RIGHT,
    TOKEN_FILL,
    TOKEN_FILL_LEFT,
    TOKEN_FILL_RIGHT,
    TOKEN_IGNORING,
    TOKEN_OFFSET,
    TOKEN_SMOOTHED,
    TOKEN_ANCHORED,
    TOKEN_ON,
    TOKEN_WITHOUT,
    TOKEN_KEYWORDS_END,

    TOKEN_START,
    TOKEN_END,
    TOKEN_STEP,
    TOKEN_RANGE,
    TOKEN_MAX_OF,
    TOKEN_MIN_OF,
};

struct token {
    enum token_kind kind;
    uint32_t start;    /* byte offset */
    struct slice text; /* as written */
};

enum lexer_state { LEXER_STATEMENTS, LEXER_DURATION, LEXER_DONE };

struct lexer {
    struct slice input;
    uint32_t pos, start; /* next byte; first byte of the token being read */
    uint32_t width;      /* bytes of the last rune; 0 at the end */
    uint32_t last_start; /* of the newest token handed out */
    enum lexer_state state;
    int32_t paren_depth;
    bool brace_open, bracket_open, got_colon, got_duration;
    struct token *token; /* where the token goes */
    bool emitted;
    struct errmsg error;
};

void lexer_init(struct lexer *l, struct slice input); /* at most UINT32_MAX - 1 bytes */
void lexer_next(struct lexer *l, struct token *out);

/* How an error names a token: `identifier "x"`, `<op:+>`, `end of input` ... */
void token_describe(const struct token *t, struct buf *out);

#endif
