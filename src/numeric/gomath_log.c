/*
 * gomath_log.c - logarithms and the inverse hyperbolic functions, in Go 1.26's order of operations.
 *
 * log is FreeBSD's msun log with the polynomial in s^4 split in two; Go's amd64 assembly takes the
 * exponent field as it is, so a subnormal argument gets the logarithm of another number: that is
 * reproduced.  log2 normalises first and is right for subnormals.  log1p is FreeBSD's.
 */
#include "numeric/gomath.h"

#include <math.h>
#include <stdbool.h>

#include "base/bytes.h"

static const double ln2_high = 6.93147180369123816490e-01;
static const double ln2_low = 1.90821492927058770002e-10;

static double go_nan(void)
{
    return f64_from_bits(UINT64_C(0x7ff8000000000001));
}

double gomath_log(double x)
{
    uint64_t bits = f64_bits(x);
    if (x == 0)
        return -INFINITY;
    if ((int64_t)bits < 0)
        return go_nan();
    if (bits >= UINT64_C(0x7ff0000000000000))
        return x;
    double f1 = f64_from_bits((bits & UINT64_C(0x000fffffffffffff)) | UINT64_C(0x3fe0000000000000));
    double k = (double)((int)(bits >> 52) - 0x3fe);
    if (f1 <= 7.07106781186547524401e-01) {
        f1 *= 2;
        k -= 1;
    }
    double f = f1 - 1;
    double s = f / (2 + f);
    double s2 = s * s;
    double s4 = s2 * s2;
    double t1 = 1.818357216161805012e-01 + s4 * 1.479819860511658591e-01;
    t1 = 2.857142874366239149e-01 + s4 * t1;
    t1 = s2 * (6.666666666666735130e-01 + s4 * t1);
    double t2 = 2.222219843214978396e-01 + s4 * 1.531383769920937332e-01;
    t2 = s4 * (3.999999999940941908e-01 + s4 * t2);
    double r = t1 + t2;
    double hfsq = 0.5 * f * f;
    return k * ln2_high - ((hfsq - (s * (hfsq + r) + k * ln2_low)) - f);
}

double gomath_log10(double x)
{
    return gomath_log(x) * 0.43429448190325182765112891891660508;
}

double gomath_log2(double x)
{
    int exponent;
    if (isnan(x) || isinf(x) || x == 0)
        return gomath_log(x) * 1.44269504088896340735992468100189214;
    double fraction = frexp(x, &exponent);
    if (fraction == 0.5)
        return (double)(exponent - 1);
    return gomath_log(fraction) * 1.44269504088896340735992468100189214 + (double)exponent;
}

/* 1 + x as 2^k * (1 + f), what rounding lost in c; *small tells that |f| < 2^-20. */
static double log1p_reduce(double x, int *k_out, double *c_out, bool *small)
{
    double u = x, c = 0;
    int k;
    if (fabs(x) < 0x1p53) {
        u = 1.0 + x;
        k = (int)((f64_bits(u) >> 52) - 1023);
        c = k > 0 ? 1.0 - (u - x) : x - (u - 1.0);
        c /= u;
    } else {
        k = (int)((f64_bits(u) >> 52) - 1023);
    }
    uint64_t mantissa = f64_bits(u) & UINT64_C(0x000fffffffffffff);
    if (mantissa < UINT64_C(0x0006a09e667f3bcd)) { /* of sqrt(2) */
        u = f64_from_bits(mantissa | UINT64_C(0x3ff0000000000000));
    } else {
        k++;
        u = f64_from_bits(mantissa | UINT64_C(0x3fe0000000000000));
        mantissa = (UINT64_C(0x0010000000000000) - mantissa) >> 2;
    }
    *k_out = k;
    *c_out = c;
    *small = mantissa == 0;
    return u - 1.0;
}

static double log1p_small(double f, double hfsq, int k, double c)
{
    if (f == 0)
        return k == 0 ? 0 : (double)k * ln2_high + (c + (double)k * ln2_low);
    double r = hfsq * (1.0 - 0.66666666666666666 * f);
    if (k == 0)
        return f - r;
    return (double)k * ln2_high - ((r - ((double)k * ln2_low + c)) - f);
}

double gomath_log1p(double x)
{
    static const double sqrt2_minus1 = 4.142135623730950488017e-01;
    static const double sqrt_half_minus1 = -2.928932188134524755992e-01;
    if (x < -1 || isnan(x))
        return go_nan();
    if (x == -1)
        return -INFINITY;
    if (x == INFINITY)
        return INFINITY;
    if (fabs(x) < 0x1p-54)
        return x;
    if (fabs(x) < 0x1p-29)
        return x - x * x * 0.5;
    double f = x, c = 0;
    int k = 0;
    bool small = false;
    if (!(fabs(x) < sqrt2_minus1 && x > sqrt_half_minus1))
        f = log1p_reduce(x, &k, &c, &small);
    double hfsq = 0.5 * f * f;
    if (small)
        return log1p_small(f, hfsq, k, c);
    double s = f / (2.0 + f);
    double z = s * s;
    double p = 1.531383769920937332e-01 + z * 1.479819860511658591e-01;
    p = 1.818357216161805012e-01 + z * p;
    p = 2.222219843214978396e-01 + z * p;
    p = 2.857142874366239149e-01 + z * p;
    p = 3.999999999940941908e-01 + z * p;
    double r = z * (6.666666666666735130e-01 + z * p);
    if (k == 0)
        return f - (hfsq - s * (hfsq + r));
    return (double)k * ln2_high - ((hfsq - (s * (hfsq + r) + ((double)k * ln2_low + c))) - f);
}

double gomath_asinh(double x)
{
    if (isnan(x) || isinf(x))
        return x;
    double a = x < 0 ? -x : x, r;
    if (a > 0x1p28)
        r = gomath_log(a) + 6.93147180559945286227e-01;
    else if (a > 2)
        r = gomath_log(2 * a + 1 / (sqrt(a * a + 1) + a));
    else if (a < 0x1p-28)
        r = a;
    else
        r = gomath_log1p(a + a * a / (1 + sqrt(1 + a * a)));
    return x < 0 ? -r : r;
}

double gomath_acosh(double x)
{
    if (x < 1 || isnan(x))
        return go_nan();
    if (x == 1)
        return 0;
    if (x >= 0x1p28)
        return gomath_log(x) + 0.693147180559945309417232121458176568;
    if (x > 2)
        return gomath_log(2 * x - 1 / (x + sqrt(x * x - 1)));
    double t = x - 1;
    return gomath_log1p(t + sqrt(2 * t + t * t));
}

double gomath_atanh(double x)
{
    if (x < -1 || x > 1 || isnan(x))
        return go_nan();
    if (fabs(x) == 1)
        return copysign(INFINITY, x);
    double a = x < 0 ? -x : x, r;
    if (a < 0x1p-28) {
        r = a;
    } else if (a < 0.5) {
        double twice = a + a;
        r = 0.5 * gomath_log1p(twice + twice * a / (1 - a));
    } else {
        r = 0.5 * gomath_log1p((a + a) / (1 - a));
    }
    return x < 0 ? -r : r;
}
