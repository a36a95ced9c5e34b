/* The vector kernels: every build performs the scalar specification's roundings, bit by bit. */
#include "promql/step_kernels.h"

#include <criterion/criterion.h>

#include "base/bytes.h"
#include "base/random.h"

enum { N = 203, ROUNDS = 300 };

/* Values that provoke rounding: zeros of both signs, infinities, NaN, denormals, 2^53 +- 1, huge and tiny. */
static double nasty(struct random *r)
{
    static const double special[] = {
        0,     -0.0,   INFINITY, -INFINITY, NAN, 5e-324, -5e-324, 9007199254740991, 9007199254740994,
        1e308, -1e308, 1e-308,   1,         -1,  0.1,    1e100};
    uint64_t pick = random_u64(r);
    if (pick % 4 == 0)
        return special[(pick >> 8) % (sizeof special / sizeof special[0])];
    if (pick % 4 == 1)
        return (double)(int64_t)(pick >> 40);
    return f64_from_bits(random_u64(r) & ~(UINT64_C(1) << 62));
}

static void fill(struct random *r, double *v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        v[i] = nasty(r);
}

/* NaN payloads may differ between builds. */
static bool same(double a, double b)
{
    return (isnan(a) && isnan(b)) || f64_bits(a) == f64_bits(b);
}

static void expect_same(const double *a, const double *b, size_t n, const char *what)
{
    for (size_t i = 0; i < n; i++)
        cr_assert(same(a[i], b[i]), "%s at %zu: %a, wanted %a", what, i, a[i], b[i]);
}

/* Straight from the definition, with a branch. */
static void spec_inc(double x, double *s, double *c)
{
    double t = *s + x;
    if (isinf(t))
        *c = 0;
    else if (fabs(*s) >= fabs(x))
        *c = *c + ((*s - t) + x);
    else
        *c = *c + ((x - t) + *s);
    *s = t;
}

Test(step_kernels, sums_like_the_specification)
{
    struct random_seeded seed;
    random_seeded_init(&seed, 1);
    for (unsigned build = 0; step_kernels_get(build); build++)
        for (int round = 0; round < ROUNDS; round++) {
            double s[N] = {0}, c[N] = {0}, s2[N] = {0}, c2[N] = {0}, x[N];
            for (int k = 0; k < 5; k++) {
                fill(&seed.base, x, N);
                bool infinite = step_kernels_get(build)->sum(s, c, x, N), wanted = false;
                for (int i = 0; i < N; i++) {
                    spec_inc(x[i], &s2[i], &c2[i]);
                    wanted |= isinf(s2[i]);
                }
                cr_assert_eq(infinite, wanted);
            }
            expect_same(s, s2, N, "sum");
            expect_same(c, c2, N, "compensation");
        }
}

/* Eight windows at a distance of `phases` in a series, as the kernels want them. */
static struct kernel_windows deal(double *out, const double *v, uint32_t phases, uint32_t start)
{
    uint32_t pitch = N / phases + 9;
    for (uint32_t i = 0; i < N; i++)
        out[i % phases * pitch + i / phases] = v[i];
    return (struct kernel_windows){out, pitch, phases, start};
}

static void spec_window(double w[14], const double *v, const double *t, double origin, uint32_t len)
{
    for (uint32_t i = 0; i < len; i++) {
        double x = v[i], at = (t[i] - origin) / 1000, d = x - (w[2] + w[3]);
        spec_inc(x, &w[0], &w[1]);
        spec_inc(d / (double)(i + 1), &w[2], &w[3]);
        spec_inc(d * (x - (w[2] + w[3])), &w[4], &w[5]);
        spec_inc(at, &w[6], &w[7]);
        spec_inc(x, &w[8], &w[9]);
        spec_inc(at * x, &w[10], &w[11]);
        spec_inc(at * at, &w[12], &w[13]);
    }
}

Test(step_kernels, windows_of_eight_equal_eight_windows)
{
    struct random_seeded seed;
    random_seeded_init(&seed, 2);
    for (unsigned build = 0; step_kernels_get(build); build++)
        for (int round = 0; round < ROUNDS; round++) {
            static double v[N], t[N], dealt_v[2 * N], dealt_t[2 * N];
            double s[8] = {0}, c[8] = {0}, m[8], cm[8], q[8], cq[8], sums[8][8], origin[8];
            uint32_t phases = 1 + (uint32_t)(random_u64(&seed.base) % 9);
            uint32_t start = (uint32_t)(random_u64(&seed.base) % 60);
            uint32_t len = (uint32_t)(random_u64(&seed.base) % (N - 60 - 7 * phases));
            fill(&seed.base, v, N);
            for (uint32_t i = 0; i < N; i++)
                t[i] = 1.7e12 + i * 15000 + (double)(random_u64(&seed.base) % 1000);
            struct kernel_windows dv = deal(dealt_v, v, phases, start), dt = deal(dealt_t, t, phases, start);
            for (uint32_t k = 0; k < 8; k++)
                origin[k] = t[start + k * phases];
            const struct step_kernels *kernels = step_kernels_get(build);
            kernels->window_sum(s, c, &dv, len);
            kernels->window_variance(m, cm, q, cq, &dv, len);
            kernels->window_regress(sums, &dv, &dt, origin, len);
            for (uint32_t k = 0; k < 8; k++) {
                double w[14] = {0};
                spec_window(w, v + start + k * phases, t + start + k * phases, origin[k], len);
                double got[14] = {s[k], c[k], m[k], cm[k], q[k], cq[k]};
                for (int i = 0; i < 8; i++)
                    got[6 + i] = sums[i][k];
                expect_same(got, w, 14, "window");
            }
        }
}

Test(step_kernels, minimum_keeps_the_first_of_equals_and_any_number_over_nan)
{
    struct random_seeded seed;
    random_seeded_init(&seed, 3);
    for (unsigned build = 0; step_kernels_get(build); build++)
        for (int round = 0; round < ROUNDS; round++) {
            double lo[N], hi[N], lo2[N], hi2[N], x[N];
            for (int i = 0; i < N; i++)
                lo[i] = hi[i] = lo2[i] = hi2[i] = NAN;
            for (int k = 0; k < 4; k++) {
                fill(&seed.base, x, N);
                step_kernels_get(build)->min(lo, x, N);
                step_kernels_get(build)->max(hi, x, N);
                for (int i = 0; i < N; i++) {
                    if (lo2[i] > x[i] || isnan(lo2[i]))
                        lo2[i] = x[i];
                    if (hi2[i] < x[i] || isnan(hi2[i]))
                        hi2[i] = x[i];
                }
            }
            expect_same(lo, lo2, N, "min");
            expect_same(hi, hi2, N, "max");
        }
}

Test(step_kernels, welford_is_not_compensated)
{
    struct random_seeded seed;
    random_seeded_init(&seed, 4);
    for (unsigned build = 0; step_kernels_get(build); build++)
        for (int round = 0; round < ROUNDS; round++) {
            double n[N] = {0}, m[N] = {0}, q[N] = {0}, n2[N] = {0}, m2[N] = {0}, q2[N] = {0}, x[N];
            for (int k = 0; k < 4; k++) {
                fill(&seed.base, x, N);
                step_kernels_get(build)->welford(n, m, q, x, N);
                for (int i = 0; i < N; i++) {
                    n2[i]++;
                    double d = x[i] - m2[i];
                    m2[i] += d / n2[i];
                    q2[i] += d * (x[i] - m2[i]);
                }
            }
            expect_same(m, m2, N, "mean");
            expect_same(q, q2, N, "squares");
        }
}

Test(step_kernels, drops_are_where_a_value_is_less_than_the_one_before)
{
    struct random_seeded seed;
    random_seeded_init(&seed, 5);
    for (unsigned build = 0; step_kernels_get(build); build++)
        for (int round = 0; round < ROUNDS; round++) {
            double v[N];
            uint32_t at[N], n = (uint32_t)(random_u64(&seed.base) % N), wanted = 0;
            fill(&seed.base, v, N);
            uint32_t count = step_kernels_get(build)->drops(at, v, n);
            for (uint32_t i = 1; i < n; i++)
                if (v[i] < v[i - 1]) {
                    cr_assert_lt(wanted, count);
                    cr_assert_eq(at[wanted++], i);
                }
            cr_assert_eq(wanted, count);
        }
}

Test(step_kernels, integers_exclude_fractions_nan_infinities_and_minus_zero)
{
    static const double wrong[] = {0.5, NAN, INFINITY, -0.0, 4503599627370496.0, -1e300, 1e-300};
    for (unsigned build = 0; step_kernels_get(build); build++) {
        const struct step_kernels *k = step_kernels_get(build);
        double v[N], most;
        for (int i = 0; i < N; i++)
            v[i] = i % 2 ? i : -i + (i == 0 ? 0.0 : 0);
        v[0] = 0;
        cr_assert(k->integers(v, N, &most), "%s", k->name);
        cr_assert_eq(most, N - 1);
        for (size_t w = 0; w < sizeof wrong / sizeof wrong[0]; w++)
            for (int i = 0; i < N; i += 7) {
                double kept = v[i];
                v[i] = wrong[w];
                cr_assert_not(k->integers(v, N, &most), "%s: %g at %d", k->name, wrong[w], i);
                v[i] = kept;
            }
    }
}

Test(step_kernels, contraction_is_off)
{
    volatile double a = 0.1, b = 10, c = -1;
    volatile double product = a * b;
    cr_assert_eq(a * b + c, product + c, "a fused multiply-add would give 5.55e-17");
}
