/*
 * names.c - names that are no plain words, escaped so that they fit into a path or an old text format.
 *
 *     U__http_2e_status     stands for  http.status     ("values" escaping, undone for /label/<name>/values)
 *     http_status           stands for  http.status     ("underscores" escaping, of text expositions)
 */
#include "api/api_internal.h"

enum { HEX_DIGITS_MAX = 6 };

/* The rune between "_" and "_" in hex; false when the text is not such an escape. */
static bool take_rune(struct slice *s, uint32_t *rune)
{
    uint32_t v = 0;
    size_t i = 0;
    for (; i < s->len && s->data[i] != '_'; i++) {
        uint8_t c = s->data[i] | 0x20;
        unsigned digit = c >= 'a' && c <= 'f' ? c - 'a' + 10u : (unsigned)s->data[i] - '0';
        if (digit > 15 || i == HEX_DIGITS_MAX)
            return false;
        v = v << 4 | digit;
    }
    if (i == 0 || i == s->len || v > 0x10ffff || (v >= 0xd800 && v < 0xe000))
        return false;
    *rune = v;
    *s = slice_from(*s, i + 1);
    return true;
}

static void put_rune(struct buf *out, uint32_t r)
{
    if (r < 0x80) {
        buf_u8(out, (uint8_t)r);
        return;
    }
    int more = r < 0x800 ? 1 : r < 0x10000 ? 2 : 3;
    static const uint8_t lead[] = {0, 0xc0, 0xe0, 0xf0};
    buf_u8(out, (uint8_t)(lead[more] | r >> (6 * more)));
    while (more-- > 0)
        buf_u8(out, (uint8_t)(0x80 | ((r >> (6 * more)) & 0x3f)));
}

struct slice label_name_unescape(struct arena *arena, struct slice name)
{
    static const struct slice prefix = SLICE_LIT("U__");
    struct slice s = name;
    if (!slice_starts_with(s, prefix))
        return name;
    s = slice_from(s, prefix.len);
    struct buf out = {0};
    bool ok = true;
    while (s.len && ok) {
        uint8_t byte = s.data[0];
        uint32_t rune;
        s = slice_from(s, 1);
        if (byte != '_') {
            buf_u8(&out, byte);
        } else if (s.len && s.data[0] == '_') {
            buf_u8(&out, '_');
            s = slice_from(s, 1);
        } else {
            ok = take_rune(&s, &rune);
            if (ok)
                put_rune(&out, rune);
        }
    }
    struct slice result = ok ? arena_copy(arena, buf_view(&out)) : name; /* not an escape after all */
    buf_deinit(&out);
    return result;
}
