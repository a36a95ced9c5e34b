/*
 * kernels_internal.h - the inner loops of the codecs, one table per instruction set.
 *
 * The loops are written once (kernels_body.h) and compiled for each target; where the compiler does
 * not find the vector form, the target's file has its own.  All tables give the same bits: integer
 * loops wrap, and conversion, division and multiplication of doubles are IEEE operations done one by
 * one (no fused multiply-add, no reciprocals).
 *
 * Threads: tables are constant.  kernels() is set once, by whoever comes first.
 */
#ifndef CHUNK_KERNELS_INTERNAL_H
#define CHUNK_KERNELS_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>

enum {
    UNPACK_SLACK = 64, /* bytes that unpack may read past the packed ones */
    WIDTHS = 65,       /* bit lengths 0..64 */
};

/* How packed numbers become values again: x * scale + base, summed up or not. */
struct kernels {
    /* n values of `width` bits (0..64), lowest bit first; writes exactly n. */
    void (*unpack)(const uint8_t *in, uint32_t n, unsigned width, uint64_t *out);
    /* x[i] = base + x[i] * scale */
    void (*rescale)(uint64_t *x, uint32_t n, uint64_t base, uint64_t scale);
    /* x[i] = carry + sum of the first i + 1 of (base + x * scale); returns the last. */
    uint64_t (*sum)(uint64_t *x, uint32_t n, uint64_t carry, uint64_t base, uint64_t scale);
    /* The same with zigzag numbers instead of a base. */
    uint64_t (*sum_zigzag)(uint64_t *x, uint32_t n, uint64_t carry, uint64_t scale);
    /* int64 to double, then divided or multiplied; in and out do not overlap. */
    void (*to_double)(const int64_t *in, uint32_t n, double *out);
    void (*to_double_div)(const int64_t *in, uint32_t n, double divisor, double *out);
    void (*to_double_mul)(const int64_t *in, uint32_t n, double factor, double *out);

    /*
     * The whole numbers k with k / divisor (or k * factor) == v, bit by bit and |k| < 2^51; returns how
     * many from the start are such (a lower bound that is exact when it is below n).
     */
    uint32_t (*fit_int)(const double *v, uint32_t n, int64_t *out);
    uint32_t (*fit_div)(const double *v, uint32_t n, double divisor, int64_t *out);
    uint32_t (*fit_mul)(const double *v, uint32_t n, double scale, double factor, int64_t *out);
    /* Adds to histogram[bit length] for each value; n <= 256. */
    void (*widths)(const uint64_t *x, uint32_t n, uint16_t histogram[WIDTHS]);
    /* Number of i > 0 with x[i] != x[i-1]. */
    uint32_t (*changes)(const uint64_t *x, uint32_t n);
    /* Whether one of the values is `needle`. */
    bool (*contains)(const uint64_t *x, uint32_t n, uint64_t needle);
};

extern const struct kernels kernels_scalar;
#if defined(__x86_64__)
extern const struct kernels kernels_avx2, kernels_avx512;
#endif

const struct kernels *kernels_get(void);

#endif
