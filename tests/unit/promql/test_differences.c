/*
 * What random queries beside a live Prometheus 3.15 (tests/differential) found to be answered differently.
 */
#include <criterion/criterion.h>
#include <stdio.h>

#include "engine_test.h"

static const char data[] =
    "load 15s\n"
    "  m 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32 33 34 35 36 37 38 39 40\n"
    "  b{instance=\"i\",job=\"j\"} 3\n"
    "  target_info{instance=\"i\",job=\"j\",cloud=\"x\",version=\"1\"} 1\n"
    "  build_info{instance=\"i\",job=\"j\",revision=\"r\",version=\"2\"} 1\n"
    "  o{a=\"1\",g=\"x\"} _ 5\n"
    "  o{a=\"2\",g=\"y\"} 1\n"
    "  o{a=\"3\",g=\"x\"} 2\n"
    "  n_bucket{le=\"0.1\"} 58\n"
    "  n_bucket{le=\"0.5\"} 111\n"
    "  n_bucket{le=\"1\"} NaN\n"
    "  n_bucket{le=\"5\"} 234\n"
    "  n_bucket{le=\"+Inf\"} 287\n"
    "  hb_bucket{le=\"1\"} 5\n"
    "  hb_bucket{le=\"2\"} 4\n"
    "  hb_bucket{le=\"4\"} 10\n"
    "  hb_bucket{le=\"+Inf\"} 10\n"
    "  h{a=\"1\"} {{schema:0 sum:1 count:1 buckets:[1]}}\n"
    "  h{a=\"2\"} {{schema:-53 sum:1 count:1 custom_values:[5] buckets:[1]}}\n";

static const struct {
    const char *expression;
    int64_t t_ms;
    const char *answer;
} cases[] = {
    {"info(b, {__name__=~\".+_info\"})", 0, "error: conflicting label: version"},
    {"info(info(b, {__name__=\"build_info\"}), {__name__=\"build_info\",version=~\".+\"})", 0,
     "b{instance=\"i\", job=\"j\", revision=\"r\", version=\"2\"} 3"},
    {"start_timestamp(m)", 0, ""},
    {"start_timestamp(abs(m))", 0, ""},
    {"label_replace(resets(m[1m] smoothed), \"x\", \"y\", \"job\", \"(\")", 0,
     "error: invalid regular expression in label_replace(): ("},
    {"count(sum_over_time(m[1m] anchored))", 0,
     "error: anchored modifier can only be used with: changes, delta, increase, rate, resets - not with sum_over_time"},
    {"m[0.0001]", 60000, ""}, /* no millisecond is in it */
    {"m[0.0001] offset -5", 60000, ""},
    {"count_over_time(m[0.0001])", 60000, ""},
    {"1 </ 2", 0, "error: operator \"</\" not allowed for Scalar operations"},
    {"scalar(m) >/ time()", 0, "error: operator \">/\" not allowed for Scalar operations"},
    {"topk by (g) (1, o)", 0, "o{a=\"2\", g=\"y\"} 1; o{a=\"3\", g=\"x\"} 2"},
    {"limitk by (g) (1, o)", 0, "o{a=\"2\", g=\"y\"} 1; o{a=\"3\", g=\"x\"} 2"},
    {"quantile by (g) (0.5, o)", 0, "{g=\"y\"} 1; {g=\"x\"} 2"},
    {"histogram_quantile(0, n_bucket)", 0, "{} NaN"},
    {"timestamp(m @ 100 offset 31s)", 0, "{} 60"},
    {"timestamp(m @ 100 offset -31s)", 0, "{} 90"},
    {"predict_linear((m)[1m:1m] @ 70, 0) or vector(-1)", 0, "{} -1"}, /* one step, at 60, and one sample */
    {"(m smoothed) - m", 7500, "{} 0.5"},
    {"histogram_quantile(0.4, hb_bucket) and histogram_quantile(0.4, hb_bucket)", 0,
     "{} 0.8 | PromQL info: input to histogram_quantile needed to be fixed for monotonicity (see "
     "https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile), from buckets 2 to 2, with "
     "a max diff of 1, over 2 samples from 1970-01-01T00:00:00Z to 1970-01-01T00:00:00Z (1:25)"},
    {"(quantile(2, m) + quantile(2, m)) * (quantile(2, m) + quantile(2, m))", 0,
     "{} +Inf | PromQL warning: quantile value should be between 0 and 1, got 2 (1:64)"},
    {"abs(quantile(2, m) + quantile(2, m)) * abs(quantile(2, m) + quantile(2, m))", 0,
     "{} +Inf | PromQL warning: quantile value should be between 0 and 1, got 2 (1:70)"},
    {"(1 - sum(rate(m[1m])) / sum(rate(m[2m]))) < 9 and sum(rate(m[1m])) > -1", 60000,
     "{} -0.7777777777777775 | PromQL info: metric might not be a counter, name does not end in _total/_sum/_count/_bucket: \"m\" (1:60)"},
    {"b == bool on (job) group_left (__name__) target_info", 0, "target_info{instance=\"i\", job=\"j\"} 0"},
    {"sum by (__name__) (histogram_quantiles(n_bucket, \"__name__\", 1, 0.25))", 0,
     "{__name__=\"1.0\"} 5; {__name__=\"0.25\"} NaN"}, /* a label written over the name stays */
    {"sum(h)", 0,
     " | PromQL warning: vector contains a mix of histograms with exponential and custom buckets schemas for metric name "
     "\"h\" (1:5)"},
};

Test(differences, are_gone)
{
    struct engine_test t;
    engine_test_init(&t,
                     PROMQL_EXPERIMENTAL_FUNCTIONS | PROMQL_EXTENDED_RANGE_SELECTORS | PROMQL_BINOP_FILL_MODIFIERS, data);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *got = engine_test_ask(&t, cases[i].expression, cases[i].t_ms);
        cr_expect_str_eq(got, cases[i].answer, "%s: got %s", cases[i].expression, got);
    }
    engine_test_deinit(&t);
}

/* Each step after the first adds what was counted before to itself. */
Test(differences, repaired_buckets_are_counted_as_the_reference_counts_them)
{
    struct engine_test t;
    engine_test_init(&t, PROMQL_EXPERIMENTAL_FUNCTIONS, data);
    cr_expect(strstr(engine_test_range(&t, "histogram_quantile(0.4, hb_bucket)", 0, 30000, 15000), "over 10 samples"));
    cr_expect(strstr(engine_test_ask(&t, "histogram_quantiles(hb_bucket, \"q\", -0)", 0), "{q=\"0.0\"}"));
    cr_expect_str_eq(engine_test_ask(&t, "double_exponential_smoothing(m[1m], 0.5, Inf)", 60000),
                     "error: invalid trend factor. Expected: 0 < tf < 1, got: +Inf");
    cr_expect(strstr(engine_test_range(&t, "histogram_quantiles(hb_bucket, \"q\", 0.4, 0.5)", 0, 15000, 15000),
                     "over 4 samples"));
    engine_test_deinit(&t);
}

Test(differences, samples_are_accounted_for_as_there)
{
    static const struct {
        const char *expression;
        uint64_t queryable, read, peak;
    } q[] = {
        {"minute()", 0, 0, 5},
        {"vector(1)", 0, 0, 5},
        {"m", 5, 5, 5},
        {"m + m", 10, 10, 17},
        {"sum_over_time(m[1m:15s])", 20, 20, 29},
        {"sum_over_time(m[15s:15s])", 5, 5, 23}, /* what lies between two windows is not read */
    };
    struct engine_test t;
    engine_test_init(&t, 0, data);
    for (size_t i = 0; i < sizeof q / sizeof q[0]; i++) {
        engine_test_range(&t, q[i].expression, 120000, 360000, 60000);
        cr_expect(t.stats.total_queryable_samples == q[i].queryable && t.stats.samples_read == q[i].read &&
                      t.stats.peak_samples == q[i].peak,
                  "%s: %llu %llu %llu", q[i].expression, (unsigned long long)t.stats.total_queryable_samples,
                  (unsigned long long)t.stats.samples_read, (unsigned long long)t.stats.peak_samples);
    }
    engine_test_deinit(&t);
}

/* A window that moves by many samples at once: merged, not sample by sample; the same as each step by itself. */
Test(differences, long_windows_that_move_far_have_their_quantiles)
{
    struct engine_test t;
    engine_test_init(&t, 0, data);
    const char *query = "quantile_over_time(0.3, (vector(time() % 17) * m)[250s:1s])";
    char whole[512];
    snprintf(whole, sizeof whole, "%s", engine_test_range(&t, query, 260000, 560000, 100000));
    size_t at = 2;
    for (int64_t ms = 260000; ms <= 560000; ms += 100000) {
        const char *one = engine_test_ask(&t, query, ms) + 2;
        cr_expect(strncmp(whole + at, one, strlen(one)) == 0, "at %lld: %s in %s", (long long)ms, one, whole);
        at += strlen(one);
    }
    engine_test_deinit(&t);
}

/* Below @ the last inner steps lie past what anybody looks at: a short lookback leaves a selector nothing at all. */
Test(differences, a_selector_whose_range_is_empty_selects_nothing)
{
    struct engine_test t;
    engine_test_init(&t, 0, data);
    const char *queries[] = {"predict_linear((m offset 0s)[90s:10m] @ 400, 0)",
                             "count_over_time((count(m))[90s:10m] @ 400)",
                             "count_over_time((count_over_time(m[1ms]))[90s:10m] @ 400)"};
    struct exec_params p = {.end_ms = 330000, .step_ms = 30000, .lookback_ms = 1};
    for (size_t i = 0; i < sizeof queries / sizeof queries[0]; i++) {
        const char *got = engine_test_exec(&t, queries[i], &p, NULL);
        cr_expect(strcmp(got, "") == 0, "%s: %s", queries[i], got);
    }
    engine_test_deinit(&t);
}

/* Series with equal labels, one with a float and one with a histogram: the reference has both in one series. */
Test(differences, a_float_and_a_histogram_with_equal_labels_are_one_series)
{
    static const char mixed[] = "load 15s\n"
                                "  f 1 2 _ 4\n"
                                "  h {{schema:0 sum:1 count:1 buckets:[1]}} _ {{schema:0 sum:1 count:3 buckets:[3]}} "
                                "{{schema:0 sum:1 count:4 buckets:[4]}}\n";
    static const struct {
        const char *expression, *vector, *matrix;
    } q[] = {
        {"-{__name__=~'f|h'}", "{} {count:-1, sum:-1, (0.5,1]:-1}", NULL},
        {"last_over_time(sum(-{__name__=~'f|h'})[1s:1s])", "{} -1", "{} -1 -2 _ -4"},
        {"abs(-{__name__=~'f|h'})", "{} 1", "{} 1 2 _ 4"},
    };
    struct engine_test t;
    engine_test_init(&t, 0, mixed);
    t.options.lookback_ms = 1000;
    engine_test_restart(&t);
    for (size_t i = 0; i < sizeof q / sizeof q[0]; i++) {
        const char *got = engine_test_ask(&t, q[i].expression, 0);
        cr_expect_str_eq(got, q[i].vector, "%s: got %s", q[i].expression, got);
        got = engine_test_range(&t, q[i].expression, 0, 45000, 15000);
        cr_expect(!q[i].matrix || strcmp(got, q[i].matrix) == 0, "%s: got %s", q[i].expression, got);
    }
    engine_test_deinit(&t);
}

/* Names that are removed late are removed from what has both, too. */
Test(differences, a_float_and_a_histogram_stay_one_series_when_names_are_removed_late)
{
    struct engine_test t;
    engine_test_init(&t, PROMQL_DELAYED_NAME_REMOVAL, "load 15s\n  f 1 2 3\n  h {{schema:0 sum:1 count:1 buckets:[1]}}x2\n");
    const char *q = "label_replace({__name__=~'f|h'}, '__name__', 'x', '', '')";
    cr_expect_str_eq(engine_test_ask(&t, q, 0), "x {count:1, sum:1, (0.5,1]:1}");
    engine_test_deinit(&t);
}

/* A time after @ in a parameter moves with the steps, and there is nothing newer than that time. */
Test(differences, a_fixed_selector_in_a_parameter_goes_stale)
{
    struct engine_test t;
    engine_test_init(&t, 0, data);
    const char *got = engine_test_range(&t, "quantile(scalar(m @ 30) / 6, m)", 0, 400000, 100000);
    cr_expect_str_eq(got,
                     "{} 1 7 14 NaN NaN | PromQL warning: quantile value should be between 0 and 1, got NaN (1:10)",
                     "%s", got);
    got = engine_test_range(&t, "sum_over_time(quantile(scalar(m @ 30) / 6, m)[1m:1m])", 0, 400000, 100000);
    cr_expect(strncmp(got, "{} 1 5 13 NaN NaN |", 19) == 0, "%s", got);
    engine_test_deinit(&t);
}

/* The reference makes @ an offset from the first step, and forgets to do it again when a subquery begins where the query does. */
Test(differences, a_fixed_selector_is_moved_by_a_subquery_that_begins_with_the_query)
{
    struct engine_test t;
    engine_test_init(&t, 0, data);
    const char *got = engine_test_ask(&t, "last_over_time((m @ 300)[90s:5m] offset -1m)", 600000);
    cr_expect_str_eq(got, "m 17", "%s", got);
    got = engine_test_ask(&t, "last_over_time((m @ 300)[90s:2m] offset -1m)", 600000); /* begins at 600 s, too */
    cr_expect_str_eq(got, "m 17", "%s", got);
    got = engine_test_ask(&t, "last_over_time((m @ 300)[4m:2m] offset -1m)", 600000);
    cr_expect_str_eq(got, "m 21", "%s", got);
    got = engine_test_range(&t, "last_over_time((m @ 300)[1m:5m] offset 1m)", 300000, 600000, 60000);
    cr_expect_str_eq(got, "m _ 21 _ _ _ _", "%s", got); /* there is nothing newer than what was asked for */
    got = engine_test_range(&t, "last_over_time(sum_over_time(m[1m] @ 300)[1m:5m] offset 1m)", 300000, 600000, 60000);
    cr_expect_str_eq(got, "", "%s", got);
    engine_test_deinit(&t);
}

/* What the inner steps past its time may see ends exactly there, however many subqueries are in between. */
Test(differences, a_subquery_with_a_time_sees_nothing_past_it)
{
    struct engine_test t;
    engine_test_init(&t, 0, data);
    engine_test_range(&t, "predict_linear(count_over_time((m)[90s:15s])[10m:5m] @ 577 offset 100, 1)", 600000, 1500000, 150000);
    cr_expect_eq(t.stats.samples_read, 13, "%llu", (unsigned long long)t.stats.samples_read);
    cr_expect_eq(t.stats.peak_samples, 57, "%llu", (unsigned long long)t.stats.peak_samples);
    engine_test_deinit(&t);
}
