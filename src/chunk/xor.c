/*
 * xor.c - values as XOR with their predecessor; a bit stream, highest bit first.
 *
 *     first value 64 bits, then per value with x = value XOR previous:
 *     0                                            x = 0
 *     10  bits                                     x fits into the last window (leading zeros, trailing zeros)
 *     11  leading 5 bits, length-1 6 bits, bits    a new window; leading zeros above 31 count as 31
 *
 * The last resort for values that move without any pattern but share their top bits.
 */
#include "base/assert.h"
#include "chunk/floats_internal.h"

enum { LEADING_MAX = 31, LEADING_BITS = 5, LENGTH_BITS = 6, WINDOW_BITS = LEADING_BITS + LENGTH_BITS };

struct window {
    unsigned leading, length; /* length 0: none yet */
};

/* Whether x stays in the window; else moves the window.  A wide window is left when a new one is cheaper. */
static bool window_keep(struct window *w, uint64_t x)
{
    unsigned leading = (unsigned)__builtin_clzll(x), trailing = (unsigned)__builtin_ctzll(x);
    leading = leading > LEADING_MAX ? LEADING_MAX : leading;
    unsigned length = 64 - leading - trailing;
    if (w->length && leading >= w->leading && trailing >= 64 - w->leading - w->length &&
        w->length < length + WINDOW_BITS)
        return true;
    *w = (struct window){leading, length};
    return false;
}

size_t xor_bytes(const uint64_t *bits, uint32_t count)
{
    struct window w = {0};
    size_t total = 64;
    for (uint32_t i = 1; i < count; i++) {
        uint64_t x = bits[i] ^ bits[i - 1];
        if (x == 0)
            total += 1;
        else
            total += window_keep(&w, x) ? 2 + w.length : 2 + WINDOW_BITS + w.length;
    }
    return (total + 7) / 8;
}

struct bit_writer {
    uint8_t *p;
    uint64_t word; /* `used` bits at its top */
    unsigned used;
};

static void bit_put(struct bit_writer *w, uint64_t v, unsigned width)
{
    unsigned room = 64 - w->used;
    if (width < room) {
        w->word |= v << (room - width);
        w->used += width;
        return;
    }
    w->word |= v >> (width - room);
    be64_put(w->p, w->word);
    w->p += 8;
    w->used = width - room;
    w->word = w->used ? v << (64 - w->used) : 0;
}

void xor_put(const uint64_t *bits, uint32_t count, struct buf *out)
{
    size_t bytes = xor_bytes(bits, count);
    uint8_t *p = buf_reserve(out, bytes + 16); /* whole words are written */
    if (!p)
        return;
    struct bit_writer w = {.p = p};
    struct window window = {0};
    bit_put(&w, bits[0], 64);
    for (uint32_t i = 1; i < count; i++) {
        uint64_t x = bits[i] ^ bits[i - 1];
        if (x == 0) {
            bit_put(&w, 0, 1);
            continue;
        }
        if (window_keep(&window, x))
            bit_put(&w, 2, 2);
        else
            bit_put(&w, UINT64_C(3) << WINDOW_BITS | (uint64_t)window.leading << LENGTH_BITS | (window.length - 1),
                    2 + WINDOW_BITS);
        bit_put(&w, x >> (64 - window.leading - window.length), window.length);
    }
    be64_put(w.p, w.word);
    out->len += bytes;
}

/* The 64 bits from bit `at` on; zeros past the end. */
static uint64_t peek(const uint8_t *p, size_t len, size_t at)
{
    size_t byte = at >> 3;
    unsigned shift = at & 7;
    if (len >= 9 && byte <= len - 9) {
        uint64_t v = be64_get(p + byte) << shift;
        return shift ? v | (uint64_t)(p[byte + 8] >> (8 - shift)) : v;
    }
    uint8_t tail[16] = {0};
    if (byte < len)
        memcpy(tail, p + byte, len - byte < 9 ? len - byte : 9);
    uint64_t v = be64_get(tail) << shift;
    return shift ? v | (uint64_t)(tail[8] >> (8 - shift)) : v;
}

bool xor_get(const uint8_t *p, const uint8_t *end, uint32_t count, uint64_t *out)
{
    size_t len = (size_t)(end - p), at = 64;
    if (len < 8)
        return false;
    unsigned leading = 0, length = 0;
    uint64_t value = out[0] = be64_get(p);
    for (uint32_t i = 1; i < count; i++) {
        uint64_t head = peek(p, len, at);
        if (!(head >> 63)) {
            at += 1;
            out[i] = value;
            continue;
        }
        at += 2;
        if (head >> 62 & 1) {
            leading = (unsigned)(head >> (62 - LEADING_BITS)) & LEADING_MAX;
            length = ((unsigned)(head >> (62 - WINDOW_BITS)) & 63) + 1;
            at += WINDOW_BITS;
        }
        if (length == 0 || leading + length > 64)
            return false;
        value ^= peek(p, len, at) >> (64 - length) << (64 - leading - length);
        at += length;
        out[i] = value;
    }
    return (at + 7) / 8 == len;
}
