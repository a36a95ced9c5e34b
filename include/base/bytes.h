/*
 * bytes.h - integers in bytes: fixed width in both orders, varint, zigzag.
 *
 * The get functions for fixed widths read unaligned bytes that the caller has checked to exist.
 * Varints are LEB128 as in protobuf: at most 10 bytes, and a reader never passes `end`.
 */
#ifndef BASE_BYTES_H
#define BASE_BYTES_H

#include <stdint.h>
#include <string.h>

enum { VARINT_BYTES_MAX = 10 };

#define BYTES_FIXED_(order, bits, swap)                                                            \
    static inline uint##bits##_t order##bits##_get(const void *p)                                  \
    {                                                                                              \
        uint##bits##_t v;                                                                          \
        memcpy(&v, p, sizeof v);                                                                   \
        return swap(v);                                                                            \
    }                                                                                              \
    static inline void order##bits##_put(void *p, uint##bits##_t v)                                \
    {                                                                                              \
        v = swap(v);                                                                               \
        memcpy(p, &v, sizeof v);                                                                   \
    }
#define BYTES_KEEP_(v) (v)
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
BYTES_FIXED_(le, 16, BYTES_KEEP_)
BYTES_FIXED_(le, 32, BYTES_KEEP_)
BYTES_FIXED_(le, 64, BYTES_KEEP_)
BYTES_FIXED_(be, 16, __builtin_bswap16)
BYTES_FIXED_(be, 32, __builtin_bswap32)
BYTES_FIXED_(be, 64, __builtin_bswap64)
#else
BYTES_FIXED_(be, 16, BYTES_KEEP_)
BYTES_FIXED_(be, 32, BYTES_KEEP_)
BYTES_FIXED_(be, 64, BYTES_KEEP_)
BYTES_FIXED_(le, 16, __builtin_bswap16)
BYTES_FIXED_(le, 32, __builtin_bswap32)
BYTES_FIXED_(le, 64, __builtin_bswap64)
#endif

static inline uint64_t zigzag_put(int64_t v)
{
    return ((uint64_t)v << 1) ^ (uint64_t)(v >> 63);
}

static inline int64_t zigzag_get(uint64_t v)
{
    return (int64_t)(v >> 1) ^ -(int64_t)(v & 1);
}

/* Writes at most VARINT_BYTES_MAX bytes and returns the first byte after them. */
static inline uint8_t *varint_put(uint8_t *p, uint64_t v)
{
    while (v >= 0x80) {
        *p++ = (uint8_t)(v | 0x80);
        v >>= 7;
    }
    *p++ = (uint8_t)v;
    return p;
}

/* Returns the first byte after the varint, or NULL when it is cut off or longer than 64 bits. */
static inline const uint8_t *varint_get(const uint8_t *p, const uint8_t *end, uint64_t *out)
{
    uint64_t v = 0;
    for (unsigned shift = 0; shift < 64 && p < end; shift += 7) {
        uint8_t byte = *p++;
        v |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            if (shift == 63 && byte > 1)
                return NULL;
            *out = v;
            return p;
        }
    }
    return NULL;
}

/* A double and its bits; never convert through a union or a cast elsewhere. */
static inline uint64_t f64_bits(double v)
{
    uint64_t bits;
    memcpy(&bits, &v, sizeof bits);
    return bits;
}

static inline double f64_from_bits(uint64_t bits)
{
    double v;
    memcpy(&v, &bits, sizeof v);
    return v;
}

#endif
