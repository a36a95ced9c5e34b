/*
 * gomath_trig.c - circular functions as in Go 1.26, which took them from Cephes.
 *
 * Arguments below 2^29 are reduced by pi/4 in three parts; larger ones by Payne and Hanek's method:
 * the product of the mantissa with those 192 bits of 4/pi that matter, in integers.
 */
#include "numeric/gomath.h"

#include <math.h>

#include "base/bytes.h"

static const double pi = 3.14159265358979323846264338327950288;
static const double pi_half = 1.57079632679489661923132169163975144;
static const double pi_quarter = 0.785398163397448309615660845819875721;

static double go_nan(void)
{
    return f64_from_bits(UINT64_C(0x7ff8000000000001));
}

/* 4/pi in binary: the sum of digit[i] * 2^(-64 i); 1217 bits, enough for the largest double. */
static const uint64_t four_over_pi[20] = {
    UINT64_C(0x0000000000000001), UINT64_C(0x45f306dc9c882a53), UINT64_C(0xf84eafa3ea69bb81),
    UINT64_C(0xb6c52b3278872083), UINT64_C(0xfca2c757bd778ac3), UINT64_C(0x6e48dc74849ba5c0),
    UINT64_C(0x0c925dd413a32439), UINT64_C(0xfc3bd63962534e7d), UINT64_C(0xd1046bea5d768909),
    UINT64_C(0xd338e04d68befc82), UINT64_C(0x7323ac7306a673e9), UINT64_C(0x3908bf177bf25076),
    UINT64_C(0x3ff12fffbc0b301f), UINT64_C(0xde5e2316b414da3e), UINT64_C(0xda6cfd9e4f96136e),
    UINT64_C(0x9e8c7ecd3cbfd45a), UINT64_C(0xea4f758fd7cbe2f6), UINT64_C(0x7a0e73ef14a525d4),
    UINT64_C(0xd7f6bf623f1aba10), UINT64_C(0xac06608df8f6d757),
};

/* 64 bits of 4/pi from bit `bit` on. */
static uint64_t four_over_pi_at(unsigned bit)
{
    unsigned digit = bit / 64, shift = bit % 64;
    uint64_t high = four_over_pi[digit] << shift;
    return shift ? high | four_over_pi[digit + 1] >> (64 - shift) : high;
}

/* x >= 2^29: returns the octant of x (mod 8, made even), the rest in [-pi/4, pi/4] in *z. */
static unsigned reduce_huge(double x, double *z)
{
    uint64_t bits = f64_bits(x);
    int exponent = (int)(bits >> 52 & 0x7ff) - 1023 - 52;
    uint64_t mantissa = (bits & UINT64_C(0x000fffffffffffff)) | UINT64_C(0x0010000000000000);
    unsigned bit = (unsigned)(exponent + 61);
    unsigned __int128 low_product = (unsigned __int128)four_over_pi_at(bit + 128) * mantissa;
    unsigned __int128 product = (unsigned __int128)four_over_pi_at(bit + 64) * mantissa;
    product += (uint64_t)(low_product >> 64);
    product += (unsigned __int128)(four_over_pi_at(bit) * mantissa) << 64;
    uint64_t high = (uint64_t)(product >> 64), low = (uint64_t)product;
    unsigned octant = (unsigned)(high >> 61);
    high = high << 3 | low >> 61;
    unsigned zeros = (unsigned)__builtin_clzll(high);
    uint64_t fraction = (high << zeros << 1) | low >> (63 - zeros);
    *z = f64_from_bits(fraction >> 12 | (uint64_t)(1023 - (zeros + 1)) << 52);
    if (octant & 1) {
        octant = (octant + 1) & 7;
        *z -= 1;
    }
    *z *= pi_quarter;
    return octant;
}

static unsigned reduce(double x, double *z)
{
    if (x >= 0x1p29)
        return reduce_huge(x, z);
    uint64_t j = (uint64_t)(x * 1.27323954473516268615107010698140931);
    j += j & 1; /* to even: zeros of the functions go to the origin */
    double y = (double)j;
    *z = ((x - y * 7.85398125648498535156e-1) - y * 3.77489470793079817668e-8) - y * 2.69515142907905952645e-15;
    return (unsigned)(j & 7);
}

static double sin_core(double z)
{
    double zz = z * z;
    double p = 1.58962301576546568060e-10 * zz + -2.50507477628578072866e-8;
    p = p * zz + 2.75573136213857245213e-6;
    p = p * zz + -1.98412698295895385996e-4;
    p = p * zz + 8.33333333332211858878e-3;
    p = p * zz + -1.66666666666666307295e-1;
    return z + z * zz * p;
}

static double cos_core(double z)
{
    double zz = z * z;
    double p = -1.13585365213876817300e-11 * zz + 2.08757008419747316778e-9;
    p = p * zz + -2.75573141792967388112e-7;
    p = p * zz + 2.48015872888517045348e-5;
    p = p * zz + -1.38888888888730564116e-3;
    p = p * zz + 4.16666666666665929218e-2;
    return 1.0 - 0.5 * zz + zz * zz * p;
}

double gomath_cos(double x)
{
    if (isnan(x) || isinf(x))
        return go_nan();
    double z;
    unsigned octant = reduce(fabs(x), &z);
    double y = octant == 2 || octant == 6 ? sin_core(z) : cos_core(z);
    return octant == 2 || octant == 4 ? -y : y;
}

double gomath_sin(double x)
{
    if (x == 0 || isnan(x))
        return x;
    if (isinf(x))
        return go_nan();
    double z;
    unsigned octant = reduce(fabs(x), &z);
    double y = octant == 2 || octant == 6 ? cos_core(z) : sin_core(z);
    return (x < 0) != (octant > 3) ? -y : y;
}

double gomath_tan(double x)
{
    if (x == 0 || isnan(x))
        return x;
    if (isinf(x))
        return go_nan();
    double z;
    unsigned octant = reduce(fabs(x), &z);
    double zz = z * z, y = z;
    if (zz > 1e-14) {
        double p = (-1.30936939181383777646e4 * zz + 1.15351664838587416140e6) * zz + -1.79565251976484877988e7;
        double q = (zz + 1.36812963470692954678e4) * zz + -1.32089234440210967447e6;
        q = (q * zz + 2.50083801823357915839e7) * zz + -5.38695755929454629881e7;
        y = z + z * (zz * p / q);
    }
    if (octant & 2)
        y = -1 / y;
    return x < 0 ? -y : y;
}

/* 0 <= x <= 0.66 */
static double atan_core(double x)
{
    double z = x * x;
    double p = (-8.750608600031904122785e-01 * z + -1.615753718733365076637e+01) * z;
    p = (p + -7.500855792314704667340e+01) * z + -1.228866684490136173410e+02;
    p = p * z + -6.485021904942025371773e+01;
    double q = ((z + 2.485846490142306297962e+01) * z + 1.650270098316988542046e+02) * z;
    q = (q + 4.328810604912902668951e+02) * z + 4.853903996359136964868e+02;
    q = q * z + 1.945506571482613964425e+02;
    z = z * p / q;
    return x * z + x;
}

static double atan_positive(double x)
{
    static const double more_bits = 6.123233995736765886130e-17; /* what pi/2 lost when it was rounded */
    if (x <= 0.66)
        return atan_core(x);
    if (x > 2.41421356237309504880) /* tan(3 pi / 8) */
        return pi_half - atan_core(1 / x) + more_bits;
    return pi_quarter + atan_core((x - 1) / (x + 1)) + 0.5 * more_bits;
}

double gomath_atan(double x)
{
    if (x == 0)
        return x;
    return x > 0 ? atan_positive(x) : -atan_positive(-x);
}

double gomath_asin(double x)
{
    if (x == 0)
        return x;
    double a = x < 0 ? -x : x;
    if (a > 1)
        return go_nan();
    double r = sqrt(1 - a * a);
    r = a > 0.7 ? pi_half - atan_positive(r / a) : atan_positive(a / r);
    return x < 0 ? -r : r;
}

double gomath_acos(double x)
{
    return pi_half - gomath_asin(x);
}

static double atan2_of_infinite_x(double y, double x)
{
    if (x > 0)
        return copysign(isinf(y) ? pi_quarter : 0, y);
    return copysign(isinf(y) ? 2.35619449019234492884698253745962716 : pi, y);
}

double gomath_atan2(double y, double x)
{
    if (isnan(y) || isnan(x))
        return go_nan();
    if (y == 0)
        return copysign(signbit(x) ? pi : 0, y);
    if (x == 0)
        return copysign(pi_half, y);
    if (isinf(x))
        return atan2_of_infinite_x(y, x);
    if (isinf(y))
        return copysign(pi_half, y);
    double q = gomath_atan(y / x);
    if (x >= 0)
        return q;
    return q <= 0 ? q + pi : q - pi;
}
