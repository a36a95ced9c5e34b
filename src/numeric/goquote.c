/* goquote.c - strings and runes quoted as Go's %q and %#U do. */
#include <stdbool.h>

#include "base/utf8.h"
#include "numeric/goformat.h"
#include "numeric/tables_internal.h"

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

static void append_utf8(struct buf *out, int32_t rune)
{
    uint8_t bytes[RUNE_BYTES_MAX];
    buf_append(out, bytes, utf8_encode(bytes, rune));
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
        int32_t rune = utf8_decode(text.data, text.data + text.len, &len);
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
