/*
 * lexer.c - the tokenizer; the contract is in lexer.h.
 *
 * Written as the reference behaves, quirks included, because the quirks decide texts and columns:
 * a token handed out just before an error moves the position of that error behind itself (an
 * unexpected ')' is reported one column further), and after a number inside [ ] the general rules
 * are back, apart from names.
 */
#include "promql/lexer.h"

#include "base/assert.h"
#include "numeric/goformat.h"

enum { RUNE_EOF = -1, RUNE_ERROR = 0xfffd, RUNE_MAX = 0x10ffff };

struct keyword {
    const char *word;
    enum token_kind kind;
};

static const struct keyword keywords[] = {
    {"and", TOKEN_AND},
    {"or", TOKEN_OR},
    {"unless", TOKEN_UNLESS},
    {"atan2", TOKEN_ATAN2},
    {"sum", TOKEN_SUM},
    {"avg", TOKEN_AVG},
    {"count", TOKEN_COUNT},
    {"min", TOKEN_MIN},
    {"max", TOKEN_MAX},
    {"group", TOKEN_GROUP},
    {"stddev", TOKEN_STDDEV},
    {"stdvar", TOKEN_STDVAR},
    {"topk", TOKEN_TOPK},
    {"bottomk", TOKEN_BOTTOMK},
    {"count_values", TOKEN_COUNT_VALUES},
    {"quantile", TOKEN_QUANTILE},
    {"limitk", TOKEN_LIMITK},
    {"limit_ratio", TOKEN_LIMIT_RATIO},
    {"offset", TOKEN_OFFSET},
    {"smoothed", TOKEN_SMOOTHED},
    {"anchored", TOKEN_ANCHORED},
    {"by", TOKEN_BY},
    {"without", TOKEN_WITHOUT},
    {"on", TOKEN_ON},
    {"ignoring", TOKEN_IGNORING},
    {"group_left", TOKEN_GROUP_LEFT},
    {"group_right", TOKEN_GROUP_RIGHT},
    {"fill", TOKEN_FILL},
    {"fill_left", TOKEN_FILL_LEFT},
    {"fill_right", TOKEN_FILL_RIGHT},
    {"bool", TOKEN_BOOL},
    {"start", TOKEN_START},
    {"end", TOKEN_END},
    {"inf", TOKEN_NUMBER},
    {"nan", TOKEN_NUMBER},
    {"step", TOKEN_STEP}, /* from here on: also inside [ ] */
    {"range", TOKEN_RANGE},
    {"max_of", TOKEN_MAX_OF},
    {"min_of", TOKEN_MIN_OF},
};
enum { KEYWORD_COUNT = sizeof keywords / sizeof keywords[0], DURATION_KEYWORD_FIRST = KEYWORD_COUNT - 4 };

/* Keywords are matched without regard to case; `first` skips the head of the table. */
static enum token_kind keyword_find(struct slice word, size_t first)
{
    char lower[16];
    if (word.len >= sizeof lower)
        return TOKEN_EOF;
    for (size_t i = 0; i < word.len; i++) {
        char c = (char)word.data[i];
        lower[i] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
    }
    for (size_t i = first; i < KEYWORD_COUNT; i++)
        if (slice_eq_str(slice_of(lower, word.len), keywords[i].word))
            return keywords[i].kind;
    return TOKEN_EOF;
}

static bool is_space(int32_t r)
{
    return r == ' ' || r == '\t' || r == '\n' || r == '\r';
}

static bool is_digit(int32_t r)
{
    return r >= '0' && r <= '9';
}

static bool is_alpha(int32_t r)
{
    return r == '_' || (r >= 'a' && r <= 'z') || (r >= 'A' && r <= 'Z');
}

static bool is_alnum(int32_t r)
{
    return is_alpha(r) || is_digit(r);
}

static bool is_continuation(uint8_t b)
{
    return (b & 0xc0) == 0x80;
}

/* One rune of UTF-8; a byte that starts none is RUNE_ERROR of width 1. */
static int32_t rune_decode(struct slice s, uint32_t *width)
{
    const uint8_t *p = s.data;
    *width = 1;
    if (p[0] < 0x80)
        return p[0];
    if (p[0] >= 0xc2 && p[0] <= 0xdf && s.len >= 2 && is_continuation(p[1])) {
        *width = 2;
        return (p[0] & 0x1f) << 6 | (p[1] & 0x3f);
    }
    if ((p[0] & 0xf0) == 0xe0 && s.len >= 3 && is_continuation(p[1]) && is_continuation(p[2])) {
        int32_t r = (p[0] & 0x0f) << 12 | (p[1] & 0x3f) << 6 | (p[2] & 0x3f);
        if (r < 0x800 || (r >= 0xd800 && r < 0xe000))
            return RUNE_ERROR;
        *width = 3;
        return r;
    }
    if ((p[0] & 0xf8) == 0xf0 && s.len >= 4 && is_continuation(p[1]) && is_continuation(p[2]) &&
        is_continuation(p[3])) {
        int32_t r = (p[0] & 0x07) << 18 | (p[1] & 0x3f) << 12 | (p[2] & 0x3f) << 6 | (p[3] & 0x3f);
        if (r < 0x10000 || r > RUNE_MAX)
            return RUNE_ERROR;
        *width = 4;
        return r;
    }
    return RUNE_ERROR;
}

static int32_t next(struct lexer *l)
{
    if (l->pos >= l->input.len) {
        l->width = 0;
        return RUNE_EOF;
    }
    int32_t r = rune_decode(slice_from(l->input, l->pos), &l->width);
    l->pos += l->width;
    return r;
}

/* Takes the last next() back; once. */
static void backup(struct lexer *l)
{
    l->pos -= l->width;
}

static int32_t peek(struct lexer *l)
{
    int32_t r = next(l);
    backup(l);
    return r;
}

static bool in_set(const char *set, int32_t r)
{
    return r > 0 && r < 0x80 && strchr(set, r);
}

static bool accept(struct lexer *l, const char *set)
{
    if (in_set(set, next(l)))
        return true;
    backup(l);
    return false;
}

static void accept_run(struct lexer *l, const char *set)
{
    while (in_set(set, next(l)))
        ;
    backup(l);
}

static struct slice pending(const struct lexer *l)
{
    return slice_of(l->input.data + l->start, l->pos - l->start);
}

static void emit(struct lexer *l, enum token_kind kind)
{
    *l->token = (struct token){kind, l->start, pending(l)};
    l->start = l->pos;
    l->emitted = true;
}

/* Replaces a token emitted in the same step: the error wins, but stands behind that token. */
static void fail(struct lexer *l, const char *text)
{
    *l->token = (struct token){TOKEN_ERROR, l->start, slice_of(NULL, 0)};
    (void)err_set(&l->error, ERR_INVALID, "%s", text);
    l->emitted = true;
    l->state = LEXER_DONE;
}

static void fail_rune(struct lexer *l, const char *text, int32_t r)
{
    struct buf b = {0};
    buf_str(&b, text);
    goformat_quote_rune(&b, r == RUNE_EOF ? RUNE_ERROR : r);
    fail(l, buf_cstr(&b));
    buf_deinit(&b);
}

static void fail_unicode(struct lexer *l, const char *before, int32_t r, const char *after)
{
    struct buf b = {0};
    buf_str(&b, before);
    goformat_unicode(&b, r);
    buf_str(&b, after);
    fail(l, buf_cstr(&b));
    buf_deinit(&b);
}

static void fail_pending(struct lexer *l, const char *text)
{
    struct buf b = {0};
    buf_str(&b, text);
    goformat_quote(&b, pending(l));
    fail(l, buf_cstr(&b));
    buf_deinit(&b);
}

static void skip_spaces(struct lexer *l)
{
    while (is_space(peek(l)))
        next(l);
    l->start = l->pos;
}

static void lex_comment(struct lexer *l)
{
    int32_t r;
    do
        r = next(l);
    while (r != '\n' && r != '\r' && r != RUNE_EOF);
    backup(l);
    emit(l, TOKEN_COMMENT);
}

/* ---- Strings ---- */

static uint32_t digit_value(int32_t r)
{
    if (is_digit(r))
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
                fail(l, "escape sequence not terminated");
            else
                fail_unicode(l, "illegal character ", r, " in escape sequence");
            return false;
        }
        x = x * base + d;
        if (count > 1)
            r = next(l);
    }
    if (x > max || (x >= 0xd800 && x < 0xe000)) {
        fail(l, "escape sequence is an invalid Unicode code point");
        return false;
    }
    return true;
}

/* After the backslash; false when it failed. */
static bool lex_escape(struct lexer *l, int32_t quote)
{
    int32_t r = next(l);
    if (r == quote || in_set("abfnrtv\\", r))
        return true;
    if (r >= '0' && r <= '7')
        return lex_escape_digits(l, r, 3, 8, 255);
    switch (r) {
    case 'x':
        return lex_escape_digits(l, next(l), 2, 16, 255);
    case 'u':
        return lex_escape_digits(l, next(l), 4, 16, RUNE_MAX);
    case 'U':
        return lex_escape_digits(l, next(l), 8, 16, RUNE_MAX);
    case RUNE_EOF:
        fail(l, "escape sequence not terminated");
        return false;
    default:
        fail_unicode(l, "unknown escape sequence ", r, "");
        return false;
    }
}

static void lex_string(struct lexer *l, int32_t quote)
{
    for (;;) {
        int32_t r = next(l);
        if (r == quote)
            break;
        if (r == RUNE_ERROR)
            return fail(l, "invalid UTF-8 rune");
        if (r == RUNE_EOF)
            return fail(l, quote == '`' ? "unterminated raw string" : "unterminated quoted string");
        if (quote == '`')
            continue;
        if (r == '\n')
            return fail(l, "unterminated quoted string");
        if (r == '\\' && !lex_escape(l, quote))
            return;
    }
    emit(l, TOKEN_STRING);
}

/* ---- Numbers and durations ---- */

#define DIGITS     "0123456789"
#define HEX_DIGITS "0123456789abcdefABCDEF"

static bool scan_exponent(struct lexer *l)
{
    accept(l, "+-");
    return !accept(l, "._eE") && peek(l) != RUNE_EOF;
}

static bool scan_underscore(struct lexer *l)
{
    return !accept(l, "._eE") && peek(l) != RUNE_EOF;
}

/* What comes after the first digit: digits, one point, one exponent, single underscores. */
static bool scan_number_rest(struct lexer *l, const char *digits, bool hex)
{
    bool dot = false, exponent = false;
    for (;;) {
        int32_t r = peek(l);
        if (r == '.') {
            next(l);
            if (dot || accept(l, "_.") || hex)
                return false;
            dot = true;
        } else if (r == 'e' || r == 'E') { /* before the digits: "0xae" is refused by the reference, too */
            next(l);
            if (exponent || !scan_exponent(l))
                return false;
            exponent = true;
        } else if (r == '_') {
            next(l);
            if (!scan_underscore(l))
                return false;
        } else if (in_set(digits, r)) {
            accept_run(l, digits);
        } else {
            return true;
        }
    }
}

static bool scan_number(struct lexer *l)
{
    uint32_t first = l->pos;
    bool hex = accept(l, "0") && accept(l, "xX");
    if (hex)
        accept(l, "_");
    const char *digits = hex ? HEX_DIGITS : DIGITS;
    accept(l, ".");
    accept(l, digits);
    return scan_number_rest(l, digits, hex) && l->pos > first && !is_alnum(peek(l));
}

/* The rest of "1h30m" after its first digits; wrong units and orders are the parser's business. */
static bool scan_duration(struct lexer *l)
{
    if (!accept(l, "smhdwy"))
        return false;
    accept(l, "s");
    while (accept(l, DIGITS)) {
        accept_run(l, DIGITS);
        if (!accept(l, "smhdw"))
            return false;
        accept(l, "s");
    }
    return !is_alnum(next(l));
}

static void lex_number_or_duration(struct lexer *l)
{
    l->state = LEXER_STATEMENTS;
    if (scan_number(l))
        return emit(l, TOKEN_NUMBER);
    if (scan_duration(l)) {
        backup(l);
        return emit(l, TOKEN_DURATION);
    }
    fail_pending(l, "bad number or duration syntax: ");
}

/* ---- Names ---- */

static bool followed_by_paren(const struct lexer *l)
{
    uint32_t i = l->pos;
    while (i < l->input.len && is_space(l->input.data[i]))
        i++;
    return i < l->input.len && l->input.data[i] == '(';
}

static void lex_word(struct lexer *l)
{
    while (is_alnum(peek(l)) || peek(l) == ':')
        next(l);
    struct slice word = pending(l);
    enum token_kind kind = keyword_find(word, 0);
    if (kind >= TOKEN_FILL && kind <= TOKEN_FILL_RIGHT && !followed_by_paren(l))
        kind = TOKEN_IDENTIFIER; /* metrics may have these names */
    else if (kind == TOKEN_EOF)
        kind = memchr(word.data, ':', word.len) ? TOKEN_METRIC_IDENTIFIER : TOKEN_IDENTIFIER;
    emit(l, kind);
}

/* step, range, max_of or min_of; its first character is read already. */
static bool lex_duration_keyword(struct lexer *l)
{
    while (is_alpha(peek(l)))
        next(l);
    enum token_kind kind = keyword_find(pending(l), DURATION_KEYWORD_FIRST);
    if (kind == TOKEN_EOF)
        return false;
    emit(l, kind);
    return true;
}

static bool starts_duration_keyword(int32_t r)
{
    return in_set("srmSRM", r);
}

/* ---- The three places ---- */

static void lex_left_bracket(struct lexer *l)
{
    if (l->bracket_open)
        return fail_rune(l, "unexpected left bracket ", '[');
    l->got_colon = false;
    emit(l, TOKEN_LEFT_BRACKET);
    skip_spaces(l);
    l->bracket_open = true;
    l->state = LEXER_DURATION;
}

static void lex_right_paren(struct lexer *l)
{
    emit(l, TOKEN_RIGHT_PAREN);
    if (--l->paren_depth < 0)
        fail_rune(l, "unexpected right parenthesis ", ')');
}

static void lex_left_paren(struct lexer *l)
{
    emit(l, TOKEN_LEFT_PAREN);
    l->paren_depth++;
}

/* A letter or ':' in a place for expressions; inside [ ], after a number, few are welcome. */
static void lex_letter(struct lexer *l, int32_t r)
{
    if (!l->bracket_open) {
        backup(l);
        return lex_word(l);
    }
    if (r == ':') {
        if (l->got_colon)
            return fail_rune(l, "unexpected colon ", r);
        l->got_colon = true;
        return emit(l, TOKEN_COLON);
    }
    if (starts_duration_keyword(r) && lex_duration_keyword(l))
        return;
    struct buf b = {0};
    buf_str(&b, "unexpected character: ");
    goformat_quote_rune(&b, r);
    buf_str(&b, ", expected ':'");
    fail(l, buf_cstr(&b));
    buf_deinit(&b);
}

/* An operator of one or two characters: `second` makes it `two`. */
static void emit_either(struct lexer *l, int32_t second, enum token_kind two, enum token_kind one)
{
    if (peek(l) != second)
        return emit(l, one);
    next(l);
    emit(l, two);
}

static void lex_comparison(struct lexer *l, int32_t r)
{
    bool less = r == '<';
    if (peek(l) == '/') {
        next(l);
        return emit(l, less ? TOKEN_TRIM_UPPER : TOKEN_TRIM_LOWER);
    }
    if (less)
        emit_either(l, '=', TOKEN_LTE, TOKEN_LSS);
    else
        emit_either(l, '=', TOKEN_GTE, TOKEN_GTR);
}

static void lex_end(struct lexer *l)
{
    if (l->paren_depth != 0)
        return fail(l, "unclosed left parenthesis");
    if (l->bracket_open)
        return fail(l, "unclosed left bracket");
    emit(l, TOKEN_EOF);
    l->state = LEXER_DONE;
}

static enum token_kind arithmetic_token(int32_t r)
{
    switch (r) {
    case '+':
        return TOKEN_ADD;
    case '-':
        return TOKEN_SUB;
    case '*':
        return TOKEN_MUL;
    case '/':
        return TOKEN_DIV;
    case '%':
        return TOKEN_MOD;
    case '^':
        return TOKEN_POW;
    case ',':
        return TOKEN_COMMA;
    default:
        return TOKEN_EOF;
    }
}

static void lex_equals(struct lexer *l)
{
    if (peek(l) == '~')
        return fail_rune(l, "unexpected character after '=': ", '~');
    emit_either(l, '=', TOKEN_EQLC, TOKEN_EQL);
}

static void lex_bang(struct lexer *l)
{
    int32_t r = next(l);
    if (r != '=')
        return fail_rune(l, "unexpected character after '!': ", r);
    emit(l, TOKEN_NEQ);
}

static void lex_bracket_end(struct lexer *l)
{
    if (!l->bracket_open)
        return fail_rune(l, "unexpected right bracket ", ']');
    emit(l, TOKEN_RIGHT_BRACKET);
    l->bracket_open = false;
}

static void lex_statements(struct lexer *l)
{
    int32_t r = next(l);
    if (arithmetic_token(r) != TOKEN_EOF)
        return emit(l, arithmetic_token(r));
    if (is_space(r))
        return skip_spaces(l);
    if (is_digit(r) || (r == '.' && is_digit(peek(l)))) {
        backup(l);
        return lex_number_or_duration(l);
    }
    if (is_alpha(r) || r == ':')
        return lex_letter(l, r);
    switch (r) {
    case RUNE_EOF:
        return lex_end(l);
    case '#':
        return lex_comment(l);
    case '=':
        return lex_equals(l);
    case '!':
        return lex_bang(l);
    case '<':
    case '>':
        return lex_comparison(l, r);
    case '"':
    case '\'':
    case '`':
        return lex_string(l, r);
    case '(':
        return lex_left_paren(l);
    case ')':
        return lex_right_paren(l);
    case '{':
        emit(l, TOKEN_LEFT_BRACE);
        l->brace_open = true;
        return;
    case '[':
        return lex_left_bracket(l);
    case ']':
        return lex_bracket_end(l);
    case '@':
        return emit(l, TOKEN_AT);
    default:
        return fail_rune(l, "unexpected character: ", r);
    }
}

static void lex_bang_in_braces(struct lexer *l)
{
    int32_t r = next(l);
    if (r == '~')
        return emit(l, TOKEN_NEQ_REGEX);
    if (r == '=')
        return emit(l, TOKEN_NEQ);
    fail_rune(l, "unexpected character after '!' inside braces: ", r);
}

/* Inside { } every word is a name. */
static void lex_braces(struct lexer *l)
{
    int32_t r = next(l);
    if (is_space(r))
        return skip_spaces(l);
    if (is_alpha(r)) {
        while (is_alnum(peek(l)))
            next(l);
        return emit(l, TOKEN_IDENTIFIER);
    }
    switch (r) {
    case RUNE_EOF:
        return fail(l, "unexpected end of input inside braces");
    case '#':
        return lex_comment(l);
    case ',':
        return emit(l, TOKEN_COMMA);
    case '"':
    case '\'':
    case '`':
        return lex_string(l, r);
    case '=':
        return emit_either(l, '~', TOKEN_EQL_REGEX, TOKEN_EQL);
    case '!':
        return lex_bang_in_braces(l);
    case '{':
        return fail_rune(l, "unexpected left brace ", r);
    case '}':
        emit(l, TOKEN_RIGHT_BRACE);
        l->brace_open = false;
        return;
    default:
        return fail_rune(l, "unexpected character inside braces: ", r);
    }
}

static void lex_duration_colon(struct lexer *l)
{
    emit(l, TOKEN_COLON);
    if (!l->got_duration)
        return fail(l, "unexpected colon before duration in duration expression");
    if (l->got_colon)
        return fail(l, "unexpected repeated colon in duration expression");
    l->got_colon = true;
}

/* Inside [ ], up to the first number and after operators. */
static void lex_duration(struct lexer *l)
{
    int32_t r = next(l);
    if (arithmetic_token(r) != TOKEN_EOF)
        return emit(l, arithmetic_token(r));
    if (is_space(r))
        return skip_spaces(l);
    if (is_digit(r) || (r == '.' && is_digit(peek(l)))) {
        backup(l);
        l->got_duration = true;
        return lex_number_or_duration(l);
    }
    if (starts_duration_keyword(r) && lex_duration_keyword(l))
        return;
    switch (r) {
    case RUNE_EOF:
        return fail(l, "unexpected end of input in duration expression");
    case ']':
        emit(l, TOKEN_RIGHT_BRACKET);
        l->bracket_open = l->got_colon = false;
        l->state = LEXER_STATEMENTS;
        return;
    case ':':
        return lex_duration_colon(l);
    case '(':
        return lex_left_paren(l);
    case ')':
        return lex_right_paren(l);
    default:
        return fail_rune(l, "unexpected character in duration expression: ", r);
    }
}

/* ---- Public ---- */

void lexer_init(struct lexer *l, struct slice input)
{
    assert(input.len < UINT32_MAX);
    *l = (struct lexer){.input = input};
}

void lexer_next(struct lexer *l, struct token *out)
{
    l->token = out;
    l->emitted = false;
    while (!l->emitted) {
        if (l->state == LEXER_DONE)
            emit(l, TOKEN_EOF);
        else if (l->state == LEXER_DURATION)
            lex_duration(l);
        else if (l->brace_open)
            lex_braces(l);
        else
            lex_statements(l);
    }
    l->last_start = out->start;
}

static void describe_quoted(struct slice text, struct buf *out)
{
    enum { SHOWN_RUNES = 10 };
    if (text.len <= SHOWN_RUNES)
        return goformat_quote(out, text);
    uint32_t bytes = 0, width;
    for (unsigned i = 0; i < SHOWN_RUNES && bytes < text.len; i++, bytes += width)
        rune_decode(slice_from(text, bytes), &width);
    goformat_quote(out, slice_of(text.data, bytes));
    buf_str(out, "...");
}

void token_describe(const struct token *t, struct buf *out)
{
    static const char *const kinds[] = {
        [TOKEN_IDENTIFIER] = "identifier ", [TOKEN_METRIC_IDENTIFIER] = "metric identifier ",
        [TOKEN_STRING] = "string ",         [TOKEN_NUMBER] = "number ",
        [TOKEN_DURATION] = "duration ",
    };
    const char *wrap = NULL;
    if (t->kind > TOKEN_KEYWORDS_START && t->kind < TOKEN_KEYWORDS_END)
        wrap = "<";
    else if (t->kind > TOKEN_OPERATORS_START && t->kind < TOKEN_OPERATORS_END)
        wrap = "<op:";
    else if (t->kind > TOKEN_AGGREGATORS_START && t->kind < TOKEN_AGGREGATORS_END)
        wrap = "<aggr:";
    if (t->kind == TOKEN_EOF) {
        buf_str(out, "end of input");
    } else if (wrap) {
        buf_printf(out, "%s%.*s>", wrap, SLICE_ARG(t->text));
    } else {
        bool identifier = t->kind == TOKEN_IDENTIFIER || t->kind == TOKEN_METRIC_IDENTIFIER;
        if (t->kind >= TOKEN_IDENTIFIER && t->kind <= TOKEN_DURATION)
            buf_str(out, kinds[t->kind]);
        if (identifier)
            goformat_quote(out, t->text);
        else
            describe_quoted(t->text, out);
    }
}
