/*
 * step_kernels_build.h - one build of the kernels; step_kernels.c includes it once per instruction set.
 *
 * Simple loops are left to the compiler; those with a compensated sum use explicit lanes, because
 * selects between doubles are not vectorized otherwise.  KERNEL(name) is the function's name in this
 * build, KERNEL_TARGET its attribute.
 */

#define WIDTH KERNEL_WIDTH                  /* doubles in a register of this build */
#define PARTS (KERNEL_LANES / KERNEL_WIDTH) /* registers for eight windows */
typedef double KERNEL(f64) __attribute__((vector_size(8 * WIDTH)));
typedef int64_t KERNEL(i64) __attribute__((vector_size(8 * WIDTH)));
struct KERNEL(lanes) { /* passed by pointer: the width of vectors by value depends on the build */
    KERNEL(f64) f;
};
#define LANES              struct KERNEL(lanes)
#define LOAD(to, from)     memcpy(&(to).f, (from), sizeof(KERNEL(f64)))
#define STORE(to, v)       memcpy((to), &(v).f, sizeof(KERNEL(f64)))
#define ABS(v)             ((KERNEL(f64))((KERNEL(i64))(v)&INT64_MAX))
#define SELECT(mask, a, b) ((KERNEL(f64))(((KERNEL(i64))(a) & (mask)) | ((KERNEL(i64))(b) & ~(mask))))

/* kernel_inc in every lane. */
KERNEL_TARGET static inline __attribute__((always_inline)) void KERNEL(inc)(const LANES *x, LANES *sum, LANES *c)
{
    KERNEL(f64) s = sum->f, t = s + x->f;
    KERNEL(i64) larger = ABS(s) >= ABS(x->f);
    KERNEL(f64) big = SELECT(larger, s, x->f), small = SELECT(larger, x->f, s);
    KERNEL(f64) carry = c->f + ((big - t) + small);
    KERNEL(i64) infinite = ABS(t) > DBL_MAX;
    c->f = (KERNEL(f64))((KERNEL(i64))carry & ~infinite);
    sum->f = t;
}

KERNEL_TARGET static bool KERNEL(sum)(double *restrict sum, double *restrict c, const double *restrict x, size_t n)
{
    KERNEL(i64) infinite = {0};
    size_t i = 0;
    for (; i + WIDTH <= n; i += WIDTH) {
        LANES v, s, e;
        LOAD(v, x + i);
        LOAD(s, sum + i);
        LOAD(e, c + i);
        KERNEL(inc)(&v, &s, &e);
        STORE(sum + i, s);
        STORE(c + i, e);
        infinite |= ABS(s.f) > DBL_MAX;
    }
    bool any = false;
    for (int k = 0; k < WIDTH; k++)
        any |= infinite[k] != 0;
    for (; i < n; i++) {
        kernel_inc(x[i], &sum[i], &c[i]);
        any |= fabs(sum[i]) > DBL_MAX;
    }
    return any;
}

KERNEL_TARGET static void KERNEL(min)(double *restrict acc, const double *restrict x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        acc[i] = !(acc[i] <= x[i]) && (acc[i] > x[i] || acc[i] != acc[i]) ? x[i] : acc[i];
}

KERNEL_TARGET static void KERNEL(max)(double *restrict acc, const double *restrict x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        acc[i] = !(acc[i] >= x[i]) && (acc[i] < x[i] || acc[i] != acc[i]) ? x[i] : acc[i];
}

KERNEL_TARGET static void KERNEL(welford)(double *restrict n, double *restrict mean, double *restrict m2,
                                          const double *restrict x, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        double nth = n[i] + 1, d = x[i] - mean[i], m = mean[i] + d / nth;
        n[i] = nth;
        mean[i] = m;
        m2[i] += d * (x[i] - m);
    }
}

KERNEL_TARGET static void KERNEL(add)(double *out, const double *a, const double *b, size_t n)
{
    for (size_t i = 0; i < n; i++)
        out[i] = a[i] + b[i];
}

KERNEL_TARGET static void KERNEL(sub)(double *out, const double *a, const double *b, size_t n)
{
    for (size_t i = 0; i < n; i++)
        out[i] = a[i] - b[i];
}

KERNEL_TARGET static void KERNEL(mul)(double *out, const double *a, const double *b, size_t n)
{
    for (size_t i = 0; i < n; i++)
        out[i] = a[i] * b[i];
}

KERNEL_TARGET static void KERNEL(div)(double *out, const double *a, const double *b, size_t n)
{
    for (size_t i = 0; i < n; i++)
        out[i] = a[i] / b[i];
}

/* Walks over kernel_windows: `at` is where the eight values of the present step lie. */
struct KERNEL(walk) {
    const double *at, *first;
    size_t pitch;
    uint32_t phase, phases;
};

KERNEL_TARGET static inline __attribute__((always_inline)) void KERNEL(walk_init)(struct KERNEL(walk) * w,
                                                                                  const struct kernel_windows *v)
{
    w->phase = v->start % v->phases;
    w->phases = v->phases;
    w->pitch = v->pitch;
    w->first = v->v + v->start / v->phases;
    w->at = w->first + w->phase * w->pitch;
}

KERNEL_TARGET static inline __attribute__((always_inline)) void KERNEL(walk_next)(struct KERNEL(walk) * w)
{
    w->at += w->pitch;
    if (++w->phase == w->phases) {
        w->phase = 0;
        w->at = ++w->first;
    }
}

KERNEL_TARGET static void KERNEL(window_sum)(double *restrict sum, double *restrict c, const struct kernel_windows *v,
                                             uint32_t len)
{
    LANES s[PARTS], e[PARTS], x;
    struct KERNEL(walk) w;
    KERNEL(walk_init)(&w, v);
    for (int p = 0; p < PARTS; p++) {
        LOAD(s[p], sum + p * WIDTH);
        LOAD(e[p], c + p * WIDTH);
    }
    for (uint32_t i = 0; i < len; i++, KERNEL(walk_next)(&w))
        for (int p = 0; p < PARTS; p++) {
            LOAD(x, w.at + p * WIDTH);
            KERNEL(inc)(&x, &s[p], &e[p]);
        }
    for (int p = 0; p < PARTS; p++) {
        STORE(sum + p * WIDTH, s[p]);
        STORE(c + p * WIDTH, e[p]);
    }
}

KERNEL_TARGET static void KERNEL(window_variance)(double *restrict mean, double *restrict cmean, double *restrict m2,
                                                  double *restrict cm2, const struct kernel_windows *v, uint32_t len)
{
    LANES m[PARTS], cm[PARTS], q[PARTS], cq[PARTS], x, part;
    struct KERNEL(walk) w;
    KERNEL(walk_init)(&w, v);
    memset(m, 0, sizeof m);
    memset(cm, 0, sizeof cm);
    memset(q, 0, sizeof q);
    memset(cq, 0, sizeof cq);
    for (uint32_t i = 0; i < len; i++, KERNEL(walk_next)(&w))
        for (int p = 0; p < PARTS; p++) {
            LOAD(x, w.at + p * WIDTH);
            KERNEL(f64) d = x.f - (m[p].f + cm[p].f);
            part.f = d / ((double)i + 1);
            KERNEL(inc)(&part, &m[p], &cm[p]);
            part.f = d * (x.f - (m[p].f + cm[p].f));
            KERNEL(inc)(&part, &q[p], &cq[p]);
        }
    for (int p = 0; p < PARTS; p++) {
        STORE(mean + p * WIDTH, m[p]);
        STORE(cmean + p * WIDTH, cm[p]);
        STORE(m2 + p * WIDTH, q[p]);
        STORE(cm2 + p * WIDTH, cq[p]);
    }
}

KERNEL_TARGET static void KERNEL(window_regress)(double sums[8][KERNEL_LANES], const struct kernel_windows *v,
                                                 const struct kernel_windows *times_ms, const double *origin_ms,
                                                 uint32_t len)
{
    for (int p = 0; p < PARTS; p++) {
        struct KERNEL(walk) at_v, at_t;
        LANES s[8], x, y, t, origin, product;
        KERNEL(walk_init)(&at_v, v);
        KERNEL(walk_init)(&at_t, times_ms);
        memset(s, 0, sizeof s);
        LOAD(origin, origin_ms + p * WIDTH);
        for (uint32_t i = 0; i < len; i++, KERNEL(walk_next)(&at_v), KERNEL(walk_next)(&at_t)) {
            LOAD(y, at_v.at + p * WIDTH);
            LOAD(t, at_t.at + p * WIDTH);
            x.f = (t.f - origin.f) / 1000;
            KERNEL(inc)(&x, &s[0], &s[1]);
            KERNEL(inc)(&y, &s[2], &s[3]);
            product.f = x.f * y.f;
            KERNEL(inc)(&product, &s[4], &s[5]);
            product.f = x.f * x.f;
            KERNEL(inc)(&product, &s[6], &s[7]);
        }
        for (int k = 0; k < 8; k++)
            STORE(sums[k] + p * WIDTH, s[k]);
    }
}

/* A register of comparisons at a time; drops are rare, so a block without one costs no branch per value. */
KERNEL_TARGET static uint32_t KERNEL(drops)(uint32_t *positions, const double *v, uint32_t n)
{
    uint32_t count = 0, p = 1;
    for (; p + WIDTH <= n; p += WIDTH) {
        LANES now, before;
        LOAD(now, v + p);
        LOAD(before, v + p - 1);
        KERNEL(i64) less = now.f < before.f;
        int64_t any = 0;
        for (int k = 0; k < WIDTH; k++)
            any |= less[k];
        for (uint32_t k = 0; any && k < WIDTH; k++)
            if (v[p + k] < v[p + k - 1])
                positions[count++] = p + k;
    }
    for (; p < n; p++)
        if (v[p] < v[p - 1])
            positions[count++] = p;
    return count;
}

KERNEL_TARGET static bool KERNEL(any_stale)(const double *v, size_t n)
{
    KERNEL(i64) found = {0};
    bool any = false;
    size_t i = 0;
    for (; i + WIDTH <= n; i += WIDTH) {
        LANES x;
        LOAD(x, v + i);
        found |= (KERNEL(i64))x.f == (int64_t)STALE_NAN_BITS;
    }
    for (int k = 0; k < WIDTH; k++)
        any |= found[k] != 0;
    for (; i < n; i++)
        any |= value_is_stale(v[i]);
    return any;
}

KERNEL_TARGET static bool KERNEL(integers)(const double *v, size_t n, double *most)
{
    const double two52 = 4503599627370496.0; /* adding it to a smaller number rounds that to an integer */
    LANES largest = {{0}};
    KERNEL(i64) bad = {0};
    size_t i = 0;
    for (; i < n; i += WIDTH) {
        LANES x = {{0}};
        if (i + WIDTH <= n)
            LOAD(x, v + i);
        else
            memcpy(&x.f, v + i, sizeof(double) * (n - i));
        KERNEL(f64) size = ABS(x.f);
        KERNEL(i64) rounded = (size + two52) - two52 == size, minus_zero = (KERNEL(i64))x.f == INT64_MIN;
        bad |= ~rounded | minus_zero;
        largest.f = SELECT(size > largest.f, size, largest.f);
    }
    bool fine = true;
    *most = 0;
    for (int k = 0; k < WIDTH; k++) {
        fine &= !bad[k];
        *most = largest.f[k] > *most ? largest.f[k] : *most;
    }
    return fine && *most < two52;
}

#undef WIDTH
#undef PARTS
#undef LANES
#undef LOAD
#undef STORE
#undef ABS
#undef SELECT

static const struct step_kernels KERNEL(table) = {
    .name = KERNEL_NAME,
    .sum = KERNEL(sum),
    .min = KERNEL(min),
    .max = KERNEL(max),
    .welford = KERNEL(welford),
    .add = KERNEL(add),
    .sub = KERNEL(sub),
    .mul = KERNEL(mul),
    .div = KERNEL(div),
    .window_sum = KERNEL(window_sum),
    .window_variance = KERNEL(window_variance),
    .window_regress = KERNEL(window_regress),
    .drops = KERNEL(drops),
    .any_stale = KERNEL(any_stale),
    .integers = KERNEL(integers),
};
