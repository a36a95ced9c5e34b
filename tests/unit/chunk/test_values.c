/* Float chunks: every bit pattern comes back, on every instruction set; damage is refused. */
#include "chunk/chunk.h"

#include <criterion/criterion.h>

#include "lib/chunk_gen.h"
#include "model/value.h"

/* Encodes and reads back with each code path from exact-size memory; returns the size. */
static size_t round_trip(const double *values, uint32_t count, struct chunk_hint *hint, const char *what, uint64_t seed)
{
    struct buf b = {0};
    uint32_t flags = chunk_encode_values(values, count, hint, &b);
    size_t len = b.len;
    uint8_t *in = (uint8_t *)malloc(len);
    double *out = (double *)malloc(count * sizeof *out);
    memcpy(in, b.data, len);
    buf_deinit(&b);
    for (enum chunk_isa isa = CHUNK_ISA_SCALAR; isa <= chunk_isa_best(); isa++) {
        memset(out, 0xa5, count * sizeof *out);
        cr_assert(chunk_isa_use(isa));
        cr_assert_eq(chunk_decode_values(slice_of(in, len), count, out), ERR_OK, "%s seed %llu", what,
                     (unsigned long long)seed);
        for (uint32_t i = 0; i < count; i++)
            cr_assert_eq(f64_bits(out[i]), f64_bits(values[i]), "%s seed %llu value %u of %u on %s", what,
                         (unsigned long long)seed, i, count, chunk_isa_name(isa));
    }
    bool constant = true, stale = false;
    for (uint32_t i = 0; i < count; i++) {
        constant &= f64_bits(values[i]) == f64_bits(values[0]);
        stale |= value_is_stale(values[i]);
    }
    double value;
    cr_assert_eq(!!(flags & CHUNK_CONSTANT), constant);
    cr_assert_eq(!!(flags & CHUNK_HAS_STALE), stale);
    cr_assert_eq(chunk_constant(slice_of(in, len), &value), constant);
    cr_assert(!constant || f64_bits(value) == f64_bits(values[0]));
    chunk_isa_use(chunk_isa_best());
    free(in);
    free(out);
    return len;
}

Test(chunk_values, every_bit_pattern_of_every_kind_round_trips)
{
    static double v[CHUNK_SAMPLES_MAX];
    for (uint64_t seed = 1; seed <= 6000; seed++) {
        uint64_t rng = seed;
        uint32_t kind = (uint32_t)chunk_gen_next(&rng), r = (uint32_t)chunk_gen_next(&rng);
        uint32_t count = 1 + r % (seed % 64 == 0 ? CHUNK_SAMPLES_MAX : 400);
        uint32_t special_every = r & 0x1000 ? 0 : 1 + (r >> 16) % 80;
        chunk_gen_values(&rng, kind, special_every, count, v);
        struct chunk_hint hint = {(uint8_t)(r >> 8), (uint8_t)(r >> 20)}; /* any hint is safe */
        round_trip(v, count, seed % 3 ? NULL : &hint, "generated", seed);
    }
}

Test(chunk_values, one_and_two_values_of_each_special_kind_round_trip)
{
    const uint64_t bits[] = {0,
                             UINT64_C(1) << 63,
                             STALE_NAN_BITS,
                             NORMAL_NAN_BITS,
                             1,
                             UINT64_C(0x7ff0000000000000),
                             UINT64_C(0x4340000000000001),
                             UINT64_C(0x3fb999999999999a),
                             UINT64_MAX};
    for (size_t i = 0; i < sizeof bits / sizeof *bits; i++)
        for (size_t k = 0; k < sizeof bits / sizeof *bits; k++) {
            double v[2] = {f64_from_bits(bits[i]), f64_from_bits(bits[k])};
            round_trip(v, 1, NULL, "one", i);
            round_trip(v, 2, NULL, "two", i * 100 + k);
        }
}

/* 10^9 of them: bench_chunk random. */
Test(chunk_values, ten_million_random_bit_patterns_round_trip)
{
    static double v[CHUNK_SAMPLES_MAX], back[CHUNK_SAMPLES_MAX];
    struct buf out = {0};
    uint64_t rng = 20261121;
    for (uint32_t done = 0; done < 10000000; done += CHUNK_SAMPLES_MAX) {
        for (uint32_t i = 0; i < CHUNK_SAMPLES_MAX; i++)
            v[i] = f64_from_bits(chunk_gen_next(&rng));
        buf_reset(&out);
        chunk_encode_values(v, CHUNK_SAMPLES_MAX, NULL, &out);
        cr_assert_eq(chunk_decode_values(buf_view(&out), CHUNK_SAMPLES_MAX, back), ERR_OK);
        cr_assert_arr_eq((const uint8_t *)v, (const uint8_t *)back, sizeof v, "chunk from %u", done);
    }
    buf_deinit(&out);
}

Test(chunk_values, every_exponent_with_both_signs_and_edges_of_the_mantissa_round_trips)
{
    static const uint64_t mantissas[] = {0,
                                         1,
                                         2,
                                         UINT64_C(0x7ffffffffffff),
                                         UINT64_C(0x8000000000000),
                                         UINT64_C(0x8000000000001),
                                         UINT64_C(0xffffffffffffe),
                                         UINT64_C(0xfffffffffffff)};
    enum { EACH = 2 * sizeof mantissas / sizeof *mantissas };
    double v[EACH];
    for (uint64_t exponent = 0; exponent < 2048; exponent++) { /* zeros, denormals, infinities, every NaN class */
        for (uint64_t i = 0; i < EACH; i++)
            v[i] = f64_from_bits((i & 1) << 63 | exponent << 52 | mantissas[i / 2]);
        round_trip(v, EACH, NULL, "exponent", exponent);
    }
}

Test(chunk_values, whole_numbers_at_the_edges_of_exactness_round_trip)
{
    double v[64];
    const double edges[] = {2251799813685247,  2251799813685248,      2251799813685249,      9007199254740991,
                            9007199254740992,  9223372036854774784.0, 9223372036854775808.0, 1e15 + 0.125,
                            22517998136852.47, 2251799813685.2483};
    for (size_t e = 0; e < sizeof edges / sizeof *edges; e++)
        for (int sign = -1; sign <= 1; sign += 2) {
            for (int i = 0; i < 64; i++)
                v[i] = sign * (edges[e] + (i % 3 - 1) * (edges[e] > 1e16 ? 2048 : 1));
            round_trip(v, 64, NULL, "edge", e);
            for (int i = 0; i < 64; i += 5)
                v[i] = 0.25 * i;
            round_trip(v, 64, NULL, "edge with fractions", e);
        }
}

Test(chunk_values, common_shapes_are_small)
{
    double v[480];
    for (int i = 0; i < 480; i++)
        v[i] = 42.5;
    cr_expect_leq(round_trip(v, 480, NULL, "constant", 0), 3);
    for (int i = 0; i < 480; i++)
        v[i] = 1e6 + 15.0 * i;
    cr_expect_leq(round_trip(v, 480, NULL, "steady counter", 0), 8);
    for (int i = 0; i < 480; i++)
        v[i] = (i * 37 % 100) / 100.0;
    cr_expect_leq(round_trip(v, 480, NULL, "two decimals", 0), 480);
    for (int i = 0; i < 480; i++)
        v[i] = (i * 7919 % 4096) * 0.001;
    cr_expect_leq(round_trip(v, 480, NULL, "products", 0), 480 * 14 / 8);
    for (int i = 0; i < 480; i++)
        v[i] = i / 40;
    cr_expect_leq(round_trip(v, 480, NULL, "few changes", 0), 20);
    v[479] = f64_from_bits(STALE_NAN_BITS);
    for (int i = 0; i < 479; i++)
        v[i] = 1e6 + 15.0 * i;
    cr_expect_leq(round_trip(v, 480, NULL, "counter that ends stale", 0), 16);
}

Test(chunk_values, truncated_and_flipped_chunks_are_refused_or_decode_in_bounds)
{
    static double v[700];
    uint64_t rng = 31337;
    for (uint32_t kind = 0; kind < 4 * CHUNK_GEN_KINDS; kind++) {
        uint32_t count = 1 + (uint32_t)(chunk_gen_next(&rng) % 700);
        chunk_gen_values(&rng, kind, kind % 3 ? 0 : 30, count, v);
        struct buf b = {0};
        chunk_encode_values(v, count, NULL, &b);
        double *out = (double *)malloc(count * sizeof *out);
        for (size_t cut = 0; cut < b.len; cut += 1 + b.len / 50) {
            uint8_t *in = (uint8_t *)malloc(cut + 1);
            memcpy(in, b.data, cut);
            cr_assert_eq(chunk_decode_values(slice_of(in, cut), count, out), ERR_CORRUPT, "kind %u cut %zu of %zu",
                         kind, cut, b.len);
            free(in);
        }
        for (uint32_t flips = 0; flips < 200; flips++) {
            uint8_t *in = (uint8_t *)malloc(b.len);
            memcpy(in, b.data, b.len);
            in[chunk_gen_next(&rng) % b.len] ^= (uint8_t)(1u << (chunk_gen_next(&rng) % 8));
            enum err ignored = chunk_decode_values(slice_of(in, b.len), count, out);
            (void)ignored;
            free(in);
        }
        free(out);
        buf_deinit(&b);
    }
}

Test(chunk_times, round_trip_and_must_increase)
{
    static int64_t t[2000], out[2000];
    struct buf b = {0};
    for (uint64_t seed = 1; seed < 300; seed++) {
        uint64_t rng = seed;
        uint32_t count = 1 + (uint32_t)(chunk_gen_next(&rng) % 2000);
        chunk_gen_times(&rng, (int64_t)(chunk_gen_next(&rng) % (1u << 30)) - 1000, 15000, (unsigned)(seed % 20), count,
                        t);
        buf_reset(&b);
        times_encode(t, count, &b);
        cr_assert_eq(times_decode(buf_view(&b), count, out), ERR_OK);
        cr_assert_arr_eq(out, t, count * sizeof *t);
        cr_assert_eq(times_decode(slice_of(b.data, b.len - 1), count, out), ERR_CORRUPT);
        if (count > 2) {
            t[count / 2] = t[count / 2 - 1];
            buf_reset(&b);
            times_encode(t, count, &b);
            cr_assert_eq(times_decode(buf_view(&b), count, out), ERR_CORRUPT, "a repeated time");
        }
    }
    buf_deinit(&b);
}
