/*
 * rd.c - doubles of similar size without pattern: few different left parts, raw right bits.
 *
 * Layout: right bits u8 (48..63), dictionary size u8 (1..8), dictionary u16 each, exception count u16;
 * exceptions: position u16 each, then left part u16 each; then dictionary indexes packed in 0..3 bits,
 * then the right parts packed.
 */
#include "base/assert.h"
#include "chunk/floats_internal.h"

enum { RIGHT_MIN = 48, RIGHT_MAX = 60, CANDIDATES = 64, HEAD_BYTES = 4 };

static unsigned index_bits(uint32_t lefts)
{
    return lefts <= 1 ? 0 : lefts == 2 ? 1 : lefts <= 4 ? 2 : 3;
}

struct left_count {
    uint16_t left;
    uint16_t count;
};

/* The most frequent left parts come first; returns how many values they cover. */
static uint32_t pick_lefts(struct left_count *seen, uint32_t seen_count, struct rd_plan *plan)
{
    uint32_t covered = 0;
    plan->left_count = 0;
    while (plan->left_count < RD_LEFTS_MAX && plan->left_count < seen_count) {
        uint32_t best = plan->left_count;
        for (uint32_t i = best + 1; i < seen_count; i++)
            if (seen[i].count > seen[best].count)
                best = i;
        struct left_count top = seen[best];
        seen[best] = seen[plan->left_count];
        seen[plan->left_count] = top;
        plan->left[plan->left_count++] = top.left;
        covered += top.count;
    }
    return covered;
}

static void plan_right(const uint64_t *bits, uint32_t count, unsigned right_bits, struct rd_plan *plan)
{
    struct left_count seen[CANDIDATES];
    uint32_t seen_count = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint16_t left = (uint16_t)(bits[i] >> right_bits);
        uint32_t k = 0;
        while (k < seen_count && seen[k].left != left)
            k++;
        if (k < seen_count)
            seen[k].count++;
        else if (seen_count < CANDIDATES)
            seen[seen_count++] = (struct left_count){left, 1};
    }
    plan->right_bits = right_bits;
    uint32_t exceptions = count - pick_lefts(seen, seen_count, plan);
    plan->bytes = HEAD_BYTES + 2 * (size_t)plan->left_count + 4 * (size_t)exceptions +
                  packed_bytes(count, index_bits(plan->left_count)) + packed_bytes(count, right_bits);
}

void rd_plan(const uint64_t *bits, uint32_t count, struct rd_plan *plan)
{
    plan_right(bits, count, RIGHT_MIN, plan);
    for (unsigned right = RIGHT_MIN + 1; right <= RIGHT_MAX; right++) {
        struct rd_plan other;
        plan_right(bits, count, right, &other);
        if (other.bytes < plan->bytes)
            *plan = other;
    }
}

void rd_put(const uint64_t *bits, uint32_t count, const struct rd_plan *plan, struct buf *out)
{
    uint64_t index[CHUNK_SAMPLES_MAX], right[CHUNK_SAMPLES_MAX];
    uint16_t at[CHUNK_SAMPLES_MAX];
    uint32_t exceptions = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint16_t left = (uint16_t)(bits[i] >> plan->right_bits);
        uint32_t k = 0;
        while (k < plan->left_count && plan->left[k] != left)
            k++;
        if (k == plan->left_count)
            at[exceptions++] = (uint16_t)i;
        index[i] = k == plan->left_count ? 0 : k;
        right[i] = bits[i] & ((UINT64_C(1) << plan->right_bits) - 1);
    }
    size_t head = HEAD_BYTES + 2 * (size_t)plan->left_count + 4 * (size_t)exceptions;
    uint8_t *p = buf_reserve(out, head);
    if (!p)
        return;
    p[0] = (uint8_t)plan->right_bits;
    p[1] = (uint8_t)plan->left_count;
    for (uint32_t k = 0; k < plan->left_count; k++)
        le16_put(p + 2 + 2 * k, plan->left[k]);
    p += 2 + 2 * plan->left_count;
    le16_put(p, (uint16_t)exceptions);
    for (uint32_t i = 0; i < exceptions; i++) {
        le16_put(p + 2 + 2 * i, at[i]);
        le16_put(p + 2 + 2 * (exceptions + i), (uint16_t)(bits[at[i]] >> plan->right_bits));
    }
    out->len += head;
    bits_pack(index, count, index_bits(plan->left_count), out);
    bits_pack(right, count, plan->right_bits, out);
}

bool rd_get(const uint8_t *p, const uint8_t *end, uint32_t count, uint64_t *out)
{
    if (end - p < HEAD_BYTES)
        return false;
    unsigned right_bits = p[0];
    uint32_t lefts = p[1];
    if (right_bits < RIGHT_MIN || right_bits > RIGHT_MAX || lefts == 0 || lefts > RD_LEFTS_MAX ||
        (size_t)(end - p) < HEAD_BYTES + 2 * (size_t)lefts)
        return false;
    uint64_t left[RD_LEFTS_MAX] = {0};
    for (uint32_t k = 0; k < lefts; k++)
        left[k] = (uint64_t)le16_get(p + 2 + 2 * k) << right_bits;
    p += 2 + 2 * lefts;
    uint32_t exceptions = le16_get(p);
    const uint8_t *at = p + 2;
    p += 2;
    if (exceptions > count || (size_t)(end - p) < 4 * (size_t)exceptions)
        return false;
    p += 4 * (size_t)exceptions;
    uint64_t index[CHUNK_SAMPLES_MAX];
    size_t index_len = packed_bytes(count, index_bits(lefts));
    if (!bits_unpack(p, end, count, index_bits(lefts), index) ||
        !bits_unpack(p + index_len, end, count, right_bits, out) ||
        (size_t)(end - p) != index_len + packed_bytes(count, right_bits))
        return false;
    for (uint32_t i = 0; i < exceptions; i++) {
        uint32_t pos = le16_get(at + 2 * i);
        if (pos >= count || index[pos] >= RD_LEFTS_MAX)
            return false; /* the second: named twice */
        out[pos] |= (uint64_t)le16_get(at + 2 * (exceptions + i)) << right_bits;
        index[pos] = RD_LEFTS_MAX;
    }
    for (uint32_t i = 0; i < count; i++)
        if (index[i] < RD_LEFTS_MAX)
            out[i] |= left[index[i]];
    return true;
}
