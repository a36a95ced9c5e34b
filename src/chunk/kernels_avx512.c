/*
 * kernels_avx512.c - AVX-512 with VBMI (Ice Lake, Zen 4 and later).
 *
 * Unpacking: 8 values of w bits are w whole bytes.  One 64-byte load, one byte permute that puts each
 * value's 8 source bytes into its lane, one variable shift, one mask.  Sums: three log steps inside the
 * vector, then the carry of the vector before.
 */
#if defined(__x86_64__)
#include <immintrin.h>

#define TARGET                                                                                                         \
    __attribute__((target("avx2,bmi,bmi2,lzcnt,popcnt,avx512f,avx512bw,avx512dq,avx512vl,avx512cd,avx512vbmi")))
#include "chunk/kernels_body.h"

TARGET static void unpack_512(const uint8_t *in, uint32_t n, unsigned width, uint64_t *out)
{
    if (width == 0 || width > 57) {
        unpack_any(in, n, width, out);
        return;
    }
    const __m512i lane = _mm512_set_epi64(7, 6, 5, 4, 3, 2, 1, 0);
    const __m512i bit = _mm512_mullo_epi64(lane, _mm512_set1_epi64((int64_t)width));
    const __m512i bytes =
        _mm512_add_epi64(_mm512_mullo_epi64(_mm512_srli_epi64(bit, 3), _mm512_set1_epi64(0x0101010101010101)),
                         _mm512_set1_epi64(0x0706050403020100));
    const __m512i shift = _mm512_and_si512(bit, _mm512_set1_epi64(7));
    const __m512i mask = _mm512_set1_epi64((int64_t)((UINT64_C(1) << width) - 1));
    for (uint32_t i = 0; i < n; i += 8, in += width) {
        __m512i v = _mm512_permutexvar_epi8(bytes, _mm512_loadu_si512(in));
        v = _mm512_and_si512(_mm512_srlv_epi64(v, shift), mask);
        if (n - i >= 8)
            _mm512_storeu_si512(out + i, v);
        else
            _mm512_mask_storeu_epi64(out + i, (__mmask8)((1u << (n - i)) - 1), v);
    }
}

/* Sums of 8 lanes: after three steps lane k holds the sum of lanes 0..k. */
TARGET static inline __m512i scan_512(__m512i v)
{
    const __m512i zero = _mm512_setzero_si512();
    v = _mm512_add_epi64(v, _mm512_alignr_epi64(v, zero, 7));
    v = _mm512_add_epi64(v, _mm512_alignr_epi64(v, zero, 6));
    return _mm512_add_epi64(v, _mm512_alignr_epi64(v, zero, 4));
}

TARGET static uint64_t sum_512(uint64_t *x, uint32_t n, uint64_t carry, uint64_t base, uint64_t scale)
{
    const __m512i last = _mm512_set1_epi64(7), add = _mm512_set1_epi64((int64_t)base);
    const __m512i mul = _mm512_set1_epi64((int64_t)scale);
    __m512i c = _mm512_set1_epi64((int64_t)carry);
    uint32_t i = 0;
    for (; i + 8 <= n; i += 8) {
        __m512i v = _mm512_loadu_si512(x + i);
        if (scale != 1)
            v = _mm512_mullo_epi64(v, mul);
        v = _mm512_add_epi64(scan_512(_mm512_add_epi64(v, add)), c);
        _mm512_storeu_si512(x + i, v);
        c = _mm512_permutexvar_epi64(last, v);
    }
    return sum_any(x + i, n - i, i ? x[i - 1] : carry, base, scale);
}

TARGET static uint64_t sum_zigzag_512(uint64_t *x, uint32_t n, uint64_t carry, uint64_t scale)
{
    const __m512i last = _mm512_set1_epi64(7), one = _mm512_set1_epi64(1), zero = _mm512_setzero_si512();
    const __m512i mul = _mm512_set1_epi64((int64_t)scale);
    __m512i c = _mm512_set1_epi64((int64_t)carry);
    uint32_t i = 0;
    for (; i + 8 <= n; i += 8) {
        __m512i v = _mm512_loadu_si512(x + i);
        v = _mm512_xor_si512(_mm512_srli_epi64(v, 1), _mm512_sub_epi64(zero, _mm512_and_si512(v, one)));
        if (scale != 1)
            v = _mm512_mullo_epi64(v, mul);
        v = _mm512_add_epi64(scan_512(v), c);
        _mm512_storeu_si512(x + i, v);
        c = _mm512_permutexvar_epi64(last, v);
    }
    return sum_zigzag_any(x + i, n - i, i ? x[i - 1] : carry, scale);
}

const struct kernels kernels_avx512 = {
    .unpack = unpack_512,
    .rescale = rescale_any,
    .sum = sum_512,
    .sum_zigzag = sum_zigzag_512,
    .to_double = to_double_any,
    .to_double_div = to_double_div_any,
    .to_double_mul = to_double_mul_any,
    .fit_int = fit_int_any,
    .fit_div = fit_div_any,
    .fit_mul = fit_mul_any,
    .widths = widths_any,
    .changes = changes_any,
    .contains = contains_any,
};
#else
typedef int kernels_avx512_not_here;
#endif
