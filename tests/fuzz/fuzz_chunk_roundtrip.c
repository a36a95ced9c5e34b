/*
 * fuzz_chunk_roundtrip.c - any values: encode, decode on every code path, the same 64 bits.
 *
 * Input: hint 2 bytes, repeat u8 (values repeat up to so often), then values of 8 bytes; the last
 * ones are repeated with the steps between them, so that short inputs make long chunks.
 */
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "chunk/chunk.h"
#include "chunk/ints.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void round_trip(const double *values, uint32_t count, struct chunk_hint hint)
{
    struct buf b = {0};
    chunk_encode_values(values, count, &hint, &b);
    double *out = (double *)malloc(count * sizeof *out);
    for (enum chunk_isa isa = CHUNK_ISA_SCALAR; isa <= chunk_isa_best(); isa++) {
        chunk_isa_use(isa);
        assert(chunk_decode_values(buf_view(&b), count, out) == ERR_OK);
        assert(memcmp(out, values, count * sizeof *out) == 0);
    }
    free(out);
    buf_deinit(&b);
}

static void ints_round_trip(const double *values, uint32_t count)
{
    int64_t *in = (int64_t *)malloc(count * sizeof *in), *out = (int64_t *)malloc(count * sizeof *out);
    memcpy(in, values, count * sizeof *in);
    struct buf b = {0};
    size_t used;
    ints_encode(in, count, &b);
    assert(ints_decode(buf_view(&b), count, out, &used) == ERR_OK && used == b.len);
    assert(memcmp(in, out, count * sizeof *in) == 0);
    buf_deinit(&b);
    free(in);
    free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 3 + 8)
        return 0;
    struct chunk_hint hint = {data[0], data[1]};
    uint32_t repeat = 1 + data[2] % 8, given = (uint32_t)((size - 3) / 8), count = 0;
    double values[CHUNK_SAMPLES_MAX];
    for (uint32_t i = 0; i < given; i++)
        for (uint32_t k = 0; k < repeat && count < CHUNK_SAMPLES_MAX; k++)
            values[count++] = f64_from_bits(le64_get(data + 3 + 8 * (size_t)i));
    uint32_t longer = data[2] & 0x80 ? count * 3 : count;
    for (; count < longer && count < CHUNK_SAMPLES_MAX && count >= 2; count++)
        values[count] = values[count - 1] + (values[1] - values[0]);
    round_trip(values, count, hint);
    ints_round_trip(values, count);
    return 0;
}
