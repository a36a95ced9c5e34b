/* Integer streams: any sequence comes back, damage is refused, every instruction set reads the same. */
#include "chunk/ints.h"

#include <criterion/criterion.h>

#include "chunk/chunk.h"
#include "lib/chunk_gen.h"

static void expect_round_trip(const int64_t *values, uint32_t count, const char *what)
{
    struct buf b = {0};
    ints_encode(values, count, &b);
    for (enum chunk_isa isa = CHUNK_ISA_SCALAR; isa <= chunk_isa_best(); isa++) {
        /* Exact-size copies, so that a sanitizer sees any step outside. */
        uint8_t *in = (uint8_t *)malloc(b.len);
        int64_t *out = (int64_t *)malloc(count * sizeof *out);
        memcpy(in, b.data, b.len);
        size_t used = 0;
        cr_assert(chunk_isa_use(isa));
        cr_assert_eq(ints_decode(slice_of(in, b.len), count, out, &used), ERR_OK, "%s n=%u", what, count);
        cr_assert_eq(used, b.len);
        cr_assert_arr_eq(out, values, count * sizeof *out, "%s n=%u %s", what, count, chunk_isa_name(isa));
        for (size_t cut = 0; cut < b.len && cut < 40; cut++)
            cr_assert_eq(ints_decode(slice_of(in, cut), count, out, &used), ERR_CORRUPT, "cut at %zu", cut);
        free(in);
        free(out);
    }
    chunk_isa_use(chunk_isa_best());
    buf_deinit(&b);
}

Test(ints, every_shape_and_width_round_trips)
{
    static int64_t v[INTS_COUNT_MAX];
    uint64_t rng = 7;
    const uint32_t counts[] = {1, 2, 3, 7, 8, 9, 63, 64, 65, 255, 256, 257, 258, 259, 511, 513, 1024, 4095, 4096};
    for (size_t c = 0; c < sizeof counts / sizeof *counts; c++)
        for (unsigned bits = 0; bits <= 64; bits += counts[c] > 600 ? 9 : 1) {
            uint64_t mask = bits == 64 ? UINT64_MAX : (UINT64_C(1) << bits) - 1;
            for (uint32_t i = 0; i < counts[c]; i++)
                v[i] = (int64_t)(chunk_gen_next(&rng) & mask);
            expect_round_trip(v, counts[c], "random bits");
            for (uint32_t i = 1; i < counts[c]; i++) /* the same as steps, with wrap-around */
                v[i] = (int64_t)((uint64_t)v[i - 1] + (uint64_t)v[i] * 1000);
            expect_round_trip(v, counts[c], "steps");
        }
}

Test(ints, extremes_wrap_and_come_back)
{
    const int64_t sets[][6] = {{INT64_MIN, INT64_MAX, INT64_MIN, INT64_MAX, 0, -1},
                               {INT64_MIN, 0, INT64_MIN, 0, INT64_MIN, 0},
                               {INT64_MIN, INT64_MIN, INT64_MIN, INT64_MIN, INT64_MIN, INT64_MAX},
                               {0, INT64_MIN, 0, 0, INT64_MIN, INT64_MIN},
                               {-1, 1, -1, 1, -1, 1},
                               /* deltas that share a divisor only because one wrapped */
                               {0x29dadadadaffff27, -0x2525252525254a0d, 0x2727fffff1400310, 0, 7, -7},
                               {INT64_MAX, INT64_MIN + 2, INT64_MIN + 5, INT64_MAX - 9, 3, 0}};
    for (size_t i = 0; i < sizeof sets / sizeof *sets; i++)
        for (uint32_t n = 1; n <= 6; n++)
            expect_round_trip(sets[i], n, "extremes");
}

Test(ints, outliers_become_patches)
{
    int64_t v[300];
    uint64_t rng = 99;
    for (uint32_t i = 0; i < 300; i++)
        v[i] = (int64_t)(chunk_gen_next(&rng) % 8) + (i % 50 == 49 ? INT64_C(1) << 40 : 0);
    struct buf b = {0};
    ints_encode(v, 300, &b);
    cr_expect_lt(b.len, 300 * 4 / 8 + 120, "%zu", b.len);
    buf_deinit(&b);
    expect_round_trip(v, 300, "outliers");
}

Test(ints, a_common_divisor_and_a_line_cost_next_to_nothing)
{
    int64_t v[1000];
    for (int i = 0; i < 1000; i++)
        v[i] = 1700000000000 + i * 15000;
    struct buf b = {0};
    ints_encode(v, 1000, &b);
    cr_expect_lt(b.len, 12);
    buf_reset(&b);
    for (int i = 0; i < 1000; i++)
        v[i] = (i * 7919 % 8) * 4096;
    ints_encode(v, 1000, &b);
    cr_expect_lt(b.len, 1000 * 3 / 8 + 20, "three bits each");
    buf_deinit(&b);
    expect_round_trip(v, 1000, "divisor");
}

Test(ints, damaged_bytes_never_read_or_write_outside)
{
    static int64_t v[600], out[600];
    uint64_t rng = 4242;
    for (uint32_t round = 0; round < 3000; round++) {
        uint32_t n = 1 + (uint32_t)(chunk_gen_next(&rng) % 600);
        for (uint32_t i = 0; i < n; i++)
            v[i] = (int64_t)(chunk_gen_next(&rng) >> (chunk_gen_next(&rng) % 64));
        struct buf b = {0};
        ints_encode(v, n, &b);
        uint8_t *in = (uint8_t *)malloc(b.len);
        memcpy(in, b.data, b.len);
        in[chunk_gen_next(&rng) % b.len] ^= (uint8_t)(1u << (chunk_gen_next(&rng) % 8));
        size_t used;
        if (ints_decode(slice_of(in, b.len), n, out, &used) == ERR_OK)
            cr_assert_leq(used, b.len);
        free(in);
        buf_deinit(&b);
    }
}
