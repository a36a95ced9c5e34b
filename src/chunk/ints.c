/*
 * ints.c - integer streams: which transform makes the numbers small, then PFOR.
 *
 * Stream: header byte {bits 0-1 kind, bit 2 divisor follows, bit 3 based}, then by kind
 *
 *     CONST_DELTA  first zigzag varint, delta zigzag varint
 *     FOR          smallest zigzag varint, [divisor varint], PFOR of count numbers (value - smallest) / divisor
 *     DELTA        first zigzag varint, [divisor varint], based: smallest delta / divisor zigzag varint, PFOR of
 *                  count - 1 numbers delta / divisor - smallest; else of zigzag(delta / divisor)
 *     DOD          first zigzag varint, [divisor varint], first delta / divisor zigzag varint, PFOR of
 *                  count - 2 numbers zigzag(difference of deltas / divisor)
 *
 * Everything wraps modulo 2^64.  A divisor of all deltas divides all differences, so FOR can use it too;
 * unless a delta wrapped: then no divisor is looked for.
 */
#include "chunk/ints_internal.h"

#include "base/assert.h"

enum { KIND_MASK = 3, HAS_DIVISOR = 4, BASED = 8, HEADER_BITS = 15 };

static unsigned varint_bytes(uint64_t v)
{
    return v ? (bit_length(v) + 6) / 7 : 1;
}

static unsigned zigzag_bytes(uint64_t v)
{
    return varint_bytes(zigzag_put((int64_t)v));
}

static uint64_t magnitude(uint64_t v)
{
    return (int64_t)v < 0 ? 0 - v : v;
}

static uint64_t gcd(uint64_t a, uint64_t b)
{
    if (a == 0 || b == 0)
        return a | b;
    int shift = __builtin_ctzll(a | b);
    a >>= __builtin_ctzll(a);
    do {
        b >>= __builtin_ctzll(b);
        if (a > b) {
            uint64_t swap = a;
            a = b;
            b = swap;
        }
        b -= a;
    } while (b);
    return a << shift;
}

/* The divisor of all n deltas; most series end the loop after a few steps with 1. */
static uint64_t deltas_divisor(const uint64_t *delta, uint32_t n)
{
    uint64_t divisor = 0;
    for (uint32_t i = 0; i < n && divisor != 1; i++) {
        uint64_t m = magnitude(delta[i]);
        if (m == 0 || (divisor && m % divisor == 0))
            continue;
        divisor = gcd(divisor, m);
    }
    return divisor ? divisor : 1;
}

static void divide(uint64_t *x, uint32_t n, uint64_t divisor)
{
    for (uint32_t i = 0; i < n; i++)
        x[i] = (uint64_t)((int64_t)x[i] / (int64_t)divisor); /* exact */
}

static int64_t smallest(const int64_t *v, uint32_t n)
{
    int64_t low = v[0];
    for (uint32_t i = 1; i < n; i++)
        low = v[i] < low ? v[i] : low;
    return low;
}

static int64_t largest(const int64_t *v, uint32_t n)
{
    int64_t high = v[0];
    for (uint32_t i = 1; i < n; i++)
        high = v[i] > high ? v[i] : high;
    return high;
}

/* The three transforms; each writes the numbers that PFOR packs. */
static void for_numbers(const int64_t *values, uint32_t count, uint64_t base, uint64_t divisor, uint64_t *x)
{
    if (divisor == 1) {
        for (uint32_t i = 0; i < count; i++)
            x[i] = (uint64_t)values[i] - base;
        return;
    }
    for (uint32_t i = 0; i < count; i++)
        x[i] = ((uint64_t)values[i] - base) / divisor;
}

static void delta_numbers(const uint64_t *delta, uint32_t n, bool based, uint64_t base, uint64_t *x)
{
    for (uint32_t i = 0; i < n; i++)
        x[i] = based ? delta[i] - base : zigzag_put((int64_t)delta[i]);
}

static void dod_numbers(const uint64_t *delta, uint32_t n, uint64_t *x)
{
    for (uint32_t i = 1; i < n; i++)
        x[i - 1] = zigzag_put((int64_t)(delta[i] - delta[i - 1]));
}

/* Differences of neighbours; returns whether they are all the same. */
static bool deltas_of(const int64_t *values, uint32_t count, uint64_t *delta)
{
    uint64_t differ = 0;
    uint64_t first = (uint64_t)values[1] - (uint64_t)values[0];
    for (uint32_t i = 1; i < count; i++) {
        delta[i - 1] = (uint64_t)values[i] - (uint64_t)values[i - 1];
        differ |= delta[i - 1] ^ first;
    }
    return differ == 0;
}

static void plan_const(const int64_t *values, uint64_t delta, struct ints_plan *plan)
{
    *plan = (struct ints_plan){.kind = INTS_CONST_DELTA, .divisor = 1, .base = delta};
    plan->bytes = 1 + zigzag_bytes((uint64_t)values[0]) + zigzag_bytes(delta);
}

/* Takes the candidate when it is smaller than what `plan` holds (bytes 0 = nothing yet). */
static void plan_offer(struct ints_plan *plan, enum ints_kind kind, bool based, uint64_t base, const uint64_t *x,
                       uint32_t n, size_t head_bytes)
{
    struct pfor_plan pfor;
    pfor_plan(x, n, &pfor);
    size_t bytes = head_bytes + pfor.bytes;
    if (plan->bytes && plan->bytes <= bytes)
        return;
    plan->kind = kind;
    plan->based = based;
    plan->base = base;
    plan->bytes = bytes;
    plan->pfor = pfor;
}

void ints_plan(const int64_t *values, uint32_t count, struct ints_plan *plan)
{
    assert(count >= 1 && count <= INTS_COUNT_MAX);
    uint64_t delta[INTS_COUNT_MAX], x[INTS_COUNT_MAX];
    if (count == 1 || deltas_of(values, count, delta)) {
        plan_const(values, count == 1 ? 0 : delta[0], plan);
        return;
    }
    uint32_t n = count - 1;
    uint64_t base = (uint64_t)smallest(values, count), range = (uint64_t)largest(values, count) - base;
    uint64_t divisor = range >> 63 ? 1 : deltas_divisor(delta, n);
    if (divisor > 1)
        divide(delta, n, divisor);
    *plan = (struct ints_plan){.divisor = divisor};
    size_t head = 1 + zigzag_bytes((uint64_t)values[0]) + (divisor > 1 ? varint_bytes(divisor) : 0);

    uint64_t low = (uint64_t)smallest((const int64_t *)delta, n);
    delta_numbers(delta, n, true, low, x);
    plan_offer(plan, INTS_DELTA, true, low, x, n, head + zigzag_bytes(low));
    delta_numbers(delta, n, false, 0, x);
    plan_offer(plan, INTS_DELTA, false, 0, x, n, head);
    dod_numbers(delta, n, x);
    plan_offer(plan, INTS_DOD, false, delta[0], x, n - 1, head + zigzag_bytes(delta[0]));
    for_numbers(values, count, base, divisor, x);
    plan_offer(plan, INTS_FOR, false, base, x, count,
               1 + zigzag_bytes(base) + (divisor > 1 ? varint_bytes(divisor) : 0));
}

void ints_put(const int64_t *values, uint32_t count, const struct ints_plan *plan, struct buf *out)
{
    size_t start = out->len;
    uint64_t first = plan->kind == INTS_FOR ? plan->base : (uint64_t)values[0];
    unsigned flags = (plan->divisor > 1 ? HAS_DIVISOR : 0) | (plan->based ? BASED : 0);
    buf_u8(out, (uint8_t)(plan->kind | flags));
    buf_varint(out, zigzag_put((int64_t)first));
    if (plan->divisor > 1)
        buf_varint(out, plan->divisor);
    if (plan->based || plan->kind == INTS_DOD || plan->kind == INTS_CONST_DELTA)
        buf_varint(out, zigzag_put((int64_t)plan->base));
    if (plan->kind != INTS_CONST_DELTA) {
        uint64_t delta[INTS_COUNT_MAX], x[INTS_COUNT_MAX];
        uint32_t n = count;
        if (plan->kind == INTS_FOR) {
            for_numbers(values, count, plan->base, plan->divisor, x);
        } else {
            deltas_of(values, count, delta);
            if (plan->divisor > 1)
                divide(delta, count - 1, plan->divisor);
            if (plan->kind == INTS_DELTA)
                delta_numbers(delta, count - 1, plan->based, plan->base, x);
            else
                dod_numbers(delta, count - 1, x);
            n = plan->kind == INTS_DELTA ? count - 1 : count - 2;
        }
        pfor_put(x, n, &plan->pfor, out);
    }
    assert(out->failed || out->len - start == plan->bytes);
}

void ints_encode(const int64_t *values, uint32_t count, struct buf *out)
{
    struct ints_plan plan;
    ints_plan(values, count, &plan);
    ints_put(values, count, &plan, out);
}

static const uint8_t *get_zigzag(const uint8_t *p, const uint8_t *end, uint64_t *out)
{
    uint64_t v;
    p = varint_get(p, end, &v);
    if (p)
        *out = (uint64_t)zigzag_get(v);
    return p;
}

static const uint8_t *get_dod(const uint8_t *p, const uint8_t *end, uint32_t count, uint64_t first, uint64_t delta,
                              uint64_t divisor, uint64_t *out)
{
    if (count < 3)
        return NULL; /* two values are a constant delta */
    p = pfor_get(p, end, count - 2, out + 2);
    if (!p)
        return NULL;
    const struct kernels *k = kernels_get();
    out[0] = first;
    out[1] = delta;
    k->sum_zigzag(out + 2, count - 2, delta, 1);
    k->sum(out + 1, count - 1, first, 0, divisor);
    return p;
}

static const uint8_t *get_delta(const uint8_t *p, const uint8_t *end, uint32_t count, uint64_t first, bool based,
                                uint64_t base, uint64_t divisor, uint64_t *out)
{
    if (count < 2)
        return NULL;
    p = pfor_get(p, end, count - 1, out + 1);
    if (!p)
        return NULL;
    out[0] = first;
    if (based)
        kernels_get()->sum(out + 1, count - 1, first, base * divisor, divisor);
    else
        kernels_get()->sum_zigzag(out + 1, count - 1, first, divisor);
    return p;
}

static const uint8_t *get_const(const uint8_t *p, uint32_t count, uint64_t first, uint64_t delta, uint64_t *out)
{
    for (uint32_t i = 0; i < count; i++, first += delta)
        out[i] = first;
    return p;
}

const uint8_t *ints_get(const uint8_t *p, const uint8_t *end, uint32_t count, int64_t *values)
{
    assert(count >= 1 && count <= INTS_COUNT_MAX);
    if (p == end)
        return NULL;
    unsigned header = *p++;
    enum ints_kind kind = (enum ints_kind)(header & KIND_MASK);
    bool based = header & BASED;
    uint64_t *out = (uint64_t *)values, first, divisor = 1, base = 0;
    if (header > HEADER_BITS || (based && kind != INTS_DELTA) || !(p = get_zigzag(p, end, &first)))
        return NULL;
    if ((header & HAS_DIVISOR) && (kind == INTS_CONST_DELTA || !(p = varint_get(p, end, &divisor))))
        return NULL;
    if ((based || kind == INTS_DOD || kind == INTS_CONST_DELTA) && !(p = get_zigzag(p, end, &base)))
        return NULL;
    switch (kind) {
    case INTS_CONST_DELTA:
        return get_const(p, count, first, base, out);
    case INTS_FOR:
        if ((p = pfor_get(p, end, count, out)))
            kernels_get()->rescale(out, count, first, divisor);
        return p;
    case INTS_DELTA:
        return get_delta(p, end, count, first, based, base, divisor, out);
    case INTS_DOD:
        return get_dod(p, end, count, first, base, divisor, out);
    }
    return NULL;
}

enum err ints_decode(struct slice in, uint32_t count, int64_t *out, size_t *used)
{
    const uint8_t *p = ints_get(in.data, in.data + in.len, count, out);
    if (!p)
        return ERR_CORRUPT;
    *used = (size_t)(p - in.data);
    return ERR_OK;
}

const char *ints_kind_name(const uint8_t *p, const uint8_t *end)
{
    static const char *const names[] = {"const-delta", "for", "delta", "dod"};
    return p == end ? "empty" : names[*p & KIND_MASK];
}
