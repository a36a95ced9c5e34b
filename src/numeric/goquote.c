/* goquote.c - strings and runes quoted as Go's %q and %#U do. */
#include <stdbool.h>

#include "numeric/goformat.h"
#include "numeric/tables_internal.h"

enum { RUNE_ERROR = 0xfffd, RUNE_MAX = 0x10ffff };

static bool rune_printable(int32_t rune)
{
    if (rune < 0x7f)
        return rune >= 0x20;
    int low = 0, high = PRINTABLE_RANGES; /* ranges before low end before rune, from high on begin after it */
    while (low < high) {
        int middle = low + (high - low) / 2;
        if (printable_ranges[middle].last < rune)
            low = middle + 1;
        else if (printable_ranges[middle].first > rune)
            high = middle;
        else
            return true;
    }
    return false;
}

static bool rune_valid(int32_t rune)
{
    return rune >= 0 && rune <= RUNE_MAX && !(rune >= 0xd800 && rune <= 0xdfff);
}

static bool is_continuation(struct slice s, size_t i)
{
    return i < s.len && (s.data[i] & 0xc0) == 0x80;
}

/* The first rune of s and its length; RUNE_ERROR and 1 where s is not UTF-8. */
static int32_t rune_decode(struct slice s, size_t *len)
{
    uint8_t a = s.data[0];
    *len = 1;
    if (a < 0x80)
        return a;
    int32_t rune = RUNE_ERROR;
    if (a >= 0xc2 && a < 0xe0 && is_continuation(s, 1)) {
        *len = 2;
        return (a & 0x1f) << 6 | (s.data[1] & 0x3f);
    }
    if (a >= 0xe0 && a < 0xf0 && is_continuation(s, 1) && is_continuation(s, 2)) {
        rune = (a & 0x0f) << 12 | (s.data[1] & 0x3f) << 6 | (s.data[2] & 0x3f);
        if (rune >= 0x800 && rune_valid(rune)) {
            *len = 3;
            return rune;
        }
    }
    if (a >= 0xf0 && a < 0xf5 && is_continuation(s, 1) && is_continuation(s, 2) && is_continuation(s, 3)) {
        rune = (a & 7) << 18 | (s.data[1] & 0x3f) << 12 | (s.data[2] & 0x3f) << 6 | (s.data[3] & 0x3f);
        if (rune >= 0x10000 && rune <= RUNE_MAX) {
            *len = 4;
            return rune;
        }
    }
    return RUNE_ERROR;
}

static void append_utf8(struct buf *out, int32_t rune)
{
    if (rune < 0x80) {
        buf_u8(out, (uint8_t)rune);
    } else if (rune < 0x800) {
        buf_u8(out, (uint8_t)(0xc0 | rune >> 6));
        buf_u8(out, (uint8_t)(0x80 | (rune & 0x3f)));
    } else {
        if (rune < 0x10000) {
            buf_u8(out, (uint8_t)(0xe0 | rune >> 12));
        } else {
            buf_u8(out, (uint8_t)(0xf0 | rune >> 18));
            buf_u8(out, (uint8_t)(0x80 | (rune >> 12 & 0x3f)));
        }
        buf_u8(out, (uint8_t)(0x80 | (rune >> 6 & 0x3f)));
        buf_u8(out, (uint8_t)(0x80 | (rune & 0x3f)));
    }
}

static void append_escaped(struct buf *out, int32_t rune, char quote)
{
    static const char controls[] = "abtnvfr"; /* 7 to 13 */
    if (rune == quote || rune == '\\')
        buf_printf(out, "\\%c", (char)rune);
    else if (rune_printable(rune))
        append_utf8(out, rune);
    else if (rune >= 7 && rune <= 13)
        buf_printf(out, "\\%c", controls[rune - 7]);
    else if (rune < ' ' || rune == 0x7f)
        buf_printf(out, "\\x%02x", (unsigned)rune);
    else if (rune < 0x10000)
        buf_printf(out, "\\u%04x", (unsigned)rune);
    else
        buf_printf(out, "\\U%08x", (unsigned)rune);
}

void goformat_quote(struct buf *out, struct slice text)
{
    buf_u8(out, '"');
    while (text.len > 0) {
        size_t len;
        int32_t rune = rune_decode(text, &len);
        if (rune == RUNE_ERROR && len == 1)
            buf_printf(out, "\\x%02x", text.data[0]);
        else
            append_escaped(out, rune, '"');
        text = slice_from(text, len);
    }
    buf_u8(out, '"');
}

void goformat_quote_rune(struct buf *out, int32_t rune)
{
    buf_u8(out, '\'');
    append_escaped(out, rune_valid(rune) ? rune : RUNE_ERROR, '\'');
    buf_u8(out, '\'');
}

void goformat_unicode(struct buf *out, int32_t rune)
{
    buf_printf(out, "U+%04X", (unsigned)rune);
    if (rune_valid(rune) && rune_printable(rune)) {
        buf_str(out, " '");
        append_utf8(out, rune);
        buf_u8(out, '\'');
    }
}
