/*
 * step_kernels.h - the inner loops over steps: folding rows into accumulators, element-wise arithmetic,
 * windows summed eight at a time.
 *
 * Lanes are always independent steps (or windows), never series, so that vector code performs for each
 * step exactly the sequence of roundings that PromQL prescribes: every build gives the same bits (NaN
 * payloads aside).  Three builds exist, chosen once: baseline, AVX2, AVX-512.
 *
 * Threads: immutable tables, any.
 */
#ifndef PROMQL_STEP_KERNELS_H
#define PROMQL_STEP_KERNELS_H

#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { KERNEL_LANES = 8 };

/* One compensated addition: *sum is the naive running sum, the result is *sum + *c at the end. */
static inline void kernel_inc(double x, double *sum, double *c)
{
    double s = *sum, t = s + x;
    bool larger = fabs(s) >= fabs(x);
    double big = larger ? s : x, small = larger ? x : s;
    double carry = *c + ((big - t) + small);
    *c = fabs(t) > DBL_MAX ? 0 : carry;
    *sum = t;
}

/*
 * Eight windows side by side: value i of window k is v[(start + i) % phases * pitch + (start + i) / phases + k],
 * so that the eight lie together.  Windows that start `phases` values after each other need one copy of the
 * series for all of them; others are copied value by value (phases = their length, pitch = 8, start = 0).
 */
struct kernel_windows {
    const double *v;
    size_t pitch;
    uint32_t phases, start;
};

struct step_kernels {
    const char *name; /* "baseline", "avx2", "avx512" */

    /* Fold a row of n present values into the accumulators of its group. */
    bool (*sum)(double *restrict sum, double *restrict c, const double *restrict x,
                size_t n);                                                 /* true: some sum is infinite */
    void (*min)(double *restrict acc, const double *restrict x, size_t n); /* acc starts as NaN */
    void (*max)(double *restrict acc, const double *restrict x, size_t n);
    void (*welford)(double *restrict n, double *restrict mean, double *restrict m2, const double *restrict x,
                    size_t count);

    /* out[i] = a[i] op b[i]; out may be a or b. */
    void (*add)(double *out, const double *a, const double *b, size_t n);
    void (*sub)(double *out, const double *a, const double *b, size_t n);
    void (*mul)(double *out, const double *a, const double *b, size_t n);
    void (*div)(double *out, const double *a, const double *b, size_t n);

    /*
     * KERNEL_LANES windows of `len` values each.  Sums continue what sum and c hold, so that ragged ends can
     * be done apart; variances and regressions start with the first value of a window.
     */
    void (*window_sum)(double *restrict sum, double *restrict c, const struct kernel_windows *v, uint32_t len);
    void (*window_variance)(double *restrict mean, double *restrict cmean, double *restrict m2, double *restrict cm2,
                            const struct kernel_windows *v, uint32_t len);
    /* Sums of x, y, x*y, x*x with x = (time - origin) / 1000, four pairs of sum and compensation each. */
    void (*window_regress)(double sums[8][KERNEL_LANES], const struct kernel_windows *v,
                           const struct kernel_windows *times_ms, const double *origin_ms, uint32_t len);

    /* Positions p in 1..n-1 with v[p] < v[p-1], ascending; returns how many. */
    uint32_t (*drops)(uint32_t *positions, const double *v, uint32_t n);
    bool (*any_stale)(const double *v, size_t n); /* stale markers */
    /* Whether all are integers below 2^52 in size and none is -0; *most is the largest size. */
    bool (*integers)(const double *v, size_t n, double *most);
};

/* The best build that this CPU runs. */
const struct step_kernels *step_kernels_best(void);
/* Build i, best last; NULL past the end or when this CPU cannot run it (tests compare them all). */
const struct step_kernels *step_kernels_get(unsigned i);

#endif
