/*
 * bits.h - presence: one bit per step, 64 steps to a word.
 *
 * Absent is not NaN in PromQL, so values carry a mask beside them.  Bits past the last step are 0, which
 * lets whole words be compared and counted.
 *
 * Threads: any; plain memory.
 */
#ifndef PROMQL_BITS_H
#define PROMQL_BITS_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

static inline uint32_t bits_words(uint32_t count)
{
    return (count + 63) / 64;
}

static inline bool bits_get(const uint64_t *bits, uint32_t i)
{
    return bits[i >> 6] >> (i & 63) & 1;
}

static inline void bits_set(uint64_t *bits, uint32_t i)
{
    bits[i >> 6] |= UINT64_C(1) << (i & 63);
}

static inline void bits_clear(uint64_t *bits, uint32_t i)
{
    bits[i >> 6] &= ~(UINT64_C(1) << (i & 63));
}

/* The mask of the last word of `count` bits. */
static inline uint64_t bits_tail(uint32_t count)
{
    return count & 63 ? (UINT64_C(1) << (count & 63)) - 1 : ~UINT64_C(0);
}

static inline void bits_zero(uint64_t *bits, uint32_t count)
{
    memset(bits, 0, sizeof *bits * bits_words(count));
}

static inline void bits_fill(uint64_t *bits, uint32_t count)
{
    uint32_t words = bits_words(count);
    memset(bits, 0xff, sizeof *bits * words);
    if (words)
        bits[words - 1] = bits_tail(count);
}

/* Sets the bits [first, end). */
static inline void bits_set_run(uint64_t *bits, uint32_t first, uint32_t end)
{
    for (uint32_t i = first; i < end;) {
        uint32_t word_end = (i | 63) + 1 < end ? (i | 63) + 1 : end;
        bits[i >> 6] |= bits_tail(word_end - i) << (i & 63);
        i = word_end;
    }
}

static inline uint32_t bits_count(const uint64_t *bits, uint32_t count)
{
    uint32_t n = 0;
    for (uint32_t w = 0; w < bits_words(count); w++)
        n += (uint32_t)__builtin_popcountll(bits[w]);
    return n;
}

static inline bool bits_any(const uint64_t *bits, uint32_t count)
{
    for (uint32_t w = 0; w < bits_words(count); w++)
        if (bits[w])
            return true;
    return false;
}

static inline bool bits_all(const uint64_t *bits, uint32_t count)
{
    uint32_t words = bits_words(count);
    for (uint32_t w = 0; w + 1 < words; w++)
        if (bits[w] != ~UINT64_C(0))
            return false;
    return words == 0 || bits[words - 1] == bits_tail(count);
}

/* Index of the first set bit at or after `from`; `count` when there is none. */
static inline uint32_t bits_next(const uint64_t *bits, uint32_t from, uint32_t count)
{
    if (from >= count)
        return count;
    uint32_t w = from >> 6;
    uint64_t word = bits[w] & ~UINT64_C(0) << (from & 63);
    while (!word) {
        if (++w == bits_words(count))
            return count;
        word = bits[w];
    }
    return w * 64 + (uint32_t)__builtin_ctzll(word);
}

/* Index of the first bit at or after `from` that is not set; `count` when there is none. */
static inline uint32_t bits_next_clear(const uint64_t *bits, uint32_t from, uint32_t count)
{
    while (from < count) {
        uint64_t word = ~bits[from >> 6] & ~UINT64_C(0) << (from & 63);
        uint32_t i = (from & ~63u) + (word ? (uint32_t)__builtin_ctzll(word) : 64);
        if (word)
            return i < count ? i : count;
        from = i;
    }
    return count;
}

#define BITS_EACH(i, bits, count)                                                                                      \
    for (uint32_t i = bits_next((bits), 0, (count)); i < (count); i = bits_next((bits), i + 1, (count)))

#endif
