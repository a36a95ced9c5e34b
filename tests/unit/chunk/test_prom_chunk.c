/* Prometheus' chunks: the bytes that its own encoder writes for the same samples. */
#include <criterion/criterion.h>
#include <math.h>

#include "base/bytes.h"
#include "chunk/prom_chunk.h"
#include "model/value.h"

static void expect_hex(const struct buf *got, const char *hex)
{
    struct buf text = {0};
    for (size_t i = 0; i < got->len; i++)
        buf_printf(&text, "%02x", got->data[i]);
    cr_assert_str_eq(buf_cstr(&text), hex);
    buf_deinit(&text);
}

Test(prom_chunk, floats_are_the_bytes_of_prometheus)
{
    static const int64_t times[] = {1700000000000, 1700000015000, 1700000030007, 1700000045000,
                                    1700000060000, 1700001000000, 1700001015000, 1900001015000};
    double values[] = {1, 1, 2, 2.5, 0, -0.0, 1e300, 0};
    struct buf out = {0};
    values[4] = f64_from_bits(NORMAL_NAN_BITS);
    values[7] = f64_from_bits(STALE_NAN_BITS);
    prom_chunk_floats(times, values, 8, &out);
    expect_hex(&out, "000880a0abfef9623ff000000000000098754003e12fffdff96d07000f8befff0000000000007c00000000003875"
                     "23001fff0000000000003fffffffffffe3c5717f1bf21e44003ace7800000174876cab44038fc8791000eb3c");
    buf_deinit(&out);
}

Test(prom_chunk, one_float_is_a_chunk)
{
    struct buf out = {0};
    prom_chunk_floats((const int64_t[]){-1}, (const double[]){0}, 1, &out);
    expect_hex(&out, "0001010000000000000000");
    buf_deinit(&out);
}

enum { HISTS = 4 };

static struct histogram with_hint(struct histogram h, unsigned i)
{
    h.reset_hint = i ? RESET_NO : RESET_YES;
    return h;
}

Test(prom_chunk, histograms_are_the_bytes_of_prometheus)
{
    static const struct histogram_span positive[] = {{-5, 2}, {70, 1}}, negative[] = {{0, 1}};
    struct histogram h[HISTS];
    const struct histogram *list[HISTS];
    double counts[HISTS][4];
    int64_t times[HISTS];
    struct buf out = {0};
    for (unsigned i = 0; i < HISTS; i++) {
        memcpy(counts[i], (const double[]){1.0 + i, 2.0 + 2 * i, 3.0 + 3 * i, 3.0 * i}, sizeof counts[i]);
        h[i] = with_hint((struct histogram){.schema = 3,
                                            .zero_threshold = ldexp(1, -128),
                                            .zero_count = i,
                                            .count = 6.0 + 10 * i,
                                            .sum = 1.5 * i,
                                            .positive_span_count = 2,
                                            .negative_span_count = 1,
                                            .positive_count = 3,
                                            .negative_count = 1,
                                            .positive_spans = positive,
                                            .negative_spans = negative,
                                            .positive = counts[i],
                                            .negative = &counts[i][3]},
                         i);
        times[i] = INT64_C(1700000000000) + 15000 * (int64_t)i + (int64_t)(i * i);
        list[i] = &h[i];
    }
    cr_assert_eq(prom_chunk_fit(list, HISTS), HISTS);
    prom_chunk_histograms(times, list, HISTS, &out);
    expect_hex(&out,
               "000480749ca5bb8f11a317f0000c5e7f2b400200c000000000000000000000000000000000000000000001ff8000000000"
               "0002000000000000000200400000000000000000000000000007c1d4cea0ee22bffc45fffc25fffd60f583c26400cb6077"
               "097fff097fff603d80f50bd800a5a44fd80f589bac2f507e2ea17a");
    buf_deinit(&out);
}

Test(prom_chunk, gauge_histograms_with_custom_bounds_are_the_bytes_of_prometheus)
{
    static const struct histogram_span span = {0, 2};
    static const double bounds[] = {0.005, 1, 33554.431, -2};
    static const int64_t times[] = {-5, 999999995, 1999999995};
    struct histogram h[3];
    const struct histogram *list[3];
    double counts[3][2];
    struct buf out = {0};
    for (unsigned i = 0; i < 3; i++) {
        counts[i][0] = 1;
        counts[i][1] = 5.0 - i;
        h[i] = (struct histogram){.schema = HISTOGRAM_SCHEMA_CUSTOM,
                                  .reset_hint = RESET_GAUGE,
                                  .count = 6.0 - i,
                                  .sum = -1.5 * i + 0.0,
                                  .positive_span_count = 1,
                                  .positive_spans = &span,
                                  .positive_count = 2,
                                  .positive = counts[i],
                                  .bounds = bounds,
                                  .bound_count = 4};
        list[i] = &h[i];
    }
    h[0].sum = -0.0; /* what -1.5 * 0 is */
    cr_assert_eq(prom_chunk_fit(list, 3), 3);
    prom_chunk_histograms(times, list, 3, &out);
    expect_hex(&out, "0003c000ee5c6452de3e920703126e560418930000000000000003768030000000000000000000000000000100000000"
                     "000000007fe00000000000008028000000000001fc00000077359401b02d88bffeda0d2c25fff6b0b0");
    buf_deinit(&out);
}

Test(prom_chunk, a_stale_histogram_keeps_only_its_sum)
{
    static const double counts[] = {1};
    static const struct histogram_span span = {3, 1};
    const struct histogram h = {.schema = 2,
                                .count = 1,
                                .sum = f64_from_bits(STALE_NAN_BITS),
                                .positive_count = 1,
                                .positive = counts,
                                .positive_span_count = 1,
                                .positive_spans = &span};
    struct buf out = {0};
    prom_chunk_histograms((const int64_t[]){1000}, (const struct histogram *const[]){&h}, 1, &out);
    expect_hex(&out, "000100001e3e8000000000000000000000000000000007ff00000000000020");
    buf_deinit(&out);
}

Test(prom_chunk, a_chunk_ends_where_layout_or_reset_hint_changes)
{
    const struct histogram counter = {.schema = 1, .reset_hint = RESET_NO},
                           reset = {.schema = 1, .reset_hint = RESET_YES},
                           finer = {.schema = 2, .reset_hint = RESET_NO},
                           gauge = {.schema = 1, .reset_hint = RESET_GAUGE}, unknown = {.schema = 1};
    struct histogram stale = counter;
    stale.sum = f64_from_bits(STALE_NAN_BITS);
    cr_expect_eq(prom_chunk_fit((const struct histogram *const[]){&unknown, &counter, &counter, &reset}, 4), 3);
    cr_expect_eq(prom_chunk_fit((const struct histogram *const[]){&reset, &counter, &finer}, 3), 2);
    cr_expect_eq(prom_chunk_fit((const struct histogram *const[]){&gauge, &gauge, &counter}, 3), 2);
    cr_expect_eq(prom_chunk_fit((const struct histogram *const[]){&counter, &unknown}, 2), 1);
    cr_expect_eq(prom_chunk_fit((const struct histogram *const[]){&counter, &stale, &counter}, 3), 1);
    cr_expect_eq(prom_chunk_fit((const struct histogram *const[]){&stale, &stale, &counter}, 3), 2);
}
