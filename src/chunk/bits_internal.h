/*
 * bits_internal.h - a stream of bits, the first one in the highest bit of the first byte.
 *
 * The caller has reserved enough room: nothing here checks it.
 */
#ifndef CHUNK_BITS_INTERNAL_H
#define CHUNK_BITS_INTERNAL_H

#include "base/bytes.h"

struct bits {
    uint8_t *next;    /* whole words have been written before it */
    uint64_t word;    /* the low `pending` bits are not written yet */
    unsigned pending; /* < 32 */
};

/* The low n bits of v, n <= 32. */
static inline void bits_put_short(struct bits *b, uint64_t v, unsigned n)
{
    b->word = b->word << n | (v & ((UINT64_C(1) << n) - 1));
    b->pending += n;
    if (b->pending >= 32) {
        b->pending -= 32;
        be32_put(b->next, (uint32_t)(b->word >> b->pending));
        b->next += 4;
    }
}

/* The low n bits of v, n <= 64. */
static inline void bits_put(struct bits *b, uint64_t v, unsigned n)
{
    if (n > 32) {
        bits_put_short(b, v >> 32, n - 32);
        n = 32;
    }
    bits_put_short(b, v, n);
}

/* The bytes of a varint, at any bit. */
static inline void bits_varint(struct bits *b, uint64_t v)
{
    uint8_t bytes[VARINT_BYTES_MAX];
    const uint8_t *end = varint_put(bytes, v);
    for (const uint8_t *p = bytes; p < end; p++)
        bits_put_short(b, *p, 8);
}

/* Fills the last byte with zeros and returns the end. */
static inline uint8_t *bits_finish(struct bits *b)
{
    while (b->pending > 0) {
        unsigned n = b->pending < 8 ? b->pending : 8;
        b->pending -= n;
        *b->next++ = (uint8_t)(b->word >> b->pending << (8 - n));
    }
    return b->next;
}

#endif
