/* lexer_cursor.c - reading runes, handing out tokens and errors; the contract is in lexer_internal.h. */
#include "numeric/goformat.h"
#include "promql/lexer_internal.h"

bool lexer_is_space(int32_t r)
{
    return r == ' ' || r == '\t' || r == '\n' || r == '\r';
}

bool lexer_is_digit(int32_t r)
{
    return r >= '0' && r <= '9';
}

bool lexer_is_alpha(int32_t r)
{
    return r == '_' || (r >= 'a' && r <= 'z') || (r >= 'A' && r <= 'Z');
}

bool lexer_is_alnum(int32_t r)
{
    return lexer_is_alpha(r) || lexer_is_digit(r);
}

static bool is_continuation(uint8_t b)
{
    return (b & 0xc0) == 0x80;
}

/* One rune of UTF-8; a byte that starts none is RUNE_ERROR of width 1. */
int32_t lexer_rune(struct slice s, uint32_t *width)
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

int32_t lexer_read(struct lexer *l)
{
    if (l->pos >= l->input.len) {
        l->width = 0;
        return RUNE_EOF;
    }
    int32_t r = lexer_rune(slice_from(l->input, l->pos), &l->width);
    l->pos += l->width;
    return r;
}

/* Takes the last lexer_read() back; once. */
void lexer_unread(struct lexer *l)
{
    l->pos -= l->width;
}

int32_t lexer_peek(struct lexer *l)
{
    int32_t r = lexer_read(l);
    lexer_unread(l);
    return r;
}

bool lexer_in_set(const char *set, int32_t r)
{
    return r > 0 && r < 0x80 && strchr(set, r);
}

bool lexer_accept(struct lexer *l, const char *set)
{
    if (lexer_in_set(set, lexer_read(l)))
        return true;
    lexer_unread(l);
    return false;
}

void lexer_accept_run(struct lexer *l, const char *set)
{
    while (lexer_in_set(set, lexer_read(l)))
        ;
    lexer_unread(l);
}

struct slice lexer_pending(const struct lexer *l)
{
    return slice_of(l->input.data + l->start, l->pos - l->start);
}

void lexer_emit(struct lexer *l, enum token_kind kind)
{
    *l->token = (struct token){kind, l->start, lexer_pending(l)};
    l->start = l->pos;
    l->emitted = true;
}

/* Replaces a token emitted in the same step: the error wins, but stands behind that token. */
void lexer_fail(struct lexer *l, const char *text)
{
    *l->token = (struct token){TOKEN_ERROR, l->start, slice_of(NULL, 0)};
    (void)err_set(&l->error, ERR_INVALID, "%s", text);
    l->emitted = true;
    l->state = LEXER_DONE;
}

void lexer_fail_rune(struct lexer *l, const char *text, int32_t r)
{
    struct buf b = {0};
    buf_str(&b, text);
    goformat_quote_rune(&b, r == RUNE_EOF ? RUNE_ERROR : r);
    lexer_fail(l, buf_cstr(&b));
    buf_deinit(&b);
}

void lexer_fail_unicode(struct lexer *l, const char *before, int32_t r, const char *after)
{
    struct buf b = {0};
    buf_str(&b, before);
    goformat_unicode(&b, r);
    buf_str(&b, after);
    lexer_fail(l, buf_cstr(&b));
    buf_deinit(&b);
}

void lexer_fail_pending(struct lexer *l, const char *text)
{
    struct buf b = {0};
    buf_str(&b, text);
    goformat_quote(&b, lexer_pending(l));
    lexer_fail(l, buf_cstr(&b));
    buf_deinit(&b);
}

void lexer_skip_spaces(struct lexer *l)
{
    while (lexer_is_space(lexer_peek(l)))
        lexer_read(l);
    l->start = l->pos;
}
