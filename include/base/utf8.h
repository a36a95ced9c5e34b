/*
 * utf8.h - runes in bytes, with Go's rule for what is not UTF-8: one byte, read as U+FFFD.
 */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { RUNE_ERROR = 0xfffd, RUNE_MAX = 0x10ffff, RUNE_BYTES_MAX = 4 };

static inline bool rune_valid(int32_t rune)
{
    return rune >= 0 && rune <= RUNE_MAX && !(rune >= 0xd800 && rune <= 0xdfff);
}

static inline bool utf8_continues_(const uint8_t *p, const uint8_t *end, int count)
{
    for (int i = 1; i <= count; i++)
        if (end - p <= i || (p[i] & 0xc0) != 0x80)
            return false;
    return true;
}

/* The rune at p < end; *len is 1 to 4.  RUNE_ERROR with *len 1: the byte starts no rune. */
static inline int32_t utf8_decode(const uint8_t *p, const uint8_t *end, size_t *len)
{
    int32_t rune;
    *len = 1;
    if (*p < 0x80)
        return *p;
    if (*p >= 0xc2 && *p < 0xe0 && utf8_continues_(p, end, 1)) {
        *len = 2;
        return (p[0] & 0x1f) << 6 | (p[1] & 0x3f);
    }
    if (*p >= 0xe0 && *p < 0xf0 && utf8_continues_(p, end, 2)) {
        rune = (p[0] & 0x0f) << 12 | (p[1] & 0x3f) << 6 | (p[2] & 0x3f);
        if (rune >= 0x800 && rune_valid(rune)) {
            *len = 3;
            return rune;
        }
    }
    if (*p >= 0xf0 && *p < 0xf5 && utf8_continues_(p, end, 3)) {
        rune = (p[0] & 7) << 18 | (p[1] & 0x3f) << 12 | (p[2] & 0x3f) << 6 | (p[3] & 0x3f);
        if (rune >= 0x10000 && rune <= RUNE_MAX) {
            *len = 4;
            return rune;
        }
    }
    return RUNE_ERROR;
}

/* Writes at most RUNE_BYTES_MAX bytes and returns how many; the rune is at most RUNE_MAX. */
static inline size_t utf8_encode(uint8_t *p, int32_t rune)
{
    if (rune < 0x80) {
        p[0] = (uint8_t)rune;
        return 1;
    }
    if (rune < 0x800) {
        p[0] = (uint8_t)(0xc0 | rune >> 6);
        p[1] = (uint8_t)(0x80 | (rune & 0x3f));
        return 2;
    }
    if (rune < 0x10000) {
        p[0] = (uint8_t)(0xe0 | rune >> 12);
        p[1] = (uint8_t)(0x80 | (rune >> 6 & 0x3f));
        p[2] = (uint8_t)(0x80 | (rune & 0x3f));
        return 3;
    }
    p[0] = (uint8_t)(0xf0 | rune >> 18);
    p[1] = (uint8_t)(0x80 | (rune >> 12 & 0x3f));
    p[2] = (uint8_t)(0x80 | (rune >> 6 & 0x3f));
    p[3] = (uint8_t)(0x80 | (rune & 0x3f));
    return 4;
}

#endif
