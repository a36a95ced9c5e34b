/*
 * gomath_exp.c - exponentials and powers, step by step as Go 1.26 computes them on amd64.
 *
 * exp follows Go's assembly for processors with FMA (every server; the reference is measured there):
 * n = round(x*log2 e), x reduced by n*ln 2 in two fused steps and by 16, a Taylor polynomial of degree 8,
 * four squarings in the form x*(x+2), the scale 2^n last.  exp2 is the FreeBSD msun rational, sinh the
 * rational of Hart and Cheney (2029), tanh that of Cephes.  Each operation stands in the order of the
 * original, because its rounding is what the results are compared by.
 */
#include "numeric/gomath.h"

#include <math.h>
#include <stdbool.h>

#include "base/bytes.h"

static inline __attribute__((always_inline)) double exp_fused(double x, int *exponent)
{
    static const double ln2_high = 0.69314718055966295651160180568695068359375;
    static const double ln2_low = 0.28235290563031577122588448175013436025525412068e-12;
    static const double log2e = 1.4426950408889634073599246810018920;
    double n = rint(x * log2e);
    *exponent = n < -100000 ? -100000 : (int)n;
    x = fma(-n, ln2_high, x);
    x = fma(-n, ln2_low, x);
    x *= 0.0625;
    double p = 2.4801587301587301587e-5;
    p = fma(p, x, 1.9841269841269841270e-4);
    p = fma(p, x, 1.3888888888888888889e-3);
    p = fma(p, x, 8.3333333333333333333e-3);
    p = fma(p, x, 4.1666666666666666667e-2);
    p = fma(p, x, 1.6666666666666666667e-1);
    p = fma(p, x, 0.5);
    p = fma(p, x, 1.0);
    x *= p;
    x *= x + 2;
    x *= x + 2;
    x *= x + 2;
    return fma(x + 2, x, 1.0);
}

#if defined(__x86_64__)
/* The same instructions inline where the processor has them; elsewhere the C library's exact fma. */
__attribute__((target("fma"))) static double exp_with_fma(double x, int *exponent)
{
    return exp_fused(x, exponent);
}

static double exp_mantissa(double x, int *exponent)
{
    return __builtin_cpu_supports("fma") ? exp_with_fma(x, exponent) : exp_fused(x, exponent);
}
#else
static double exp_mantissa(double x, int *exponent)
{
    return exp_fused(x, exponent);
}
#endif

double gomath_exp(double x)
{
    static const double overflow = 7.09782712893384e+02;
    if (isnan(x))
        return x;
    if (x > overflow)
        return INFINITY;
    if (x == -INFINITY)
        return 0;
    int exponent;
    double fraction = exp_mantissa(x, &exponent);
    int biased = exponent + 0x3ff;
    if (biased >= 0x7ff)
        return INFINITY;
    if (biased > 0)
        return fraction * f64_from_bits((uint64_t)biased << 52);
    if (biased < -52)
        return 0;
    /* A subnormal result is scaled twice; the first step is exact. */
    fraction *= f64_from_bits((uint64_t)(biased + 0x3fe) << 52);
    return fraction * 0x1p-1022;
}

/* e^r * 2^k with r = high - low, |r| <= ln(2)/2. */
static double exp_multi(double high, double low, int k)
{
    double r = high - low;
    double t = r * r;
    double p = -1.65339022054652515390e-06 + t * 4.13813679705723846039e-08;
    p = 6.61375632143793436117e-05 + t * p;
    p = -2.77777777770155933842e-03 + t * p;
    p = 1.66666666666666657415e-01 + t * p;
    double c = r - t * p;
    double y = 1 - ((low - (r * c) / (2 - c)) - high);
    return ldexp(y, k);
}

double gomath_exp2(double x)
{
    if (isnan(x))
        return x;
    if (x > 1.0239999999999999e+03)
        return INFINITY;
    if (x < -1.0740e+03)
        return 0;
    int k = 0;
    if (x > 0)
        k = (int)(x + 0.5);
    else if (x < 0)
        k = (int)(x - 0.5);
    double t = x - (double)k;
    return exp_multi(t * 6.93147180369123816490e-01, -t * 1.90821492927058770002e-10, k);
}

static bool is_odd_integer(double x)
{
    if (fabs(x) >= 0x1p53) /* all even from here on */
        return false;
    double whole;
    return modf(x, &whole) == 0 && ((int64_t)whole & 1) == 1;
}

/* x^y for x = +-0, y neither 0 nor 1 nor NaN. */
static double pow_of_zero(double x, double y)
{
    bool odd = is_odd_integer(y);
    if (y < 0)
        return signbit(x) && odd ? -INFINITY : INFINITY;
    return signbit(x) && odd ? x : 0;
}

/* y infinite or so large that it is an even integer. */
static double pow_to_huge(double x, double y)
{
    if (x == -1)
        return 1;
    return (fabs(x) < 1) == (y > 0) ? 0 : INFINITY;
}

/* a * x^i * 2^*exponent with |x^i| kept in [0.5, 1) by moving powers of two into *exponent. */
static double pow_by_squaring(double a, double x, int64_t i, int *exponent)
{
    int xe;
    double x1 = frexp(x, &xe);
    for (; i != 0; i >>= 1) {
        if (xe < -(1 << 12) || xe > 1 << 12) {
            *exponent += xe; /* over- or underflow is certain; stop before xe overflows */
            break;
        }
        if (i & 1) {
            a *= x1;
            *exponent += xe;
        }
        x1 *= x1;
        xe *= 2;
        if (x1 < .5) {
            x1 += x1;
            xe--;
        }
    }
    return a;
}

static double pow_finite(double x, double y)
{
    double whole, fraction = modf(fabs(y), &whole);
    if (fraction != 0 && x < 0)
        return f64_from_bits(UINT64_C(0x7ff8000000000001));
    if (whole >= 0x1p63)
        return pow_to_huge(x, y);
    double a = 1;
    int exponent = 0;
    if (fraction != 0) {
        if (fraction > 0.5) {
            fraction--;
            whole++;
        }
        a = gomath_exp(fraction * gomath_log(x));
    }
    a = pow_by_squaring(a, x, gomath_int64(whole), &exponent);
    if (y < 0) {
        a = 1 / a;
        exponent = -exponent;
    }
    return ldexp(a, exponent);
}

double gomath_pow(double x, double y)
{
    if (y == 0 || x == 1)
        return 1;
    if (y == 1)
        return x;
    if (isnan(x) || isnan(y))
        return f64_from_bits(UINT64_C(0x7ff8000000000001));
    if (x == 0)
        return pow_of_zero(x, y);
    if (isinf(y))
        return pow_to_huge(x, y);
    if (x == INFINITY)
        return y < 0 ? 0 : INFINITY;
    if (x == -INFINITY)
        return gomath_pow(1 / x, -y); /* -0 to the -y */
    if (y == 0.5)
        return sqrt(x);
    if (y == -0.5)
        return 1 / sqrt(x);
    return pow_finite(x, y);
}

double gomath_sinh(double x)
{
    double a = x < 0 ? -x : x, r; /* keeps -0 */
    if (a > 21) {
        r = gomath_exp(a) * 0.5;
    } else if (a > 0.5) {
        double e = gomath_exp(a);
        r = (e - 1 / e) * 0.5;
    } else {
        double sq = a * a;
        double p = (-0.2630563213397497062819489e+2 * sq + -0.2894211355989563807284660366e+4) * sq;
        p = (p + -0.8991272022039509355398013511e+5) * sq + -0.6307673640497716991184787251e+6;
        double q = (sq + -0.173678953558233699533450911e+3) * sq + 0.1521517378790019070696485176e+5;
        q = q * sq + -0.6307673640497716991212077277e+6;
        r = p * a / q;
    }
    return x < 0 ? -r : r;
}

double gomath_cosh(double x)
{
    x = fabs(x);
    if (x > 21)
        return gomath_exp(x) * 0.5;
    double e = gomath_exp(x);
    return (e + 1 / e) * 0.5;
}

double gomath_tanh(double x)
{
    double z = fabs(x);
    if (z > 0.5 * 8.8029691931113054295988e+01)
        return x < 0 ? -1 : 1;
    if (z >= 0.625) {
        double s = gomath_exp(2 * z);
        z = 1 - 2 / (s + 1);
        return x < 0 ? -z : z;
    }
    if (x == 0)
        return x;
    double s = x * x;
    double p = (-9.64399179425052238628e-1 * s + -9.92877231001918586564e1) * s + -1.61468768441708447952e3;
    double q = ((s + 1.12811678491632931402e2) * s + 2.23548839060100448583e3) * s + 4.84406305325125486048e3;
    return x + x * s * p / q;
}
