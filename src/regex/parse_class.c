/* parse_class.c - escapes and character classes. */
#include <string.h>

#include "base/utf8.h"
#include "regex/parse_internal.h"

static bool is_alnum(int32_t c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

static int hex_value(int32_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

static bool starts_with(struct slice s, size_t at, uint8_t c)
{
    return s.len > at && s.data[at] == c;
}

static bool is_octal(struct slice s)
{
    return s.len > 0 && s.data[0] >= '0' && s.data[0] <= '7';
}

/* Up to two more octal digits. */
static int32_t read_octal(struct slice *t, int32_t first)
{
    int32_t value = first - '0';
    for (int i = 1; i < 3 && is_octal(*t); i++) {
        value = value * 8 + t->data[0] - '0';
        *t = slice_from(*t, 1);
    }
    return value;
}

/* After "\x{".  *ok tells whether it is one; false only for broken UTF-8. */
static bool read_hex_braces(struct parser *p, struct slice *t, int32_t *value, bool *ok)
{
    int digits = 0;
    int32_t c;
    *value = 0;
    *ok = false;
    for (; t->len > 0; digits++) {
        if (!parse_rune(p, t, &c))
            return false;
        if (c == '}') {
            *ok = digits > 0;
            return true;
        }
        int digit = hex_value(c);
        if (digit < 0)
            return true;
        *value = *value * 16 + digit;
        if (*value > RUNE_MAX)
            return true;
    }
    return true;
}

/* After "\x": two digits, or any number in braces. */
static bool read_hex(struct parser *p, struct slice *t, int32_t *value, bool *ok)
{
    int32_t high, low;
    *ok = false;
    if (t->len == 0)
        return true;
    if (!parse_rune(p, t, &high))
        return false;
    if (high == '{')
        return read_hex_braces(p, t, value, ok);
    /* Go reads the second digit without looking whether there is one: nothing is U+FFFD there. */
    low = RUNE_ERROR;
    if (t->len > 0 && !parse_rune(p, t, &low))
        return false;
    *value = hex_value(high) * 16 + hex_value(low);
    *ok = hex_value(high) >= 0 && hex_value(low) >= 0;
    return true;
}

bool parse_escape(struct parser *p, struct slice *text, int32_t *rune)
{
    static const char letters[] = "afnrtv", values[] = "\a\f\n\r\t\v";
    struct slice t = slice_from(*text, 1);
    int32_t c;
    bool ok = true;
    if (t.len == 0)
        return parse_fail(p, "trailing backslash at end of expression", t);
    if (!parse_rune(p, &t, &c))
        return false;
    const char *letter = c > 0 && c < 0x80 ? strchr(letters, (char)c) : NULL;
    if (c == '0' || (c >= '1' && c <= '7' && is_octal(t))) {
        *rune = read_octal(&t, c);
    } else if (c == 'x') {
        if (!read_hex(p, &t, rune, &ok))
            return false;
    } else if (letter) {
        *rune = values[letter - letters];
    } else {
        ok = c < 0x80 && !is_alnum(c);
        *rune = c;
    }
    if (!ok)
        return parse_fail(p, "invalid escape sequence", parse_between(*text, t));
    *text = t;
    return true;
}

/* \p{name}, \pL and their negations. */
static bool read_unicode_class(struct parser *p, struct slice *text)
{
    struct slice t = slice_from(*text, 2), name;
    bool negated = text->data[1] == 'P';
    int32_t c = RUNE_ERROR;
    if (t.len > 0 && !parse_rune(p, &t, &c))
        return false;
    if (c != '{') {
        name = parse_between(slice_from(*text, 2), t);
    } else {
        const uint8_t *end = memchr(text->data, '}', text->len);
        if (!end)
            return parse_check_utf8(p, *text) && parse_fail(p, "invalid character class range", *text);
        name = slice_of(text->data + 3, (size_t)(end - text->data) - 3);
        t = slice_from(*text, (size_t)(end - text->data) + 1);
        if (!parse_check_utf8(p, name))
            return false;
    }
    struct slice bare = name;
    if (starts_with(name, 0, '^')) {
        negated = !negated;
        bare = slice_from(name, 1);
    }
    bool fold = p->flags & PARSE_FOLD, loose = p->flags & PARSE_LOOSE_NAMES;
    if (!class_add_unicode(&p->class, bare, negated, fold, loose, &p->scratch))
        return parse_fail(p, "invalid character class range", parse_between(*text, t));
    *text = t;
    return true;
}

bool parse_class_escape(struct parser *p, struct slice *text, bool *found)
{
    *found = false;
    if (text->len < 2 || text->data[0] != '\\')
        return true;
    if (text->data[1] == 'p' || text->data[1] == 'P') {
        *found = true;
        return read_unicode_class(p, text);
    }
    if (strchr("dDsSwW", text->data[1]) && text->data[1]) {
        *found = class_add_perl(&p->class, text->data[1], p->flags & PARSE_FOLD);
        *text = slice_from(*text, 2);
    }
    return true;
}

/* [:name:] inside of a bracket. */
static bool read_posix_class(struct parser *p, struct slice *text, bool *found)
{
    *found = false;
    const uint8_t *end = memmem(text->data + 2, text->len - 2, ":]", 2);
    if (!end)
        return true;
    size_t len = (size_t)(end - text->data);
    if (!class_add_posix(&p->class, slice_of(text->data + 2, len - 2), p->flags & PARSE_FOLD))
        return parse_fail(p, "invalid character class range", slice_of(text->data, len + 2));
    *found = true;
    *text = slice_from(*text, len + 2);
    return true;
}

static bool read_class_rune(struct parser *p, struct slice *text, struct slice bracket, int32_t *rune)
{
    if (text->len == 0)
        return parse_fail(p, "missing closing ]", bracket);
    return text->data[0] == '\\' ? parse_escape(p, text, rune) : parse_rune(p, text, rune);
}

/* One rune or a range of them. */
static bool read_class_range(struct parser *p, struct slice *text, struct slice bracket)
{
    struct slice start = *text;
    int32_t low, high;
    if (!read_class_rune(p, text, bracket, &low))
        return false;
    high = low;
    if (text->len >= 2 && text->data[0] == '-' && text->data[1] != ']') { /* [a-] is a or - */
        *text = slice_from(*text, 1);
        if (!read_class_rune(p, text, bracket, &high))
            return false;
        if (high < low)
            return parse_fail(p, "invalid character class range", parse_between(start, *text));
    }
    if (p->flags & PARSE_FOLD)
        class_add_folded(&p->class, low, high);
    else
        class_add(&p->class, low, high);
    return true;
}

bool parse_bracket(struct parser *p, struct slice *text)
{
    struct slice bracket = *text, t = slice_from(*text, 1);
    class_reset(&p->class);
    bool negated = starts_with(t, 0, '^');
    if (negated)
        t = slice_from(t, 1);
    for (bool first = true; t.len == 0 || t.data[0] != ']' || first; first = false) {
        bool found = false;
        if (t.len > 2 && t.data[0] == '[' && t.data[1] == ':' && !read_posix_class(p, &t, &found))
            return false;
        if (!found && !parse_class_escape(p, &t, &found))
            return false;
        if (!found && !read_class_range(p, &t, bracket))
            return false;
    }
    *text = slice_from(t, 1);
    class_clean(&p->class);
    if (negated)
        class_negate(&p->class);
    return true;
}
