/*
 * values.c - float chunks: which reading of the doubles gives the smallest exact payload.
 *
 * First byte: bits 0-3 mode, bits 4-7 exponent e.  Then by mode
 *
 *     CONST      k zigzag varint                  every value is k / 10^e
 *     CONST_RAW  8 bytes                          every value has these bits
 *     DIV, MUL   ints k                           k / 10^e, or k * 10^-e
 *     DIV_X, MUL_X                                the same, then exceptions: count varint, per exception the
 *                                                 distance to the one before (first: position) * 2 + stale varint and,
 *                                                 unless stale, 8 bytes
 *     ULP        ints k, ints u                   the double u steps away from k / 10^e
 *     BITS       ints o                           order-preserving map of the bits
 *     XOR, RD    floats_internal.h
 *     RUNS       runs varint, ints lengths - 1, chunk of the runs' values (no RUNS inside)
 *
 * BITS takes any bit pattern, so there is always an exact form.  RUNS is for values that change now and
 * then: each run costs one length instead of a patch in each of the transforms.
 */
#include <math.h>
#include <stdio.h>

#include "base/assert.h"
#include "chunk/chunk_decimal_internal.h"
#include "chunk/floats_internal.h"
#include "chunk/ints_internal.h"
#include "model/value.h"

enum mode {
    MODE_CONST,
    MODE_CONST_RAW,
    MODE_DIV,
    MODE_DIV_X,
    MODE_MUL,
    MODE_MUL_X,
    MODE_ULP,
    MODE_BITS,
    MODE_XOR,
    MODE_RD,
    MODE_RUNS,
    MODE_COUNT,
};
enum { MODE_MASK = 15, EXPONENT_SHIFT = 4 };
enum { ULP_SAMPLES = 40, ULP_EXPONENT_MAX = 13 };

static void put_head(enum mode mode, unsigned exponent, struct buf *out)
{
    buf_u8(out, (uint8_t)(mode | exponent << EXPONENT_SHIFT));
}

static void remember(struct chunk_hint *hint, enum mode mode, unsigned exponent)
{
    *hint = (struct chunk_hint){.mode = (uint8_t)mode, .exponent = (uint8_t)exponent};
}

static void put_const(double v, struct buf *out)
{
    unsigned exponent;
    int64_t k;
    if (decimal_one(v, 0, &exponent, &k)) {
        put_head(MODE_CONST, exponent, out);
        buf_varint(out, zigzag_put(k));
    } else {
        put_head(MODE_CONST_RAW, 0, out);
        buf_le64(out, f64_bits(v));
    }
}

static void put_exceptions(const double *values, const struct decimal *d, struct buf *out)
{
    buf_varint(out, d->exception_count);
    uint32_t after = 0;
    for (uint32_t i = 0; i < d->exception_count; i++) {
        uint32_t at = d->exception[i];
        bool stale = value_is_stale(values[at]);
        buf_varint(out, (uint64_t)(at - after) << 1 | stale);
        if (!stale)
            buf_le64(out, f64_bits(values[at]));
        after = at + 1;
    }
}

static void put_decimal(const double *values, uint32_t count, const struct decimal *d, enum mode mode, struct buf *out)
{
    put_head(d->exception_count ? mode + 1 : mode, d->exponent, out);
    ints_encode(d->k, count, out);
    if (d->exception_count)
        put_exceptions(values, d, out);
}

/* The decimal nearest to v and how many doubles v lies beside it; any v, also NaN, comes back from the pair. */
static void ulp_split(double v, unsigned exponent, int64_t *k, int64_t *steps)
{
    double x = v * decimal_power[exponent];
    *k = fabs(x) < 2251799813685248.0 ? (int64_t)rint(x) : 0;
    double near = (double)*k / decimal_power[exponent];
    *steps = (int64_t)((uint64_t)bits_order(f64_bits(v)) - (uint64_t)bits_order(f64_bits(near)));
}

/* Bits per value, roughly, on the first values of the chunk. */
static unsigned ulp_cost(const double *values, uint32_t count, unsigned exponent)
{
    uint32_t n = count < ULP_SAMPLES ? count : ULP_SAMPLES;
    int64_t k_before = 0, steps_before = 0;
    unsigned total = 0;
    for (uint32_t i = 0; i < n; i++) {
        int64_t k, steps;
        ulp_split(values[i], exponent, &k, &steps);
        if (i)
            total += bit_length(zigzag_put((int64_t)((uint64_t)k - (uint64_t)k_before))) +
                     bit_length(zigzag_put((int64_t)((uint64_t)steps - (uint64_t)steps_before)));
        k_before = k;
        steps_before = steps;
    }
    return n > 1 ? total / (n - 1) : 0;
}

/* An exponent that worked before is kept while it is clearly better than raw bits. */
static unsigned ulp_exponent(const double *values, uint32_t count, const struct chunk_hint *hint)
{
    if (hint->mode == MODE_ULP && hint->exponent <= ULP_EXPONENT_MAX && ulp_cost(values, count, hint->exponent) < 40)
        return hint->exponent;
    unsigned best = 0, best_cost = ulp_cost(values, count, 0);
    for (unsigned e = 1; e <= ULP_EXPONENT_MAX; e++) {
        unsigned cost = ulp_cost(values, count, e);
        if (cost < best_cost) {
            best = e;
            best_cost = cost;
        }
    }
    return best;
}

/* No short decimals: the smallest of four exact forms. */
static void put_hard(const double *values, uint32_t count, struct chunk_hint *hint, struct buf *out)
{
    uint64_t bits[CHUNK_SAMPLES_MAX];
    int64_t order[CHUNK_SAMPLES_MAX], k[CHUNK_SAMPLES_MAX], steps[CHUNK_SAMPLES_MAX];
    unsigned exponent = ulp_exponent(values, count, hint);
    for (uint32_t i = 0; i < count; i++) {
        bits[i] = f64_bits(values[i]);
        order[i] = bits_order(bits[i]);
        ulp_split(values[i], exponent, &k[i], &steps[i]);
    }
    struct ints_plan plan_order, plan_k, plan_steps;
    struct rd_plan plan_rd;
    ints_plan(order, count, &plan_order);
    ints_plan(k, count, &plan_k);
    ints_plan(steps, count, &plan_steps);
    rd_plan(bits, count, &plan_rd);
    size_t sizes[MODE_COUNT] = {[MODE_ULP] = plan_k.bytes + plan_steps.bytes,
                                [MODE_BITS] = plan_order.bytes,
                                [MODE_XOR] = xor_bytes(bits, count),
                                [MODE_RD] = plan_rd.bytes};
    enum mode best = MODE_BITS;
    for (enum mode m = MODE_ULP; m <= MODE_RD; m++)
        best = sizes[m] < sizes[best] ? m : best;
    exponent = best == MODE_ULP ? exponent : 0;
    remember(hint, best, exponent);
    put_head(best, exponent, out);
    if (best == MODE_ULP) {
        ints_put(k, count, &plan_k, out);
        ints_put(steps, count, &plan_steps, out);
    } else if (best == MODE_BITS) {
        ints_put(order, count, &plan_order, out);
    } else if (best == MODE_XOR) {
        xor_put(bits, count, out);
    } else {
        rd_put(bits, count, &plan_rd, out);
    }
}

static void put_direct(const double *values, uint32_t count, struct chunk_hint *hint, struct buf *out)
{
    struct decimal d;
    unsigned exponent = hint->mode == MODE_DIV && hint->exponent <= DECIMAL_EXPONENT_MAX ? hint->exponent : 0;
    if (decimal_divide(values, count, exponent, &d)) {
        remember(hint, MODE_DIV, d.exponent);
        put_decimal(values, count, &d, MODE_DIV, out);
    } else if (decimal_multiply(values, count, &d)) {
        remember(hint, MODE_MUL, d.exponent);
        put_decimal(values, count, &d, MODE_MUL, out);
    } else {
        put_hard(values, count, hint, out);
    }
}

static void put_runs(const double *values, uint32_t count, uint32_t runs, struct chunk_hint *hint, struct buf *out)
{
    double value[CHUNK_SAMPLES_MAX];
    int64_t length[CHUNK_SAMPLES_MAX];
    uint32_t run = 0;
    value[0] = values[0];
    length[0] = 0;
    for (uint32_t i = 1; i < count; i++) {
        if (f64_bits(values[i]) == f64_bits(values[i - 1])) {
            length[run]++;
        } else {
            value[++run] = values[i];
            length[run] = 0;
        }
    }
    assert(run + 1 == runs);
    put_head(MODE_RUNS, 0, out);
    buf_varint(out, runs);
    ints_encode(length, runs, out);
    put_direct(value, runs, hint, out);
}

/* Few changes: runs.  Many: not.  Between: try both. */
static void put_best(const double *values, uint32_t count, uint32_t runs, struct chunk_hint *hint, struct buf *out)
{
    if (runs > count / 2) {
        put_direct(values, count, hint, out);
        return;
    }
    size_t start = out->len;
    struct chunk_hint direct = *hint;
    put_runs(values, count, runs, hint, out);
    size_t runs_bytes = out->len - start;
    if (out->failed)
        return;
    put_direct(values, count, &direct, out);
    size_t direct_bytes = out->len - start - runs_bytes;
    if (direct_bytes <= runs_bytes) {
        memmove(out->data + start, out->data + start + runs_bytes, direct_bytes);
        out->len = start + direct_bytes;
        *hint = direct;
    } else {
        out->len = start + runs_bytes;
    }
}

uint32_t chunk_encode_values(const double *values, uint32_t count, struct chunk_hint *hint, struct buf *out)
{
    assert(count >= 1 && count <= CHUNK_SAMPLES_MAX);
    struct chunk_hint none = {0};
    uint64_t bits[CHUNK_SAMPLES_MAX];
    memcpy(bits, values, count * sizeof *bits);
    uint32_t changes = kernels_get()->changes(bits, count);
    if (changes == 0) {
        put_const(values[0], out);
        return CHUNK_CONSTANT | (value_is_stale(values[0]) ? CHUNK_HAS_STALE : 0);
    }
    put_best(values, count, changes + 1, hint ? hint : &none, out);
    return kernels_get()->contains(bits, count, STALE_NAN_BITS) ? CHUNK_HAS_STALE : 0;
}

static enum err get_exceptions(const uint8_t *p, const uint8_t *end, uint32_t count, double *out)
{
    uint64_t exceptions, at = 0;
    p = varint_get(p, end, &exceptions);
    if (!p || exceptions == 0 || exceptions > count)
        return ERR_CORRUPT;
    for (uint64_t i = 0; i < exceptions; i++, at++) {
        uint64_t head;
        p = varint_get(p, end, &head);
        if (!p || (head >> 1) >= count || (at += head >> 1) >= count)
            return ERR_CORRUPT;
        uint64_t bits = STALE_NAN_BITS;
        if (!(head & 1)) {
            if (end - p < 8)
                return ERR_CORRUPT;
            bits = le64_get(p);
            p += 8;
        }
        out[at] = f64_from_bits(bits);
    }
    return p == end ? ERR_OK : ERR_CORRUPT;
}

static enum err get_decimal(const uint8_t *p, const uint8_t *end, enum mode mode, unsigned exponent, uint32_t count,
                            double *out)
{
    int64_t k[CHUNK_SAMPLES_MAX];
    p = ints_get(p, end, count, k);
    if (!p)
        return ERR_CORRUPT;
    if (exponent == 0)
        kernels_get()->to_double(k, count, out);
    else if (mode == MODE_DIV || mode == MODE_DIV_X)
        kernels_get()->to_double_div(k, count, decimal_power[exponent], out);
    else
        kernels_get()->to_double_mul(k, count, decimal_inverse[exponent], out);
    if (mode == MODE_DIV_X || mode == MODE_MUL_X)
        return get_exceptions(p, end, count, out);
    return p == end ? ERR_OK : ERR_CORRUPT;
}

static enum err get_ulp(const uint8_t *p, const uint8_t *end, unsigned exponent, uint32_t count, double *out)
{
    int64_t k[CHUNK_SAMPLES_MAX], steps[CHUNK_SAMPLES_MAX];
    if (!(p = ints_get(p, end, count, k)) || !(p = ints_get(p, end, count, steps)) || p != end)
        return ERR_CORRUPT;
    kernels_get()->to_double_div(k, count, decimal_power[exponent], out);
    for (uint32_t i = 0; i < count; i++)
        out[i] = f64_from_bits(bits_unorder((int64_t)((uint64_t)bits_order(f64_bits(out[i])) + (uint64_t)steps[i])));
    return ERR_OK;
}

static bool get_orders(const uint8_t *p, const uint8_t *end, uint32_t count, uint64_t *bits)
{
    int64_t order[CHUNK_SAMPLES_MAX];
    if (ints_get(p, end, count, order) != end)
        return false;
    for (uint32_t i = 0; i < count; i++)
        bits[i] = bits_unorder(order[i]);
    return true;
}

static enum err get_bits(const uint8_t *p, const uint8_t *end, enum mode mode, uint32_t count, double *out)
{
    uint64_t bits[CHUNK_SAMPLES_MAX];
    bool whole = mode == MODE_BITS  ? get_orders(p, end, count, bits)
                 : mode == MODE_XOR ? xor_get(p, end, count, bits)
                                    : rd_get(p, end, count, bits);
    if (!whole)
        return ERR_CORRUPT;
    memcpy(out, bits, count * sizeof *out);
    return ERR_OK;
}

static enum err get_const(const uint8_t *p, const uint8_t *end, enum mode mode, unsigned exponent, double *out)
{
    uint64_t v = 0;
    if (mode == MODE_CONST) {
        if (varint_get(p, end, &v) != end)
            return ERR_CORRUPT;
        *out = (double)zigzag_get(v) / decimal_power[exponent];
        return ERR_OK;
    }
    if (end - p != 8)
        return ERR_CORRUPT;
    *out = f64_from_bits(le64_get(p));
    return ERR_OK;
}

static void fill(double v, uint32_t count, double *out)
{
    for (uint32_t i = 0; i < count; i++)
        out[i] = v;
}

static enum err get_direct(const uint8_t *p, const uint8_t *end, uint32_t count, double *out);

static enum err get_runs(const uint8_t *p, const uint8_t *end, uint32_t count, double *out)
{
    uint64_t runs;
    int64_t length[CHUNK_SAMPLES_MAX];
    double value[CHUNK_SAMPLES_MAX];
    if (!(p = varint_get(p, end, &runs)) || runs == 0 || runs > count ||
        !(p = ints_get(p, end, (uint32_t)runs, length)))
        return ERR_CORRUPT;
    enum err err = get_direct(p, end, (uint32_t)runs, value);
    if (err != ERR_OK)
        return err;
    uint32_t at = 0;
    for (uint32_t i = 0; i < runs; i++) {
        if (length[i] < 0 || length[i] >= (int64_t)(count - at))
            return ERR_CORRUPT;
        fill(value[i], (uint32_t)length[i] + 1, out + at);
        at += (uint32_t)length[i] + 1;
    }
    return at == count ? ERR_OK : ERR_CORRUPT;
}

/* Everything but RUNS, which therefore nests once. */
static enum err get_direct(const uint8_t *p, const uint8_t *end, uint32_t count, double *out)
{
    if (p == end)
        return ERR_CORRUPT;
    enum mode mode = (enum mode)(*p & MODE_MASK);
    unsigned exponent = *p++ >> EXPONENT_SHIFT;
    double constant;
    switch (mode) {
    case MODE_CONST:
    case MODE_CONST_RAW:
        TRY(get_const(p, end, mode, exponent, &constant));
        fill(constant, count, out);
        return ERR_OK;
    case MODE_DIV:
    case MODE_DIV_X:
    case MODE_MUL:
    case MODE_MUL_X:
        return get_decimal(p, end, mode, exponent, count, out);
    case MODE_ULP:
        return get_ulp(p, end, exponent, count, out);
    case MODE_BITS:
    case MODE_XOR:
    case MODE_RD:
        return get_bits(p, end, mode, count, out);
    default:
        return ERR_CORRUPT;
    }
}

enum err chunk_decode_values(struct slice chunk, uint32_t count, double *out)
{
    assert(count >= 1 && count <= CHUNK_SAMPLES_MAX);
    const uint8_t *end = chunk.data + chunk.len;
    if (chunk.len && (chunk.data[0] & MODE_MASK) == MODE_RUNS)
        return get_runs(chunk.data + 1, end, count, out);
    return get_direct(chunk.data, end, count, out);
}

bool chunk_constant(struct slice chunk, double *out)
{
    if (chunk.len == 0 || (chunk.data[0] & MODE_MASK) > MODE_CONST_RAW)
        return false;
    return get_const(chunk.data + 1, chunk.data + chunk.len, (enum mode)(chunk.data[0] & MODE_MASK),
                     chunk.data[0] >> EXPONENT_SHIFT, out) == ERR_OK;
}

size_t chunk_constant_bytes(struct slice in)
{
    enum { RAW_BYTES = 1 + 8 };
    uint64_t v;
    if (in.len == 0)
        return 0;
    if ((in.data[0] & MODE_MASK) == MODE_CONST_RAW)
        return in.len >= RAW_BYTES ? RAW_BYTES : 0;
    if ((in.data[0] & MODE_MASK) != MODE_CONST)
        return 0;
    const uint8_t *end = varint_get(in.data + 1, in.data + in.len, &v);
    return end ? (size_t)(end - in.data) : 0;
}

const char *chunk_describe(struct slice chunk, char text[64])
{
    static const char *const names[MODE_COUNT] = {"const", "const-raw", "div", "div-x", "mul", "mul-x",
                                                  "ulp",   "bits",      "xor", "rd",    "runs"};
    if (chunk.len == 0 || (chunk.data[0] & MODE_MASK) >= MODE_COUNT)
        return "damaged";
    enum mode mode = (enum mode)(chunk.data[0] & MODE_MASK);
    bool ints = mode >= MODE_DIV && mode <= MODE_BITS;
    snprintf(text, 64, "%s e=%d%s%s", names[mode], chunk.data[0] >> EXPONENT_SHIFT, ints ? " " : "",
             ints ? ints_kind_name(chunk.data + 1, chunk.data + chunk.len) : "");
    return text;
}
