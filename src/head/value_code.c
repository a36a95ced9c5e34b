/* value_code.c - what is not on the hot path of value_code_internal.h, and the way back. */
#include "head/value_code_internal.h"

uint8_t decimal_scale_find(double value)
{
    for (uint8_t i = 0; i < DECIMAL_SCALES; i++) {
        double shifted = value * decimal_scale[i] + DECIMAL_MAGIC;
        if (decimal_in_range(shifted) && f64_bits((shifted - DECIMAL_MAGIC) / decimal_scale[i]) == f64_bits(value))
            return i;
    }
    return SCALE_REST + SCALE_REST_VALUES;
}

/* before + d units of the last decimal. */
static bool decimal_apply(uint64_t before, unsigned exponent, int64_t d, uint64_t *bits)
{
    double scale = decimal_scale[exponent], from = f64_from_bits(before) * scale + DECIMAL_MAGIC;
    if (!decimal_in_range(from))
        return false;
    int64_t n = (int64_t)(f64_bits(from) - f64_bits(DECIMAL_MAGIC)) + d;
    *bits = f64_bits((double)n / scale);
    return true;
}

bool decimal_get(uint8_t control, uint64_t payload, uint64_t before, uint64_t *bits)
{
    unsigned high = control >> 4;
    if ((control & 15) == VALUE_STEP)
        return decimal_apply(before, 0, high < STEP_UP_MAX ? (int64_t)high + 1 : (int64_t)high - 16, bits);
    int64_t d = (int64_t)payload;
    return decimal_apply(before, high % DECIMAL_SCALES, high & DECIMAL_NEGATIVE ? -d : d, bits);
}
