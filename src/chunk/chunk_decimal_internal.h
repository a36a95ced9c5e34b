/*
 * chunk_decimal_internal.h - doubles that are whole numbers over a power of ten, which most metrics are.
 *
 * Two readings: k / 10^e as parsers produce from text ("0.25"), and k * 10^-e as programs compute
 * (milliseconds * 0.001).  Both are decided by computing the value again and comparing all 64 bits,
 * so the decoder's one operation is exact by construction.
 */
#ifndef CHUNK_CHUNK_DECIMAL_INTERNAL_H
#define CHUNK_CHUNK_DECIMAL_INTERNAL_H

#include "chunk/chunk.h"
#include "chunk/kernels_internal.h"

enum { DECIMAL_EXPONENT_MAX = 15 };

/* 10^e, exact, and the double nearest to 10^-e. */
extern const double decimal_power[DECIMAL_EXPONENT_MAX + 1];
extern const double decimal_inverse[DECIMAL_EXPONENT_MAX + 1];

/* A chunk as whole numbers; where a value is none, its position is listed and k repeats its neighbour. */
struct decimal {
    unsigned exponent;
    uint32_t exception_count;
    uint16_t exception[CHUNK_SAMPLES_MAX / 16 + 1];
    int64_t k[CHUNK_SAMPLES_MAX];
};

/* False when more than one value in 16 does not fit; exponent: where to start looking. */
bool decimal_divide(const double *values, uint32_t count, unsigned exponent, struct decimal *out);
bool decimal_multiply(const double *values, uint32_t count, struct decimal *out);
/* One value; the smallest exponent from `from` on. */
bool decimal_one(double v, unsigned from, unsigned *exponent, int64_t *k);

#endif
