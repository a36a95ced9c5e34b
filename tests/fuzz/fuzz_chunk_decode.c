/*
 * fuzz_chunk_decode.c - any bytes as a chunk: no step outside, the same bits on every code path.
 *
 * Input: kind u8, count u16, then the chunk.
 */
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "chunk/chunk.h"
#include "chunk/hist_chunk.h"
#include "chunk/ints.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_values(struct slice chunk, uint32_t count)
{
    double *first = (double *)malloc(count * sizeof *first), *other = (double *)malloc(count * sizeof *other);
    chunk_isa_use(CHUNK_ISA_SCALAR);
    enum err err = chunk_decode_values(chunk, count, first);
    for (enum chunk_isa isa = CHUNK_ISA_AVX2; isa <= chunk_isa_best(); isa++) {
        chunk_isa_use(isa);
        assert(chunk_decode_values(chunk, count, other) == err);
        assert(err != ERR_OK || memcmp(first, other, count * sizeof *first) == 0);
    }
    char text[64];
    double constant;
    chunk_describe(chunk, text);
    chunk_constant(chunk, &constant);
    free(first);
    free(other);
}

static void try_ints(struct slice chunk, uint32_t count)
{
    int64_t *out = (int64_t *)malloc(count * sizeof *out);
    size_t used;
    if (ints_decode(chunk, count, out, &used) == ERR_OK)
        assert(used <= chunk.len);
    if (times_decode(chunk, count, out) == ERR_OK)
        for (uint32_t i = 1; i < count; i++)
            assert(out[i - 1] < out[i]);
    free(out);
}

static void try_hists(struct slice chunk, uint32_t count)
{
    struct arena arena;
    struct mem_budget budget = {.name = "fuzz", .limit = 64 << 20};
    const struct histogram *out[HIST_CHUNK_SAMPLES_MAX];
    arena_init(&arena, &budget);
    if (hist_chunk_decode(chunk, count, &arena, out) == ERR_OK)
        assert(hist_chunk_fit(out, count) == count);
    arena_deinit(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 3)
        return 0;
    uint32_t count = 1 + le16_get(data + 1) % CHUNK_SAMPLES_MAX;
    struct slice chunk = slice_of(data + 3, size - 3);
    if (data[0] % 3 == 0)
        try_values(chunk, count);
    else if (data[0] % 3 == 1)
        try_ints(chunk, count);
    else
        try_hists(chunk, 1 + count % HIST_CHUNK_SAMPLES_MAX);
    return 0;
}
