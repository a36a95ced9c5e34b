/*
 * pfor_internal.h - unsigned numbers in bit-packed sub-blocks of 256, with patches for the outliers.
 *
 * Sub-block: header byte {width 0..64 | 0x80 when patched}; patched: count u8 (>= 1), patch width u8
 * (1..64 - width); the low `width` bits of all values packed; patched: for each patch its distance to
 * the patch before minus one (the first: its position) u8, then the high bits packed.
 *
 * Threads: any.
 */
#ifndef CHUNK_PFOR_INTERNAL_H
#define CHUNK_PFOR_INTERNAL_H

#include "base/buf.h"
#include "chunk/ints.h"
#include "chunk/kernels_internal.h"

enum { PFOR_SUB = 256, PFOR_SUBS_MAX = INTS_COUNT_MAX / PFOR_SUB };

/* The widths that cost least, one per sub-block, and the bytes that the numbers will take with them. */
struct pfor_plan {
    size_t bytes;
    uint8_t width[PFOR_SUBS_MAX];
};
void pfor_plan(const uint64_t *x, uint32_t n, struct pfor_plan *plan);
void pfor_put(const uint64_t *x, uint32_t n, const struct pfor_plan *plan, struct buf *out);
/* Returns the first byte after the numbers, NULL when they are cut off or malformed. */
const uint8_t *pfor_get(const uint8_t *p, const uint8_t *end, uint32_t n, uint64_t *out);

static inline size_t packed_bytes(uint32_t n, unsigned width)
{
    return ((size_t)n * width + 7) / 8;
}
/* Writes packed_bytes(n, width) bytes; values must fit. */
void bits_pack(const uint64_t *x, uint32_t n, unsigned width, struct buf *out);
/* Reads n values of `width` bits that lie at p; false when they pass end. */
bool bits_unpack(const uint8_t *p, const uint8_t *end, uint32_t n, unsigned width, uint64_t *out);

static inline unsigned bit_length(uint64_t v)
{
    return v ? 64 - (unsigned)__builtin_clzll(v) : 0;
}

#endif
