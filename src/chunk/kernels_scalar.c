/* kernels_scalar.c - the loops for any CPU. */
#define TARGET
#include "chunk/kernels_body.h"

const struct kernels kernels_scalar = {
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
