/* chunk_gen.c - see chunk_gen.h. */
#include "lib/chunk_gen.h"

#include <string.h>

#include "base/bytes.h"
#include "model/value.h"

uint64_t chunk_gen_next(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * UINT64_C(2685821657736338717);
}

static const uint64_t specials[] = {
    0,                            /* 0 */
    UINT64_C(0x8000000000000000), /* -0 */
    UINT64_C(0x7ff0000000000000), /* +Inf */
    UINT64_C(0xfff0000000000000), /* -Inf */
    STALE_NAN_BITS,
    NORMAL_NAN_BITS,
    UINT64_C(0xfff8000000000123), /* NaN with sign and payload */
    UINT64_C(0x7ff4dead0000beef), /* signalling NaN */
    1,                            /* smallest denormal */
    UINT64_C(0x8000000000000001),
    UINT64_C(0x000fffffffffffff), /* largest denormal */
    UINT64_C(0x0010000000000000), /* smallest normal */
    UINT64_C(0x7fefffffffffffff), /* largest */
    UINT64_C(0x4340000000000001), /* 2^53 + 2 */
    UINT64_C(0x43e0000000000000), /* 2^63 */
    UINT64_C(0xc3e0000000000000), /* -2^63 */
    UINT64_C(0x43f0000000000000), /* 2^64 */
    UINT64_C(0x3fd3333333333334), /* 0.1 + 0.2 */
    UINT64_C(0x4480f0cf064dd592), /* 1e22 */
};

static double step(uint64_t *state, uint32_t kind, double x, uint32_t i)
{
    double r = (double)(chunk_gen_next(state) % 100000);
    switch (kind % CHUNK_GEN_KINDS) {
    case 0:
        return x + r; /* counter */
    case 1:
        return r / 100; /* two decimals */
    case 2:
        return x + r * 1e-9; /* float sum */
    case 3:
        return r * 0.001; /* scaled by multiplication */
    case 4:
        return f64_from_bits(chunk_gen_next(state)); /* any bits */
    case 5:
        return x + r / 7; /* ratios summed */
    case 6:
        return (double)(int64_t)chunk_gen_next(state); /* large whole numbers */
    case 7:
        return r / 1000 / 1000; /* near six decimals */
    case 8:
        return r / 3 - x; /* sign flips */
    case 9:
        return 42.5; /* constant */
    case 10:
        return x + (double)(UINT64_C(1) << (chunk_gen_next(state) % 62));
    case 11:
        return (double)(chunk_gen_next(state) >> 11) / 9007199254740992.0;
    case 12:
        return chunk_gen_next(state) % 20 ? x : x + r; /* rests most of the time */
    case 13:
        return chunk_gen_next(state) % 50 ? x + 15 : r; /* counter with resets */
    case 14:
        return 9007199254740993.0 + (double)i * 2; /* past 2^53 */
    default:
        return (double)i * 4096 + (r < 3000 ? r : 0); /* ramp with outliers */
    }
}

void chunk_gen_values(uint64_t *state, uint32_t kind, uint32_t special_every, uint32_t count, double *out)
{
    double x = (double)(chunk_gen_next(state) % 1000000);
    for (uint32_t i = 0; i < count; i++) {
        out[i] = x = step(state, kind, x, i);
        if (special_every && chunk_gen_next(state) % special_every == 0)
            out[i] = f64_from_bits(specials[chunk_gen_next(state) % (sizeof specials / sizeof *specials)]);
    }
}

void chunk_gen_times(uint64_t *state, int64_t start_ms, int64_t step_ms, unsigned jitter_bits, uint32_t count,
                     int64_t *out)
{
    uint64_t mask = (UINT64_C(1) << jitter_bits) - 1;
    for (uint32_t i = 0; i < count; i++) {
        int64_t t = start_ms + (int64_t)i * step_ms + (int64_t)(chunk_gen_next(state) & mask);
        out[i] = i && t <= out[i - 1] ? out[i - 1] + 1 : t;
    }
}

enum { GEN_BUCKETS = 24 };

/* Spans for the buckets that are not empty; returns their number. */
static uint32_t spans_of(const double *counts, struct arena *arena, const struct histogram_span **spans,
                         const double **values, uint32_t *value_count)
{
    struct histogram_span *list = ARENA_ARRAY(arena, struct histogram_span, GEN_BUCKETS);
    double *kept = ARENA_ARRAY(arena, double, GEN_BUCKETS);
    uint32_t span = 0, n = 0;
    int32_t after = -5; /* index of the first possible bucket */
    bool open = false;
    int32_t next = 0;
    for (int32_t i = 0; i < GEN_BUCKETS; i++) {
        if (counts[i] == 0) {
            open = false;
            continue;
        }
        if (!open) {
            list[span].offset = span ? i - next : after + i;
            span++;
        }
        open = true;
        list[span - 1].length++;
        kept[n++] = counts[i];
        next = i + 1;
    }
    *spans = list;
    *values = kept;
    *value_count = n;
    return span;
}

void chunk_gen_hists(uint64_t *state, uint32_t count, struct arena *arena, const struct histogram **out)
{
    double positive[GEN_BUCKETS] = {0}, negative[GEN_BUCKETS] = {0};
    uint64_t shape = chunk_gen_next(state);
    double total = 0, sum = 0, zero = 0;
    for (uint32_t i = 0; i < count; i++) {
        for (uint64_t k = chunk_gen_next(state) % 8; k > 0; k--) {
            uint64_t r = chunk_gen_next(state);
            positive[r % 16 + (r >> 8) % 9] += 1;
            if (shape & 1)
                negative[(r >> 16) % 5] += 1;
            zero += (shape & 2) ? 1 : 0;
            total += 1 + (double)(shape & 1) + ((shape & 2) ? 1 : 0);
            sum += (double)(r % 1000) / 100;
        }
        struct histogram *h = ARENA_NEW(arena, struct histogram);
        h->schema = (int32_t)(shape >> 8) % 9;
        h->zero_threshold = 2.938735877055719e-39;
        h->reset_hint = (shape & 4) ? RESET_GAUGE : i == 0 ? RESET_UNKNOWN : RESET_NO;
        h->zero_count = zero;
        h->count = total;
        h->sum = (shape & 8) && i + 1 == count ? f64_from_bits(STALE_NAN_BITS) : sum;
        h->positive_span_count = spans_of(positive, arena, &h->positive_spans, &h->positive, &h->positive_count);
        h->negative_span_count = spans_of(negative, arena, &h->negative_spans, &h->negative, &h->negative_count);
        out[i] = h;
    }
}
