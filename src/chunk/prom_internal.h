/*
 * prom_internal.h - how Prometheus' chunks code a column of floats, shared by both kinds of chunks.
 */
#ifndef CHUNK_PROM_INTERNAL_H
#define CHUNK_PROM_INTERNAL_H

#include <stdbool.h>

#include "chunk/bits_internal.h"

enum {
    PROM_NO_WINDOW = 0xff,
    PROM_XOR_BITS_MAX = 2 + 5 + 6 + 64, /* of one value */
};

/* The previous value of a column and the window of bits that was written last. */
struct prom_column {
    uint64_t bits;
    uint8_t leading, trailing; /* leading PROM_NO_WINDOW: none yet */
};

/* Whether x fits n bits in Prometheus' sense: -(2^(n-1) - 1) .. 2^(n-1). */
static inline bool prom_fits(int64_t x, unsigned n)
{
    int64_t half = INT64_C(1) << (n - 1);
    return x >= 1 - half && x <= half;
}

void prom_put_value(struct bits *b, struct prom_column *column, double v);

#endif
