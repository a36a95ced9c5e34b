/* Bounds, compaction, totals, and what comes from the wire; the vectors test has the rest. */
#include "histogram/histogram.h"

#include <criterion/criterion.h>
#include <float.h>
#include <math.h>
#include <stdio.h>

#include "base/bytes.h"

#define COUNT(array) ((uint32_t)(sizeof(array) / sizeof((array)[0])))

/* ---- SHA-256, for one check ---- */

static uint32_t rotated(uint32_t v, unsigned by)
{
    return v >> by | v << (32 - by);
}

/* The first bits of the fractional parts of the roots of the first primes. */
static uint32_t root_bits(int prime_number, bool cube)
{
    int prime = 1;
    for (int found = -1; found < prime_number;) {
        bool is_prime = ++prime > 1;
        for (int d = 2; d * d <= prime; d++)
            is_prime = is_prime && prime % d != 0;
        found += is_prime;
    }
    long double root = cube ? cbrtl((long double)prime) : sqrtl((long double)prime);
    return (uint32_t)(int64_t)((root - floorl(root)) * 4294967296.0L);
}

static void sha256_block(uint32_t state[8], const uint8_t *block)
{
    uint32_t w[64], s[8];
    for (int i = 0; i < 16; i++)
        w[i] = be32_get(block + 4 * i);
    for (int i = 16; i < 64; i++) {
        uint32_t a = rotated(w[i - 15], 7) ^ rotated(w[i - 15], 18) ^ w[i - 15] >> 3;
        uint32_t b = rotated(w[i - 2], 17) ^ rotated(w[i - 2], 19) ^ w[i - 2] >> 10;
        w[i] = w[i - 16] + a + w[i - 7] + b;
    }
    memcpy(s, state, sizeof s);
    for (int i = 0; i < 64; i++) {
        uint32_t big1 = rotated(s[4], 6) ^ rotated(s[4], 11) ^ rotated(s[4], 25);
        uint32_t t1 = s[7] + big1 + ((s[4] & s[5]) ^ (~s[4] & s[6])) + root_bits(i, true) + w[i];
        uint32_t big0 = rotated(s[0], 2) ^ rotated(s[0], 13) ^ rotated(s[0], 22);
        uint32_t t2 = big0 + ((s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]));
        memmove(s + 1, s, 7 * sizeof *s);
        s[4] += t1;
        s[0] = t1 + t2;
    }
    for (int i = 0; i < 8; i++)
        state[i] += s[i];
}

/* The data must leave room for the padding in its last block. */
static void sha256_hex(uint8_t *data, size_t len, char out[65])
{
    uint32_t state[8];
    for (int i = 0; i < 8; i++)
        state[i] = root_bits(i, false);
    size_t padded = (len + 9 + 63) / 64 * 64;
    memset(data + len, 0, padded - len);
    data[len] = 0x80;
    be64_put(data + padded - 8, len * 8);
    for (size_t at = 0; at < padded; at += 64)
        sha256_block(state, data + at);
    for (int i = 0; i < 8; i++)
        snprintf(out + 8 * i, 9, "%08x", state[i]);
}

Test(histogram, bounds_are_those_of_the_reference_bit_by_bit)
{
    static uint8_t bytes[511 * 8 + 128];
    size_t len = 0;
    for (int32_t schema = 0; schema <= 8; schema++)
        for (int32_t i = 0; i < 1 << schema; i++, len += 8)
            le64_put(bytes + len, f64_bits(histogram_bound(i - (1 << schema), schema)));
    char hex[65];
    sha256_hex(bytes, len, hex);
    cr_expect_str_eq(hex, "ef8c502a6c1058710589604d187fa4789ad2848af70668cf7739ab3797e768ec");
}

Test(histogram, the_last_finite_bound_is_the_largest_double)
{
    cr_expect_eq(histogram_bound(1024, 0), DBL_MAX);
    cr_expect_eq(histogram_bound(1025, 0), INFINITY);
    cr_expect_eq(histogram_bound(1024 << 8, 8), DBL_MAX);
    cr_expect_eq(histogram_bound(64, -4), DBL_MAX);
    cr_expect_eq(histogram_bound(65, -4), INFINITY);
    cr_expect_eq(histogram_bound(-1074, 0), 5e-324);
    cr_expect_eq(histogram_bound(INT32_MIN, -4), 0);
    cr_expect_eq(histogram_bound(INT32_MAX, -4), INFINITY);
}

static const struct histogram_span two_spans[] = {{0, 2}, {1, 2}};
static const double four_buckets[] = {1, 0, 2, 3};

static struct histogram sample(void)
{
    return (struct histogram){.schema = 0,
                              .zero_threshold = 0.001,
                              .zero_count = 2,
                              .count = 8,
                              .sum = 18.4,
                              .positive_span_count = 2,
                              .positive_spans = two_spans,
                              .positive_count = 4,
                              .positive = four_buckets};
}

Test(histogram, compaction_keeps_a_compact_one_and_drops_empty_buckets_of_others)
{
    struct arena arena;
    arena_init(&arena, NULL);
    struct histogram h = sample();
    const struct histogram *c = histogram_compact(&arena, &h);
    cr_assert_neq(c, &h);
    cr_assert_eq(c->positive_span_count, 2);
    cr_expect(c->positive_spans[0].offset == 0 && c->positive_spans[0].length == 1);
    cr_expect(c->positive_spans[1].offset == 2 && c->positive_spans[1].length == 2);
    cr_expect_eq(c->positive_count, 3);
    cr_expect_eq(histogram_compact(&arena, c), c);
    arena_deinit(&arena);
}

Test(histogram, empty_spans_do_no_harm)
{
    static const struct histogram_span spans[] = {{1, 0}, {0, 1}, {2, 0}, {0, 0}, {1, 1}, {3, 0}};
    static const double buckets[] = {4, 5};
    struct arena arena;
    arena_init(&arena, NULL);
    struct histogram h = sample();
    h.positive_spans = spans;
    h.positive_span_count = COUNT(spans);
    h.positive = buckets;
    h.positive_count = 2;
    const struct histogram *sum, *c;
    struct histogram other = sample();
    cr_assert_eq(histogram_add(&arena, &h, &other, &sum, NULL), ERR_OK);
    c = histogram_compact(&arena, sum);
    struct buf out = {0};
    histogram_print_expression(c, &out);
    cr_expect_str_eq(buf_cstr(&out), "{{count:16 sum:36.8 z_bucket:4 z_bucket_w:0.001 buckets:[1 4 0 2 3 5]}}");
    cr_expect(histogram_equal(&h, &h));
    cr_expect_not(histogram_detect_reset(&h, &h));
    buf_deinit(&out);
    arena_deinit(&arena);
}

Test(histogram, exponential_and_custom_ones_do_not_mix)
{
    static const double bounds[] = {1, 2, 3};
    struct arena arena;
    arena_init(&arena, NULL);
    struct histogram a = sample(), b = sample();
    b.schema = HISTOGRAM_SCHEMA_CUSTOM;
    b.bounds = bounds;
    b.bound_count = 3;
    const struct histogram *res;
    cr_expect_eq(histogram_add(&arena, &a, &b, &res, NULL), ERR_INVALID);
    cr_expect_eq(histogram_sub(&arena, &b, &a, &res, NULL), ERR_INVALID);
    struct histogram_total *t = histogram_total_new(&arena, &a);
    cr_expect_eq(histogram_total_add(t, &b, NULL), ERR_INVALID);
    cr_expect_eq(histogram_total_add_mean(t, &b, NULL), ERR_INVALID);
    arena_deinit(&arena);
}

Test(histogram, prints_as_prometheus_does)
{
    struct histogram h = sample();
    struct buf out = {0};
    histogram_print(&h, &out);
    cr_expect_str_eq(buf_cstr(&out), "{count:8, sum:18.4, [-0.001,0.001]:2, (0.5,1]:1, (4,8]:2, (8,16]:3}");
    buf_deinit(&out);
}

Test(histogram, a_total_of_one_is_that_one)
{
    struct arena arena;
    arena_init(&arena, NULL);
    struct histogram h = sample();
    cr_expect(histogram_equal(histogram_total_sum(histogram_total_new(&arena, &h)), &h));
    cr_expect(histogram_equal(histogram_total_mean(histogram_total_new(&arena, &h)), &h));
    arena_deinit(&arena);
}

/* ---- Wire ---- */

static const struct histogram_span wire_spans[] = {{0, 2}, {1, 1}};
static const int64_t wire_deltas[] = {2, -1, 3}; /* 2 1 4 */

static struct histogram_integers wire(void)
{
    return (struct histogram_integers){.schema = 1,
                                       .zero_count = 1,
                                       .count = 8,
                                       .sum = 5,
                                       .positive_span_count = 2,
                                       .positive_spans = wire_spans,
                                       .positive_count = 3,
                                       .positive = wire_deltas};
}

Test(histogram, integers_become_absolute_floats)
{
    struct arena arena;
    arena_init(&arena, NULL);
    struct histogram_integers h = wire();
    cr_expect_eq(histogram_validate_integers(&h, NULL), ERR_OK);
    const struct histogram *f = histogram_from_integers(&arena, &h);
    cr_expect(f->positive[0] == 2 && f->positive[1] == 1 && f->positive[2] == 4);
    cr_expect_eq(histogram_validate(f, NULL), ERR_OK);
    h.schema = 10; /* indices 0, 1, 3 of schema 10 are 0, 1, 1 of schema 8 */
    f = histogram_from_integers(&arena, &h);
    cr_expect_eq(f->schema, 8);
    cr_assert_eq(f->positive_count, 2);
    cr_expect(f->positive[0] == 2 && f->positive[1] == 5);
    arena_deinit(&arena);
}

static void expect_refused(const struct histogram_integers *h, const char *text)
{
    struct errmsg why;
    cr_expect_eq(histogram_validate_integers(h, &why), ERR_INVALID, "%s", text);
    cr_expect_str_eq(why.text, text);
}

Test(histogram, broken_integer_histograms_are_refused_with_prometheus_texts)
{
    static const struct histogram_span back[] = {{0, 2}, {-1, 1}}, far[] = {{INT32_MAX, 2}, {1, 1}};
    static const int64_t negative[] = {2, -3, 3};
    static const double bounds[] = {1, 2};
    struct histogram_integers h = wire();
    h.count = 9;
    expect_refused(&h,
                   "8 observations found in buckets, but the Count field is 9: histogram's observation count should "
                   "equal the number of observations found in the buckets (in absence of NaN)");
    h.sum = NAN;
    cr_expect_eq(histogram_validate_integers(&h, NULL), ERR_OK, "NaN observations are in no bucket");
    h.count = 7;
    expect_refused(&h,
                   "8 observations found in buckets, but the Count field is 7: histogram's observation count should be "
                   "at least the number of observations found in the buckets");
    h = wire();
    h.positive_count = 2;
    expect_refused(&h,
                   "positive side: spans need 3 buckets, have 2 buckets: histogram spans specify different number of "
                   "buckets than provided");
    h = wire();
    h.positive_spans = back;
    expect_refused(&h, "positive side: span number 2 with offset -1: histogram has a span whose offset is negative");
    h.positive_spans = far;
    expect_refused(&h, "positive side: span number 1 reaches bucket 2147483649, which is past all numbers");
    h = wire();
    h.positive = negative;
    expect_refused(&h, "positive side: bucket number 2 has observation count of -1: histogram has a bucket whose "
                       "observation count is negative");
    h = wire();
    h.bounds = bounds;
    h.bound_count = 2;
    expect_refused(&h, "histogram with exponential schema must not have custom bounds");
    h = wire();
    h.schema = 53;
    expect_refused(
        &h, "histogram has an invalid schema, which must be between -4 and 8 for exponential buckets, or -53 for "
            "custom buckets, got schema 53");
}

Test(histogram, broken_custom_buckets_are_refused_with_prometheus_texts)
{
    static const double same[] = {1, 1, 2, 3}, infinite[] = {1, 2, INFINITY}, nan_bound[] = {NAN}, few[] = {1, 2},
                        good[] = {1, 2, 3};
    struct histogram_integers h = wire();
    h.schema = HISTOGRAM_SCHEMA_CUSTOM;
    h.zero_count = 0;
    h.count = 7;
    h.bounds = good;
    h.bound_count = 3;
    cr_expect_eq(histogram_validate_integers(&h, NULL), ERR_OK);
    h.zero_count = 1;
    expect_refused(&h, "custom buckets: must have zero count of 0");
    h.zero_count = 0;
    h.bounds = few;
    h.bound_count = 2;
    expect_refused(
        &h, "custom buckets: only 2 custom bounds defined which is insufficient to cover total span length of 4: "
            "histogram custom bounds are too few");
    h.bounds = same;
    h.bound_count = 4;
    expect_refused(
        &h, "custom buckets: previous bound is 1.000000 and current is 1.000000: histogram custom bounds must be "
            "in strictly increasing order");
    h.bounds = infinite;
    h.bound_count = 3;
    expect_refused(&h,
                   "custom buckets: last +Inf bound must not be explicitly defined: histogram custom bounds must be "
                   "finite");
    h.bounds = nan_bound;
    h.bound_count = 1;
    expect_refused(&h, "custom buckets: histogram custom bounds must not be NaN");
}
