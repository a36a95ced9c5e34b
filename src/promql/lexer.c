/*
 * lexer.c - the tokenizer; the contract is in lexer.h.
 *
 * Written as the reference behaves, quirks included, because the quirks decide texts and columns:
 * a token handed out just before an error moves the position of that error behind itself (an
 * unexpected ')' is reported one column further), and after a number inside [ ] the general rules
 * are back, apart from names.
 */
#include "base/assert.h"
#include "numeric/goformat.h"
#include "promql/lexer_internal.h"

static void lex_left_bracket(struct lexer *l)
{
    if (l->bracket_open)
        return lexer_fail_rune(l, "unexpected left bracket ", '[');
    l->got_colon = false;
    lexer_emit(l, TOKEN_LEFT_BRACKET);
    lexer_skip_spaces(l);
    l->bracket_open = true;
    l->state = LEXER_DURATION;
}

static void lex_right_paren(struct lexer *l)
{
    lexer_emit(l, TOKEN_RIGHT_PAREN);
    if (--l->paren_depth < 0)
        lexer_fail_rune(l, "unexpected right parenthesis ", ')');
}

static void lex_left_paren(struct lexer *l)
{
    lexer_emit(l, TOKEN_LEFT_PAREN);
    l->paren_depth++;
}

/* A letter or ':' in a place for expressions; inside [ ], after a number, few are welcome. */
static void lex_letter(struct lexer *l, int32_t r)
{
    if (!l->bracket_open) {
        lexer_unread(l);
        return lexer_word(l);
    }
    if (r == ':') {
        if (l->got_colon)
            return lexer_fail_rune(l, "unexpected colon ", r);
        l->got_colon = true;
        return lexer_emit(l, TOKEN_COLON);
    }
    if (lexer_starts_duration_keyword(r) && lexer_duration_keyword(l))
        return;
    struct buf b = {0};
    buf_str(&b, "unexpected character: ");
    goformat_quote_rune(&b, r);
    buf_str(&b, ", expected ':'");
    lexer_fail(l, buf_cstr(&b));
    buf_deinit(&b);
}

/* An operator of one or two characters: `second` makes it `two`. */
static void emit_either(struct lexer *l, int32_t second, enum token_kind two, enum token_kind one)
{
    if (lexer_peek(l) != second)
        return lexer_emit(l, one);
    lexer_read(l);
    lexer_emit(l, two);
}

static void lex_comparison(struct lexer *l, int32_t r)
{
    bool less = r == '<';
    if (lexer_peek(l) == '/') {
        lexer_read(l);
        return lexer_emit(l, less ? TOKEN_TRIM_UPPER : TOKEN_TRIM_LOWER);
    }
    if (less)
        emit_either(l, '=', TOKEN_LTE, TOKEN_LSS);
    else
        emit_either(l, '=', TOKEN_GTE, TOKEN_GTR);
}

static void lex_end(struct lexer *l)
{
    if (l->paren_depth != 0)
        return lexer_fail(l, "unclosed left parenthesis");
    if (l->bracket_open)
        return lexer_fail(l, "unclosed left bracket");
    lexer_emit(l, TOKEN_EOF);
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
    if (lexer_peek(l) == '~')
        return lexer_fail_rune(l, "unexpected character after '=': ", '~');
    emit_either(l, '=', TOKEN_EQLC, TOKEN_EQL);
}

static void lex_bang(struct lexer *l)
{
    int32_t r = lexer_read(l);
    if (r != '=')
        return lexer_fail_rune(l, "unexpected character after '!': ", r);
    lexer_emit(l, TOKEN_NEQ);
}

static void lex_bracket_end(struct lexer *l)
{
    if (!l->bracket_open)
        return lexer_fail_rune(l, "unexpected right bracket ", ']');
    lexer_emit(l, TOKEN_RIGHT_BRACKET);
    l->bracket_open = false;
}

static void lex_statements(struct lexer *l)
{
    int32_t r = lexer_read(l);
    if (arithmetic_token(r) != TOKEN_EOF)
        return lexer_emit(l, arithmetic_token(r));
    if (lexer_is_space(r))
        return lexer_skip_spaces(l);
    if (lexer_is_digit(r) || (r == '.' && lexer_is_digit(lexer_peek(l)))) {
        lexer_unread(l);
        return lexer_number_or_duration(l);
    }
    if (lexer_is_alpha(r) || r == ':')
        return lex_letter(l, r);
    switch (r) {
    case RUNE_EOF:
        return lex_end(l);
    case '#':
        return lexer_comment(l);
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
        return lexer_string(l, r);
    case '(':
        return lex_left_paren(l);
    case ')':
        return lex_right_paren(l);
    case '{':
        lexer_emit(l, TOKEN_LEFT_BRACE);
        l->brace_open = true;
        return;
    case '[':
        return lex_left_bracket(l);
    case ']':
        return lex_bracket_end(l);
    case '@':
        return lexer_emit(l, TOKEN_AT);
    default:
        return lexer_fail_rune(l, "unexpected character: ", r);
    }
}

static void lex_bang_in_braces(struct lexer *l)
{
    int32_t r = lexer_read(l);
    if (r == '~')
        return lexer_emit(l, TOKEN_NEQ_REGEX);
    if (r == '=')
        return lexer_emit(l, TOKEN_NEQ);
    lexer_fail_rune(l, "unexpected character after '!' inside braces: ", r);
}

/* Inside { } every word is a name. */
static void lex_braces(struct lexer *l)
{
    int32_t r = lexer_read(l);
    if (lexer_is_space(r))
        return lexer_skip_spaces(l);
    if (lexer_is_alpha(r)) {
        while (lexer_is_alnum(lexer_peek(l)))
            lexer_read(l);
        return lexer_emit(l, TOKEN_IDENTIFIER);
    }
    switch (r) {
    case RUNE_EOF:
        return lexer_fail(l, "unexpected end of input inside braces");
    case '#':
        return lexer_comment(l);
    case ',':
        return lexer_emit(l, TOKEN_COMMA);
    case '"':
    case '\'':
    case '`':
        return lexer_string(l, r);
    case '=':
        return emit_either(l, '~', TOKEN_EQL_REGEX, TOKEN_EQL);
    case '!':
        return lex_bang_in_braces(l);
    case '{':
        return lexer_fail_rune(l, "unexpected left brace ", r);
    case '}':
        lexer_emit(l, TOKEN_RIGHT_BRACE);
        l->brace_open = false;
        return;
    default:
        return lexer_fail_rune(l, "unexpected character inside braces: ", r);
    }
}

static void lex_duration_colon(struct lexer *l)
{
    lexer_emit(l, TOKEN_COLON);
    if (!l->got_duration)
        return lexer_fail(l, "unexpected colon before duration in duration expression");
    if (l->got_colon)
        return lexer_fail(l, "unexpected repeated colon in duration expression");
    l->got_colon = true;
}

/* Inside [ ], up to the first number and after operators. */
static void lex_duration(struct lexer *l)
{
    int32_t r = lexer_read(l);
    if (arithmetic_token(r) != TOKEN_EOF)
        return lexer_emit(l, arithmetic_token(r));
    if (lexer_is_space(r))
        return lexer_skip_spaces(l);
    if (lexer_is_digit(r) || (r == '.' && lexer_is_digit(lexer_peek(l)))) {
        lexer_unread(l);
        l->got_duration = true;
        return lexer_number_or_duration(l);
    }
    if (lexer_starts_duration_keyword(r) && lexer_duration_keyword(l))
        return;
    switch (r) {
    case RUNE_EOF:
        return lexer_fail(l, "unexpected end of input in duration expression");
    case ']':
        lexer_emit(l, TOKEN_RIGHT_BRACKET);
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
        return lexer_fail_rune(l, "unexpected character in duration expression: ", r);
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
            lexer_emit(l, TOKEN_EOF);
        else if (l->state == LEXER_DURATION)
            lex_duration(l);
        else if (l->brace_open)
            lex_braces(l);
        else
            lex_statements(l);
    }
    l->last_start = out->start;
}
