/*
 * kernels_avx2.c - the plain loops compiled for AVX2 and BMI2.
 *
 * Bit unpacking stays scalar here: one load, shift and mask per value beat the gathers that AVX2
 * would need, and BMI2 has the three-operand shift.
 */
#if defined(__x86_64__)
#define TARGET __attribute__((target("avx2,bmi,bmi2,lzcnt,popcnt")))
#include "chunk/kernels_body.h"

const struct kernels kernels_avx2 = {
    .unpack = unpack_any,
    .rescale = rescale_any,
    .sum = sum_any,
    .sum_zigzag = sum_zigzag_any,
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
typedef int kernels_avx2_not_here;
#endif
