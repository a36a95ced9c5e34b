/* parser_literal.c - numbers, durations and strings. */
#include "base/assert.h"
#include "numeric/goformat.h"
#include "numeric/goparse.h"
#include "promql/durations.h"
#include "promql/parser_internal.h"

const char *parser_quote(struct parser *p, struct slice text)
{
    struct buf b = {0};
    goformat_quote(&b, text);
    const char *quoted = arena_strdup(p->arena, buf_view(&b));
    buf_deinit(&b);
    return quoted;
}

/* ---- Strings ---- */

static uint32_t hex_value(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return (uint32_t)((c | 0x20) - 'a' + 10);
}

static uint8_t *utf8_put(uint8_t *out, uint32_t rune)
{
    if (rune < 0x80) {
        *out++ = (uint8_t)rune;
    } else if (rune < 0x800) {
        *out++ = (uint8_t)(0xc0 | rune >> 6);
        *out++ = (uint8_t)(0x80 | (rune & 0x3f));
    } else if (rune < 0x10000) {
        *out++ = (uint8_t)(0xe0 | rune >> 12);
        *out++ = (uint8_t)(0x80 | (rune >> 6 & 0x3f));
        *out++ = (uint8_t)(0x80 | (rune & 0x3f));
    } else {
        *out++ = (uint8_t)(0xf0 | rune >> 18);
        *out++ = (uint8_t)(0x80 | (rune >> 12 & 0x3f));
        *out++ = (uint8_t)(0x80 | (rune >> 6 & 0x3f));
        *out++ = (uint8_t)(0x80 | (rune & 0x3f));
    }
    return out;
}

static uint32_t digits_value(const uint8_t *digits, unsigned count, unsigned bits)
{
    uint32_t v = 0;
    for (unsigned i = 0; i < count; i++)
        v = v << bits | hex_value(digits[i]);
    return v;
}

/* \x and octal escapes are bytes, \u and \U are runes.  The lexer has checked the form. */
static const uint8_t *unescape(const uint8_t *in, uint8_t **out)
{
    static const char names[] = "abfnrtv", values[] = "\a\b\f\n\r\t\v";
    const char *named = strchr(names, in[0]);
    if (named) {
        *(*out)++ = (uint8_t)values[named - names];
        return in + 1;
    }
    switch (in[0]) {
    case 'x':
        *(*out)++ = (uint8_t)digits_value(in + 1, 2, 4);
        return in + 3;
    case 'u':
        *out = utf8_put(*out, digits_value(in + 1, 4, 4));
        return in + 5;
    case 'U':
        *out = utf8_put(*out, digits_value(in + 1, 8, 4));
        return in + 9;
    case '0' ... '7':
        *(*out)++ = (uint8_t)digits_value(in, 3, 3);
        return in + 3;
    default:
        *(*out)++ = in[0]; /* backslash or the quote */
        return in + 1;
    }
}

struct slice parser_unquote(struct parser *p, struct slice quoted)
{
    assert(quoted.len >= 2);
    struct slice inner = slice_of(quoted.data + 1, quoted.len - 2);
    if (quoted.data[0] == '`' || inner.len == 0 || !memchr(inner.data, '\\', inner.len))
        return inner;
    uint8_t *text = arena_alloc(p->arena, inner.len), *out = text; /* escapes never grow */
    const uint8_t *in = inner.data, *end = in + inner.len;
    while (in < end) {
        if (*in == '\\')
            in = unescape(in + 1, &out);
        else
            *out++ = *in++;
    }
    return slice_of(text, (size_t)(out - text));
}

/* ---- Numbers ---- */

/* Integers with a base prefix first, so that 010 is 8; then floats. */
static double number_value(struct parser *p, const struct token *t)
{
    int64_t integer;
    if (goparse_int(t->text, 0, &integer, NULL) == ERR_OK)
        return (double)integer;
    double value = 0;
    struct errmsg why;
    if (goparse_float(t->text, &value, &why) != ERR_OK)
        parser_fail(p, t->start, "error parsing number: %s", why.text);
    return value;
}

static double literal_duration(struct parser *p, const struct token *t)
{
    int64_t ns = 0;
    struct errmsg why;
    if (promql_duration_parse(t->text, &ns, &why) != ERR_OK)
        parser_fail(p, t->start, "%s", why.text);
    return promql_duration_seconds(ns);
}

struct node *parser_number(struct parser *p)
{
    if (parser_peek(p) != TOKEN_NUMBER && parser_peek(p) != TOKEN_DURATION) {
        parser_unexpected(p);
        return NULL;
    }
    struct token t = parser_take(p);
    struct node *n = parser_node(p, NODE_NUMBER, VALUE_SCALAR, t.start, t.start + (uint32_t)t.text.len);
    n->number.duration = t.kind == TOKEN_DURATION;
    n->number.value = n->number.duration ? literal_duration(p, &t) : number_value(p, &t);
    return parser_close(p, n);
}
