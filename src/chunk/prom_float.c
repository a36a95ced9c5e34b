/*
 * prom_float.c - Prometheus' XOR chunks: timestamps as delta of delta, values as XOR with the one before.
 */
#include "base/assert.h"
#include "chunk/prom_chunk.h"
#include "chunk/prom_internal.h"

enum { SAMPLE_BYTES_MAX = (4 + 64 + PROM_XOR_BITS_MAX + 7) / 8, HEAD_BYTES_MAX = 2 + 2 * VARINT_BYTES_MAX + 8 + 8 };

void prom_put_value(struct bits *b, struct prom_column *column, double v)
{
    uint64_t xor = f64_bits(v) ^ column->bits;
    column->bits ^= xor;
    if (!xor) {
        bits_put_short(b, 0, 1);
        return;
    }
    unsigned leading = (unsigned)__builtin_clzll(xor), trailing = (unsigned)__builtin_ctzll(xor);
    if (leading > 31)
        leading = 31; /* has five bits */
    if (column->leading != PROM_NO_WINDOW && leading >= column->leading && trailing >= column->trailing) {
        bits_put_short(b, 2, 2);
        bits_put(b, xor >> column->trailing, 64u - column->leading - column->trailing);
        return;
    }
    unsigned significant = 64 - leading - trailing; /* 64 is written as 0 */
    column->leading = (uint8_t)leading;
    column->trailing = (uint8_t)trailing;
    bits_put_short(b, UINT64_C(3) << 11 | leading << 6 | (significant & 63), 13);
    bits_put(b, xor >> trailing, significant);
}

static void put_delta_of_delta(struct bits *b, int64_t dod)
{
    if (dod == 0) {
        bits_put_short(b, 0, 1);
    } else if (prom_fits(dod, 14)) {
        bits_put_short(b, 2, 2);
        bits_put_short(b, (uint64_t)dod, 14);
    } else if (prom_fits(dod, 17)) {
        bits_put_short(b, 6, 3);
        bits_put_short(b, (uint64_t)dod, 17);
    } else if (prom_fits(dod, 20)) {
        bits_put_short(b, 14, 4);
        bits_put_short(b, (uint64_t)dod, 20);
    } else {
        bits_put_short(b, 15, 4);
        bits_put(b, (uint64_t)dod, 64);
    }
}

void prom_chunk_floats(const int64_t *times_ms, const double *values, uint32_t count, struct buf *out)
{
    assert(count >= 1 && count <= UINT16_MAX);
    uint8_t *start = buf_reserve(out, HEAD_BYTES_MAX + (size_t)count * SAMPLE_BYTES_MAX);
    if (!start)
        return; /* out has failed, as its owner sees */
    struct bits b = {.next = start};
    struct prom_column column = {.bits = f64_bits(values[0]), .leading = PROM_NO_WINDOW};
    bits_put_short(&b, count, 16);
    bits_varint(&b, zigzag_put(times_ms[0]));
    bits_put(&b, column.bits, 64);
    uint64_t delta = 0;
    for (uint32_t i = 1; i < count; i++) {
        uint64_t next = (uint64_t)times_ms[i] - (uint64_t)times_ms[i - 1];
        if (i == 1)
            bits_varint(&b, next);
        else
            put_delta_of_delta(&b, (int64_t)(next - delta));
        prom_put_value(&b, &column, values[i]);
        delta = next;
    }
    out->len += (size_t)(bits_finish(&b) - start);
}
