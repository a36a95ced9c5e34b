/*
 * gomath.h - mathematical functions with the bits of Go 1.26 on amd64, because PromQL promises them.
 *
 * The C library's functions differ from Go's in the last bits (pow on 59 % of arguments, sin on 25 %),
 * so everything but + - * / sqrt floor ceil trunc fabs fmod frexp ldexp comes from here.  Fused
 * multiply-add happens exactly where Go's assembly has one (exp); build with -ffp-contract=off.
 *
 * Threads: any; no state, no errno.
 */
#ifndef NUMERIC_GOMATH_H
#define NUMERIC_GOMATH_H

#include <float.h>
#include <math.h>
#include <stdint.h>

double gomath_exp(double x);
double gomath_exp2(double x);
double gomath_log(double x);
double gomath_log2(double x);
double gomath_log10(double x);
double gomath_log1p(double x);
double gomath_pow(double x, double y);

double gomath_sin(double x);
double gomath_cos(double x);
double gomath_tan(double x);
double gomath_asin(double x);
double gomath_acos(double x);
double gomath_atan(double x);
double gomath_atan2(double y, double x);

double gomath_sinh(double x);
double gomath_cosh(double x);
double gomath_tanh(double x);
double gomath_asinh(double x);
double gomath_acosh(double x);
double gomath_atanh(double x);

double gomath_mod(double x, double y); /* sign of x; mod(x, 0) is NaN, mod(x, +-Inf) is x */
/* Go's, not C's: an infinity wins over NaN, else NaN wins; max(-0, +0) is +0, min(-0, +0) is -0. */
double gomath_max(double x, double y);
double gomath_min(double x, double y);

/* int64(x) as amd64 converts: toward zero; NaN, infinities and what does not fit are INT64_MIN. */
int64_t gomath_int64(double x);

/* One step of Neumaier's compensated sum (PromQL's sum, avg ...): the result is *sum + *c at the end. */
static inline void gomath_kahan_add(double x, double *sum, double *c)
{
    double t = *sum + x;
    if (fabs(t) > DBL_MAX)
        *c = 0;
    else if (fabs(*sum) >= fabs(x))
        *c += (*sum - t) + x;
    else
        *c += (x - t) + *sum;
    *sum = t;
}

#endif
