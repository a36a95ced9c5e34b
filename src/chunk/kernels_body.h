/*
 * kernels_body.h - the loops of struct kernels in plain C, compiled once per target.
 *
 * The including file defines TARGET (a function attribute or nothing).  No include guard on purpose.
 * Loops that end early work in steps of STEP values, so that the compiler can vectorise a step.
 */
#include <math.h>

#include "base/bytes.h"
#include "chunk/kernels_internal.h"

enum { STEP = 16 };

/* Adding and subtracting 1.5 * 2^52 rounds to the nearest whole number when |x| < 2^51; the sum's low bits are it. */
#define ROUND_MAGIC 6755399441055744.0
#define ROUND_LIMIT 2251799813685248.0

TARGET static void unpack_wide(const uint8_t *in, uint32_t n, unsigned width, uint64_t *out)
{
    uint64_t mask = width == 64 ? ~UINT64_C(0) : (UINT64_C(1) << width) - 1;
    uint64_t bit = 0;
    for (uint32_t i = 0; i < n; i++, bit += width) {
        const uint8_t *p = in + (bit >> 3);
        unsigned shift = bit & 7;
        uint64_t v = le64_get(p) >> shift;
        if (shift + width > 64)
            v |= (uint64_t)p[8] << (64 - shift);
        out[i] = v & mask;
    }
}

/* Up to 57 bits fit into one unaligned load; 8 values are `width` whole bytes. */
TARGET static inline void unpack_any(const uint8_t *in, uint32_t n, unsigned width, uint64_t *out)
{
    if (width == 0) {
        memset(out, 0, n * sizeof *out);
        return;
    }
    if (width > 57) {
        unpack_wide(in, n, width, out);
        return;
    }
    uint64_t mask = (UINT64_C(1) << width) - 1;
    uint32_t i = 0;
    for (; i + 8 <= n; i += 8, in += width)
        for (unsigned k = 0; k < 8; k++)
            out[i + k] = (le64_get(in + (k * width >> 3)) >> (k * width & 7)) & mask;
    for (unsigned k = 0; i < n; i++, k++)
        out[i] = (le64_get(in + (k * width >> 3)) >> (k * width & 7)) & mask;
}

TARGET static inline void rescale_any(uint64_t *x, uint32_t n, uint64_t base, uint64_t scale)
{
    if (scale == 1) {
        for (uint32_t i = 0; i < n; i++)
            x[i] += base;
        return;
    }
    for (uint32_t i = 0; i < n; i++)
        x[i] = base + x[i] * scale;
}

TARGET static inline uint64_t sum_any(uint64_t *x, uint32_t n, uint64_t carry, uint64_t base, uint64_t scale)
{
    for (uint32_t i = 0; i < n; i++) {
        carry += base + x[i] * scale;
        x[i] = carry;
    }
    return carry;
}

TARGET static inline uint64_t sum_zigzag_any(uint64_t *x, uint32_t n, uint64_t carry, uint64_t scale)
{
    for (uint32_t i = 0; i < n; i++) {
        carry += (uint64_t)zigzag_get(x[i]) * scale;
        x[i] = carry;
    }
    return carry;
}

TARGET static void to_double_any(const int64_t *in, uint32_t n, double *out)
{
    for (uint32_t i = 0; i < n; i++)
        out[i] = (double)in[i];
}

TARGET static void to_double_div_any(const int64_t *in, uint32_t n, double divisor, double *out)
{
    for (uint32_t i = 0; i < n; i++)
        out[i] = (double)in[i] / divisor;
}

TARGET static void to_double_mul_any(const int64_t *in, uint32_t n, double factor, double *out)
{
    for (uint32_t i = 0; i < n; i++)
        out[i] = (double)in[i] * factor;
}

enum fit_kind { FIT_INT, FIT_DIV, FIT_MUL };

/* Not 0 when v is no such multiple; NaN and infinities fail the range test. */
TARGET static inline uint64_t fit_one(enum fit_kind kind, double v, double scale, double factor, int64_t *out)
{
    double x = kind == FIT_INT ? v : v * scale;
    double rounded = x + ROUND_MAGIC;
    *out = (int64_t)(f64_bits(rounded) - f64_bits(ROUND_MAGIC));
    rounded -= ROUND_MAGIC;
    double again = kind == FIT_INT ? rounded : kind == FIT_DIV ? rounded / scale : rounded * factor;
    return (f64_bits(again) ^ f64_bits(v)) | (fabs(x) < ROUND_LIMIT ? 0 : 1);
}

TARGET static inline uint32_t fit_any(enum fit_kind kind, const double *v, uint32_t n, double scale, double factor,
                                      int64_t *out)
{
    uint32_t i = 0;
    for (; i + STEP <= n; i += STEP) {
        uint64_t bad = 0;
        for (uint32_t k = 0; k < STEP; k++)
            bad |= fit_one(kind, v[i + k], scale, factor, &out[i + k]);
        if (bad)
            break;
    }
    while (i < n && !fit_one(kind, v[i], scale, factor, &out[i]))
        i++;
    return i;
}

TARGET static uint32_t fit_int_any(const double *v, uint32_t n, int64_t *out)
{
    return fit_any(FIT_INT, v, n, 1, 1, out);
}

TARGET static uint32_t fit_div_any(const double *v, uint32_t n, double divisor, int64_t *out)
{
    return fit_any(FIT_DIV, v, n, divisor, 1, out);
}

TARGET static uint32_t fit_mul_any(const double *v, uint32_t n, double scale, double factor, int64_t *out)
{
    return fit_any(FIT_MUL, v, n, scale, factor, out);
}

/* Four histograms, because neighbours have the same length and would wait for each other's store. */
TARGET static void widths_any(const uint64_t *x, uint32_t n, uint16_t histogram[WIDTHS])
{
    uint16_t part[4][WIDTHS + 3] = {{0}};
    uint32_t i = 0;
    for (; i + 4 <= n; i += 4)
        for (unsigned k = 0; k < 4; k++)
            part[k][x[i + k] ? 64 - __builtin_clzll(x[i + k]) : 0]++;
    for (; i < n; i++)
        part[0][x[i] ? 64 - __builtin_clzll(x[i]) : 0]++;
    for (unsigned w = 0; w < WIDTHS; w++)
        histogram[w] = (uint16_t)(histogram[w] + part[0][w] + part[1][w] + part[2][w] + part[3][w]);
}

TARGET static uint32_t changes_any(const uint64_t *x, uint32_t n)
{
    uint64_t changes = 0;
    for (uint32_t i = 1; i < n; i++)
        changes += x[i] != x[i - 1];
    return (uint32_t)changes;
}

TARGET static bool contains_any(const uint64_t *x, uint32_t n, uint64_t needle)
{
    uint64_t found = 0;
    for (uint32_t i = 0; i < n; i++)
        found |= x[i] == needle;
    return found != 0;
}
