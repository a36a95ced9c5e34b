/* gomath.c - remainders, extremes and conversion as in Go; the transcendental functions have files of their own. */
#include "numeric/gomath.h"

#include "base/bytes.h"

double gomath_mod(double x, double y)
{
    return fmod(x, y); /* exact on both sides */
}

double gomath_max(double x, double y)
{
    if (x == INFINITY || y == INFINITY)
        return INFINITY;
    if (isnan(x) || isnan(y))
        return f64_from_bits(UINT64_C(0x7ff8000000000001));
    if (x == y)
        return signbit(x) ? y : x;
    return x > y ? x : y;
}

double gomath_min(double x, double y)
{
    if (x == -INFINITY || y == -INFINITY)
        return -INFINITY;
    if (isnan(x) || isnan(y))
        return f64_from_bits(UINT64_C(0x7ff8000000000001));
    if (x == y)
        return signbit(x) ? x : y;
    return x < y ? x : y;
}

int64_t gomath_int64(double x)
{
    return fabs(x) < 9223372036854775808.0 ? (int64_t)x : INT64_MIN;
}
