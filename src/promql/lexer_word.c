/* lexer_word.c - tokens of more than two characters: comments, strings, numbers, durations, words. */
#include "promql/lexer_internal.h"

void lexer_comment(struct lexer *l)
{
    int32_t r;
    do
        r = lexer_read(l);
    while (r != '\n' && r != '\r' && r != RUNE_EOF);
    lexer_unread(l);
    lexer_emit(l, TOKEN_COMMENT);
}

/* ---- Strings ---- */

static uint32_t digit_value(int32_t r)
{
    if (lexer_is_digit(r))
        return (uint32_t)(r - '0');
    if (r >= 'a' && r <= 'f')
        return (uint32_t)(r - 'a' + 10);
    if (r >= 'A' && r <= 'F')
        return (uint32_t)(r - 'A' + 10);
    return 16;
}

static bool lex_escape_digits(struct lexer *l, int32_t r, unsigned count, uint32_t base, uint32_t max)
{
    uint32_t x = 0;
    for (; count > 0; count--) {
        uint32_t d = digit_value(r);
        if (d >= base) {
            if (r == RUNE_EOF)
                lexer_fail(l, "escape sequence not terminated");
            else
                lexer_fail_unicode(l, "illegal character ", r, " in escape sequence");
            return false;
        }
        x = x * base + d;
        if (count > 1)
            r = lexer_read(l);
    }
    if (x > max || (x >= 0xd800 && x < 0xe000)) {
        lexer_fail(l, "escape sequence is an invalid Unicode code point");
        return false;
    }
    return true;
}

/* After the backslash; false when it failed. */
static bool lex_escape(struct lexer *l, int32_t quote)
{
    int32_t r = lexer_read(l);
    if (r == quote || lexer_in_set("abfnrtv\\", r))
        return true;
    if (r >= '0' && r <= '7')
        return lex_escape_digits(l, r, 3, 8, 255);
    switch (r) {
    case 'x':
        return lex_escape_digits(l, lexer_read(l), 2, 16, 255);
    case 'u':
        return lex_escape_digits(l, lexer_read(l), 4, 16, RUNE_MAX);
    case 'U':
        return lex_escape_digits(l, lexer_read(l), 8, 16, RUNE_MAX);
    case RUNE_EOF:
        lexer_fail(l, "escape sequence not terminated");
        return false;
    default:
        lexer_fail_unicode(l, "unknown escape sequence ", r, "");
        return false;
    }
}

void lexer_string(struct lexer *l, int32_t quote)
{
    for (;;) {
        int32_t r = lexer_read(l);
        if (r == quote)
            break;
        if (r == RUNE_ERROR)
            return lexer_fail(l, "invalid UTF-8 rune");
        if (r == RUNE_EOF)
            return lexer_fail(l, quote == '`' ? "unterminated raw string" : "unterminated quoted string");
        if (quote == '`')
            continue;
        if (r == '\n')
            return lexer_fail(l, "unterminated quoted string");
        if (r == '\\' && !lex_escape(l, quote))
            return;
    }
    lexer_emit(l, TOKEN_STRING);
}

/* ---- Numbers and durations ---- */

#define DIGITS     "0123456789"
#define HEX_DIGITS "0123456789abcdefABCDEF"

static bool scan_exponent(struct lexer *l)
{
    lexer_accept(l, "+-");
    return !lexer_accept(l, "._eE") && lexer_peek(l) != RUNE_EOF;
}

static bool scan_underscore(struct lexer *l)
{
    return !lexer_accept(l, "._eE") && lexer_peek(l) != RUNE_EOF;
}

/* What comes after the first digit: digits, one point, one exponent, single underscores. */
static bool scan_number_rest(struct lexer *l, const char *digits, bool hex)
{
    bool dot = false, exponent = false;
    for (;;) {
        int32_t r = lexer_peek(l);
        if (r == '.') {
            lexer_read(l);
            if (dot || lexer_accept(l, "_.") || hex)
                return false;
            dot = true;
        } else if (r == 'e' || r == 'E') { /* before the digits: "0xae" is refused by the reference, too */
            lexer_read(l);
            if (exponent || !scan_exponent(l))
                return false;
            exponent = true;
        } else if (r == '_') {
            lexer_read(l);
            if (!scan_underscore(l))
                return false;
        } else if (lexer_in_set(digits, r)) {
            lexer_accept_run(l, digits);
        } else {
            return true;
        }
    }
}

static bool scan_number(struct lexer *l)
{
    uint32_t first = l->pos;
    bool hex = lexer_accept(l, "0") && lexer_accept(l, "xX");
    if (hex)
        lexer_accept(l, "_");
    const char *digits = hex ? HEX_DIGITS : DIGITS;
    lexer_accept(l, ".");
    lexer_accept(l, digits);
    return scan_number_rest(l, digits, hex) && l->pos > first && !lexer_is_alnum(lexer_peek(l));
}

/* The rest of "1h30m" after its first digits; wrong units and orders are the parser's business. */
static bool scan_duration(struct lexer *l)
{
    if (!lexer_accept(l, "smhdwy"))
        return false;
    lexer_accept(l, "s");
    while (lexer_accept(l, DIGITS)) {
        lexer_accept_run(l, DIGITS);
        if (!lexer_accept(l, "smhdw"))
            return false;
        lexer_accept(l, "s");
    }
    return !lexer_is_alnum(lexer_read(l));
}

void lexer_number_or_duration(struct lexer *l)
{
    l->state = LEXER_STATEMENTS;
    if (scan_number(l))
        return lexer_emit(l, TOKEN_NUMBER);
    if (scan_duration(l)) {
        lexer_unread(l);
        return lexer_emit(l, TOKEN_DURATION);
    }
    lexer_fail_pending(l, "bad number or duration syntax: ");
}

/* ---- Names ---- */

static bool followed_by_paren(const struct lexer *l)
{
    uint32_t i = l->pos;
    while (i < l->input.len && lexer_is_space(l->input.data[i]))
        i++;
    return i < l->input.len && l->input.data[i] == '(';
}

void lexer_word(struct lexer *l)
{
    while (lexer_is_alnum(lexer_peek(l)) || lexer_peek(l) == ':')
        lexer_read(l);
    struct slice word = lexer_pending(l);
    enum token_kind kind = lexer_keyword(word, false);
    if (kind >= TOKEN_FILL && kind <= TOKEN_FILL_RIGHT && !followed_by_paren(l))
        kind = TOKEN_IDENTIFIER; /* metrics may have these names */
    else if (kind == TOKEN_EOF)
        kind = memchr(word.data, ':', word.len) ? TOKEN_METRIC_IDENTIFIER : TOKEN_IDENTIFIER;
    lexer_emit(l, kind);
}

/* step, range, max_of or min_of; its first character is read already. */
bool lexer_duration_keyword(struct lexer *l)
{
    while (lexer_is_alpha(lexer_peek(l)))
        lexer_read(l);
    enum token_kind kind = lexer_keyword(lexer_pending(l), true);
    if (kind == TOKEN_EOF)
        return false;
    lexer_emit(l, kind);
    return true;
}

bool lexer_starts_duration_keyword(int32_t r)
{
    return lexer_in_set("srmSRM", r);
}
