/* JSON with Prometheus' bytes: numbers, strings of both encoders, labels, histograms. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>

#include "api/api_internal.h"

static const char *text_of(struct buf *out)
{
    static char text[4096];
    snprintf(text, sizeof text, "%s", buf_cstr(out));
    buf_deinit(out);
    *out = (struct buf){0};
    return text;
}

Test(api_json, values_are_strings_with_the_shortest_digits)
{
    static const struct {
        double v;
        const char *text;
    } cases[] = {
        {0, "\"0\""},           {-0.0, "\"-0\""},          {1, "\"1\""},           {0.1, "\"0.1\""},
        {1e-6, "\"0.000001\""}, {1e-7, "\"1e-07\""},       {1e21, "\"1e+21\""},    {1e20, "\"100000000000000000000\""},
        {NAN, "\"NaN\""},       {1.5e300, "\"1.5e+300\""}, {INFINITY, "\"+Inf\""}, {-INFINITY, "\"-Inf\""},
    };
    struct buf out = {0};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        json_float(&out, cases[i].v);
        cr_expect_str_eq(text_of(&out), cases[i].text);
    }
}

Test(api_json, sample_times_have_three_decimals_or_none)
{
    static const struct {
        int64_t ms;
        const char *text;
    } cases[] = {
        {1435781451781, "1435781451.781"}, {1500, "1.500"}, {1000, "1"}, {1, "0.001"}, {-1, "-0.001"}, {0, "0"}};
    struct buf out = {0};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        json_seconds(&out, cases[i].ms);
        cr_expect_str_eq(text_of(&out), cases[i].text);
    }
}

Test(api_json, plain_numbers_drop_the_zero_of_small_exponents)
{
    static const struct {
        double v;
        const char *text;
    } cases[] = {{1.5, "1.5"},
                 {1795276745.536, "1795276745.536"},
                 {0.00000746, "0.00000746"},
                 {7.46e-7, "7.46e-7"},
                 {0, "0"},
                 {1e21, "1e+21"},
                 {1e-10, "1e-10"}};
    struct buf out = {0};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        json_number(&out, cases[i].v);
        cr_expect_str_eq(text_of(&out), cases[i].text);
    }
}

Test(api_json, strings_escape_what_the_encoder_of_their_place_escapes)
{
    struct slice s = SLICE_LIT("<\"\\\n\t\r\x01\x7f&> \xc3\xa9 \xe2\x80\xa8 \xff \xed\xa0\x80");
    struct buf out = {0};
    json_string(&out, s);
    cr_expect_str_eq(text_of(&out), "\"<\\\"\\\\\\n\\t\\r\\u0001\x7f&> \xc3\xa9 \xe2\x80\xa8 \xff \xed\xa0\x80\"");
    json_string_html(&out, s);
    cr_expect_str_eq(text_of(&out), "\"\\u003c\\\"\\\\\\n\\t\\r\\u0001\x7f\\u0026\\u003e \xc3\xa9 \\u2028 \\ufffd "
                                    "\\ufffd\\ufffd\\ufffd\"");
    json_string_html(&out, (struct slice){0});
    cr_expect_str_eq(text_of(&out), "\"\"");
}

Test(api_json, a_histogram_shows_its_filled_buckets_with_their_rule)
{
    static const struct histogram_span positive = {0, 3}, negative = {0, 1};
    static const double counts[] = {1, 0, 2.5}, negatives[] = {4};
    struct histogram h = {.schema = 0,
                          .zero_threshold = 0.001,
                          .zero_count = 2,
                          .count = 9.5,
                          .sum = -3,
                          .positive_span_count = 1,
                          .positive_spans = &positive,
                          .positive_count = 3,
                          .positive = counts,
                          .negative_span_count = 1,
                          .negative_spans = &negative,
                          .negative_count = 1,
                          .negative = negatives};
    struct buf out = {0};
    json_histogram(&out, &h);
    cr_expect_str_eq(text_of(&out), "{\"count\":\"9.5\",\"sum\":\"-3\",\"buckets\":[[1,\"-1\",\"-0.5\",\"4\"],"
                                    "[3,\"-0.001\",\"0.001\",\"2\"],[0,\"0.5\",\"1\",\"1\"],[0,\"2\",\"4\",\"2.5\"]]}");
    struct histogram empty = {.sum = 0};
    json_histogram(&out, &empty);
    cr_expect_str_eq(text_of(&out), "{\"count\":\"0\",\"sum\":\"0\"}");
}
