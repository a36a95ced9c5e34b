/* chunk_decimal.c - finding the exponent; the tests themselves are the fit_* loops of kernels_body.h. */
#include "chunk/chunk_decimal_internal.h"

#include <math.h>

#include "base/assert.h"
#include "base/bytes.h"

enum { SAMPLES = 16, SAMPLES_FIT = 14 };

/* Scaled numbers stay below this, so that rounding by addition works (kernels_body.h). */
#define WHOLE_LIMIT (INT64_C(1) << 51)

const double decimal_power[] = {1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};
const double decimal_inverse[] = {1e0,  1e-1, 1e-2,  1e-3,  1e-4,  1e-5,  1e-6,  1e-7,
                                  1e-8, 1e-9, 1e-10, 1e-11, 1e-12, 1e-13, 1e-14, 1e-15};

static uint32_t fit(const double *v, uint32_t n, unsigned exponent, int64_t *out)
{
    const struct kernels *k = kernels_get();
    return exponent ? k->fit_div(v, n, decimal_power[exponent], out) : k->fit_int(v, n, out);
}

bool decimal_one(double v, unsigned from, unsigned *exponent, int64_t *k)
{
    for (unsigned e = from; e <= DECIMAL_EXPONENT_MAX; e++) {
        if (!(fabs(v) * decimal_power[e] < (double)WHOLE_LIMIT))
            return false;
        if (fit(&v, 1, e, k) == 1) {
            *exponent = e;
            return true;
        }
    }
    return false;
}

/* Beyond 2^51 doubles are still whole numbers, up to where int64 ends. */
static bool big_whole(double v, int64_t *k)
{
    if (!(fabs(v) < 9.2e18))
        return false;
    *k = (int64_t)v;
    return f64_bits((double)*k) == f64_bits(v);
}

/* Brings the numbers found so far to a larger exponent; false (nothing changed) when one gets too large. */
static bool raise_exponent(struct decimal *d, uint32_t n, unsigned exponent)
{
    int64_t factor = (int64_t)decimal_power[exponent - d->exponent];
    int64_t limit = WHOLE_LIMIT / factor;
    for (uint32_t i = 0; i < n; i++)
        if (d->k[i] >= limit || d->k[i] <= -limit)
            return false;
    for (uint32_t i = 0; i < n; i++)
        d->k[i] *= factor;
    d->exponent = exponent;
    return true;
}

/* Exceptions at the start have no neighbour before them: they repeat the first number after them. */
static void fill_start(struct decimal *d, uint32_t count)
{
    uint32_t lead = 0;
    while (lead < d->exception_count && d->exception[lead] == lead)
        lead++;
    for (uint32_t i = 0; i < lead && lead < count; i++)
        d->k[i] = d->k[lead];
}

static bool divide_from(const double *values, uint32_t count, unsigned exponent, struct decimal *d)
{
    d->exponent = exponent;
    d->exception_count = 0;
    for (uint32_t i = 0; i < count;) {
        i += fit(values + i, count - i, d->exponent, d->k + i);
        if (i == count)
            break;
        unsigned larger;
        int64_t k;
        if (d->exponent == 0 && big_whole(values[i], &k)) {
            d->k[i++] = k;
        } else if (!decimal_one(values[i], d->exponent + 1, &larger, &k) || !raise_exponent(d, i, larger)) {
            if (d->exception_count == count / 16)
                return false;
            d->exception[d->exception_count++] = (uint16_t)i;
            d->k[i] = i ? d->k[i - 1] : 0;
            i++;
        }
    }
    fill_start(d, count);
    return true;
}

bool decimal_divide(const double *values, uint32_t count, unsigned exponent, struct decimal *out)
{
    assert(count >= 1 && count <= CHUNK_SAMPLES_MAX);
    if (divide_from(values, count, exponent, out))
        return true;
    return exponent > 0 && divide_from(values, count, 0, out); /* the hint may have been too fine for large numbers */
}

static bool multiply_at(const double *values, uint32_t count, unsigned exponent, struct decimal *d)
{
    const struct kernels *k = kernels_get();
    d->exponent = exponent;
    d->exception_count = 0;
    for (uint32_t i = 0; i < count; i++) {
        i += k->fit_mul(values + i, count - i, decimal_power[exponent], decimal_inverse[exponent], d->k + i);
        if (i == count)
            break;
        if (d->exception_count == count / 16)
            return false;
        d->exception[d->exception_count++] = (uint16_t)i;
        d->k[i] = i ? d->k[i - 1] : 0;
    }
    fill_start(d, count);
    return true;
}

/* Products of different exponents are different doubles, so the exponent is chosen on values spread over the chunk. */
bool decimal_multiply(const double *values, uint32_t count, struct decimal *out)
{
    assert(count >= 1 && count <= CHUNK_SAMPLES_MAX);
    double sample[SAMPLES];
    int64_t ignored[SAMPLES];
    for (uint32_t i = 0; i < SAMPLES; i++)
        sample[i] = values[(uint64_t)i * count / SAMPLES];
    for (unsigned e = 1; e <= DECIMAL_EXPONENT_MAX; e++) {
        uint32_t fits = 0;
        for (uint32_t i = 0; i < SAMPLES; i++)
            fits += kernels_get()->fit_mul(&sample[i], 1, decimal_power[e], decimal_inverse[e], ignored) == 1;
        if (fits >= SAMPLES_FIT)
            return multiply_at(values, count, e, out);
    }
    return false;
}
