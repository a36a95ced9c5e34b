/* Native histograms as columns: exactly what was written comes back. */
#include "chunk/hist_chunk.h"

#include <criterion/criterion.h>

#include "base/bytes.h"
#include "chunk/chunk.h"
#include "lib/chunk_gen.h"

static bool doubles_eq(const double *a, const double *b, uint32_t n)
{
    return n == 0 || memcmp(a, b, n * sizeof *a) == 0;
}

static bool spans_eq(const struct histogram_span *a, const struct histogram_span *b, uint32_t n)
{
    return n == 0 || memcmp(a, b, n * sizeof *a) == 0;
}

static void expect_eq(const struct histogram *a, const struct histogram *b, uint64_t seed)
{
    cr_assert_eq(a->schema, b->schema);
    cr_assert_eq(a->reset_hint, b->reset_hint, "seed %llu", (unsigned long long)seed);
    cr_assert_eq(f64_bits(a->zero_threshold), f64_bits(b->zero_threshold));
    cr_assert_eq(f64_bits(a->zero_count), f64_bits(b->zero_count));
    cr_assert_eq(f64_bits(a->count), f64_bits(b->count));
    cr_assert_eq(f64_bits(a->sum), f64_bits(b->sum));
    cr_assert_eq(a->positive_span_count, b->positive_span_count);
    cr_assert_eq(a->negative_span_count, b->negative_span_count);
    cr_assert_eq(a->positive_count, b->positive_count);
    cr_assert_eq(a->negative_count, b->negative_count);
    cr_assert_eq(a->bound_count, b->bound_count);
    cr_assert(spans_eq(a->positive_spans, b->positive_spans, a->positive_span_count));
    cr_assert(spans_eq(a->negative_spans, b->negative_spans, a->negative_span_count));
    cr_assert(doubles_eq(a->positive, b->positive, a->positive_count));
    cr_assert(doubles_eq(a->negative, b->negative, a->negative_count));
    cr_assert(doubles_eq(a->bounds, b->bounds, a->bound_count));
}

static size_t round_trip(const struct histogram *const *hists, uint32_t count, uint64_t seed)
{
    struct buf b = {0};
    struct arena arena;
    arena_init(&arena, NULL);
    cr_assert_eq(hist_chunk_fit(hists, count), count);
    hist_chunk_encode(hists, count, &b);
    uint8_t *in = (uint8_t *)malloc(b.len);
    memcpy(in, b.data, b.len);
    const struct histogram **out = ARENA_ARRAY(&arena, const struct histogram *, count);
    cr_assert_eq(hist_chunk_decode(slice_of(in, b.len), count, &arena, out), ERR_OK);
    for (uint32_t i = 0; i < count; i++)
        expect_eq(out[i], hists[i], seed);
    for (size_t cut = 0; cut < b.len; cut += 1 + b.len / 60)
        cr_assert_eq(hist_chunk_decode(slice_of(in, cut), count, &arena, out), ERR_CORRUPT, "cut at %zu", cut);
    uint64_t rng = seed;
    for (int flips = 0; flips < 60; flips++) {
        memcpy(in, b.data, b.len);
        in[chunk_gen_next(&rng) % b.len] ^= (uint8_t)(1u << (chunk_gen_next(&rng) % 8));
        enum err ignored = hist_chunk_decode(slice_of(in, b.len), count, &arena, out);
        (void)ignored;
    }
    size_t len = b.len;
    free(in);
    buf_deinit(&b);
    arena_deinit(&arena);
    return len;
}

Test(hist_chunk, growing_histograms_round_trip)
{
    for (uint64_t seed = 1; seed < 120; seed++) {
        struct arena arena;
        arena_init(&arena, NULL);
        uint64_t rng = seed;
        uint32_t count = 1 + (uint32_t)(chunk_gen_next(&rng) % 200);
        const struct histogram **hists = ARENA_ARRAY(&arena, const struct histogram *, count);
        chunk_gen_hists(&rng, count, &arena, hists);
        round_trip(hists, count, seed);
        arena_deinit(&arena);
    }
}

Test(hist_chunk, custom_bounds_and_empty_histograms_round_trip)
{
    const double bounds[] = {0.1, 0.5, 1, 2.5, 10}, a[] = {1, 0, 3}, b[] = {1, 2, 5};
    const struct histogram_span spans[] = {{0, 1}, {2, 2}};
    struct histogram first = {.schema = HISTOGRAM_SCHEMA_CUSTOM,
                              .count = 4,
                              .sum = 7.25,
                              .positive_span_count = 2,
                              .positive_spans = spans,
                              .positive = a,
                              .positive_count = 3,
                              .bounds = bounds,
                              .bound_count = 5,
                              .reset_hint = RESET_YES};
    struct histogram second = first, empty = {.schema = HISTOGRAM_SCHEMA_CUSTOM, .bounds = bounds, .bound_count = 5};
    second.positive = b;
    second.reset_hint = RESET_NO;
    const struct histogram *all[] = {&first, &second, &empty, &first};
    round_trip(all, 4, 1);
}

Test(hist_chunk, a_change_of_scale_starts_a_new_chunk)
{
    const double bounds[] = {1, 2}, other[] = {1, 3};
    struct histogram a = {.schema = 3}, b = {.schema = 4}, c = {.schema = 3, .zero_threshold = 0.001};
    struct histogram d = {.schema = HISTOGRAM_SCHEMA_CUSTOM, .bounds = bounds, .bound_count = 2}, e = d;
    e.bounds = other;
    cr_expect_eq(hist_chunk_fit((const struct histogram *[]){&a, &a, &b}, 3), 2);
    cr_expect_eq(hist_chunk_fit((const struct histogram *[]){&a, &c}, 2), 1);
    cr_expect_eq(hist_chunk_fit((const struct histogram *[]){&d, &e}, 2), 1);
}

Test(hist_chunk, a_histogram_that_contradicts_itself_does_not_fit)
{
    const double counts[] = {1, 2};
    const struct histogram_span spans[] = {{0, 1}, {-3, 1}}, far[] = {{INT32_MAX, 2}};
    struct histogram overlap = {
        .positive_span_count = 2, .positive_spans = spans, .positive = counts, .positive_count = 2};
    struct histogram outside = {
        .positive_span_count = 1, .positive_spans = far, .positive = counts, .positive_count = 2};
    struct histogram missing = {.positive = counts, .positive_count = 2};
    cr_expect_eq(hist_chunk_fit((const struct histogram *[]){&overlap}, 1), 0);
    cr_expect_eq(hist_chunk_fit((const struct histogram *[]){&outside}, 1), 0);
    cr_expect_eq(hist_chunk_fit((const struct histogram *[]){&missing}, 1), 0);
}

Test(hist_chunk, decoding_stays_within_the_arenas_budget)
{
    struct arena arena, small;
    struct mem_budget budget = {.name = "test", .limit = 20000};
    arena_init(&arena, NULL);
    arena_init(&small, &budget);
    uint64_t rng = 5;
    const struct histogram *hists[300], *out[300];
    chunk_gen_hists(&rng, 300, &arena, hists);
    struct buf b = {0};
    hist_chunk_encode(hists, 300, &b);
    cr_expect_eq(hist_chunk_decode(buf_view(&b), 300, &small, out), ERR_LIMIT);
    buf_deinit(&b);
    arena_deinit(&small);
    arena_deinit(&arena);
}
