/*
 * floats_internal.h - payloads for doubles that are no short decimals: XOR stream and split bits.
 *
 * Each knows its exact size before writing, so that the best can be chosen.
 */
#ifndef CHUNK_FLOATS_INTERNAL_H
#define CHUNK_FLOATS_INTERNAL_H

#include "chunk/chunk.h"
#include "chunk/pfor_internal.h"

/* Gorilla: each value XOR the one before, leading and trailing zeros left out. */
size_t xor_bytes(const uint64_t *bits, uint32_t count);
void xor_put(const uint64_t *bits, uint32_t count, struct buf *out);
MUST_CHECK bool xor_get(const uint8_t *p, const uint8_t *end, uint32_t count, uint64_t *out);

/* ALP-RD: a dictionary for the few left parts (sign, exponent, top of the mantissa), raw right bits. */
enum { RD_LEFTS_MAX = 8 };
struct rd_plan {
    size_t bytes;
    unsigned right_bits;
    uint32_t left_count;
    uint16_t left[RD_LEFTS_MAX];
};
void rd_plan(const uint64_t *bits, uint32_t count, struct rd_plan *plan);
void rd_put(const uint64_t *bits, uint32_t count, const struct rd_plan *plan, struct buf *out);
MUST_CHECK bool rd_get(const uint8_t *p, const uint8_t *end, uint32_t count, uint64_t *out);

/* A bijection of double bits to int64 that keeps the order of numbers: neighbours differ by 1. */
static inline int64_t bits_order(uint64_t bits)
{
    return (int64_t)(bits ^ ((0 - (bits >> 63)) >> 1));
}

static inline uint64_t bits_unorder(int64_t order)
{
    return (uint64_t)order ^ ((0 - ((uint64_t)order >> 63)) >> 1);
}

#endif
