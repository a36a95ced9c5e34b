/*
 * Where new engines differ from Prometheus: each line was seen wrong somewhere, and checked against 3.15.
 */
#include <criterion/criterion.h>

#include "engine_test.h"

static const char data[] = "load 15s\n"
                           "  m 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21\n"
                           "  big{i=\"a\"} 1e308\n"
                           "  big{i=\"b\"} 1e308\n"
                           "  cancels{i=\"a\"} 1e100\n"
                           "  cancels{i=\"b\"} 1\n"
                           "  cancels{i=\"c\"} -1e100\n"
                           "  huge{i=\"a\"} Inf\n"
                           "  huge{i=\"b\"} 1e308\n"
                           "  huge{i=\"c\"} 1e308\n"
                           "  q{i=\"a\"} 1\n"
                           "  q{i=\"b\"} 2\n"
                           "  q{i=\"c\"} Inf\n"
                           "  s{i=\"a\"} 0.4\n"
                           "  s{i=\"b\"} 0.3\n"
                           "  s{i=\"c\"} 0.2\n"
                           "  st 0.4 0.3 0.2\n"
                           "  some{i=\"a\"} NaN\n"
                           "  some{i=\"b\"} 1\n"
                           "  sd{i=\"a\"} 1\n"
                           "  sd{i=\"b\"} Inf\n"
                           "  two{l=\"x\",i=\"1\"} 1\n"
                           "  two{l=\"x\",i=\"2\"} 2\n"
                           "  one{l=\"x\"} 5\n"
                           "  stale 1 stale\n"
                           "  zeros{i=\"a\"} -0\n"
                           "  zeros{i=\"b\"} 0\n"
                           "  ties{i=\"a\"} -Inf\n"
                           "  ties{i=\"b\"} 1\n"
                           "  ties{i=\"c\"} 2\n"
                           "  ties{i=\"d\"} NaN\n"
                           "  ties{i=\"e\"} 3\n"
                           "  ties{i=\"f\"} 1\n"
                           "  ties{i=\"g\"} NaN\n"
                           "  ties{i=\"h\"} 2\n"
                           "  hb_bucket{le=\"1\"} 5\n"
                           "  hb_bucket{le=\"2\"} 4\n"
                           "  hb_bucket{le=\"4\"} 10\n"
                           "  hb_bucket{le=\"+Inf\"} 10\n";

struct trap {
    const char *expression;
    int64_t t_ms;
    const char *answer;
};

static const struct trap traps[] = {
    {"count_over_time(m[1m])", 60000, "{} 4"},
    {"stale", 16000, ""},
    {"count(vector(NaN))", 0, "{} 1"},
    {"absent(nope{l=\"\",m=\"1\"})", 0, "{m=\"1\"} 1"},
    {"absent(nope{f=\"g\",f=\"g\"})", 0, "{} 1"},
    {"absent_over_time({job=~\".+\"}[5m])", 0, "{} 1"},
    {"one + on (l) two", 0,
     "error: found duplicate series for the match group {l=\"x\"} on the right hand-side of the operation: "
     "[{__name__=\"two\", i=\"1\", l=\"x\"}, {__name__=\"two\", i=\"2\", l=\"x\"}];many-to-many matching not allowed: "
     "matching labels must be unique on one side"},
    {"two > on (l) one", 0,
     "error: multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)"},
    {"two + on () nope", 0, ""},
    {"one == on (l) one", 0, "{l=\"x\"} 5"},
    {"one == one", 0, "one{l=\"x\"} 5"},
    {"1 < one", 0, "one{l=\"x\"} 5"},
    {"1 < bool one", 0, "{l=\"x\"} 1"},
    {"vector(-(-scalar(m)) > bool 0.8) < bool time()", 15000, "{} 1"},
    {"timestamp(m) - timestamp(-m)", 307000, "{} -7"},
    {"predict_linear(m[5m] offset 1m, 0)", 300000, "{} 21"},
    {"deriv(vector(0.1)[5m:1m])", 300000, "{} 0"},
    {"avg(big)", 0, "{} 1e+308"},
    {"sum(cancels)", 0, "{} 1"},
    {"sum(huge)", 0, "{} +Inf"},
    {"stdvar(s)", 0, "{} 0.0066666666666666645"},
    {"stdvar_over_time(st[5m])", 30000, "{} 0.006666666666666668"},
    {"stddev(sd)", 0, "{} NaN"},
    {"quantile(0.5, q)", 0, "{} NaN"},
    {"max(some)", 0, "{} 1"},
    {"clamp_min(some{i=\"a\"}, +Inf)", 0, "{i=\"a\"} +Inf"},
    {"topk(3, ties)", 0, "ties{i=\"e\"} 3; ties{i=\"h\"} 2; ties{i=\"c\"} 2"},
    {"group(atanh(vector(5)))", 0, "{} 1"},
    {"topk(0, m)", 0, ""},
    {"topk(NaN, m)", 0, "error: Parameter value is NaN"},
    {"topk(-1e20, m)", 0, ""},
    {"topk(1e20, m)", 0, "error: Scalar value 1e+20 overflows int64"},
    {"{__name__=~\"one|two\",i!=\"2\"} * 2", 0, "{l=\"x\"} 10; {i=\"1\", l=\"x\"} 2"},
    {"{__name__=~\"big|q\",i=\"a\"} * 2", 0, "error: vector cannot contain metrics with the same labelset"},
    {"rate({__name__=~\"m|st\"}[5m])", 60000, "error: vector cannot contain metrics with the same labelset"},
    {"label_replace(one, \"n\", \"$1x\", \"l\", \"(.*)\")", 0, "one{l=\"x\"} 5"},
    {"label_replace(one, \"n\", \"${1}x\", \"l\", \"(.*)\")", 0, "one{l=\"x\", n=\"xx\"} 5"},
    {"010", 0, "8"},
    {"5m", 0, "300"},
    {"-2^2", 0, "-4"},
    {"year(vector(1e20))", 0, "{} 2.92277026596e+11"},
    {"hour(vector(-0.5))", 0, "{} 0"},
    {"vector(1.1)^2.3", 0, "{} 1.2450969688995253"},
    {"nope or on () two", 0, "two{i=\"1\", l=\"x\"} 1; two{i=\"2\", l=\"x\"} 2"},
    {"count(limit_ratio(0.5, ties) or limit_ratio(-0.5, ties))", 0, "{} 8"},
    {"count_values(\"v\", zeros)", 0, "{v=\"-0\"} 1; {v=\"0\"} 1"},
    {"histogram_quantile(1.5, hb_bucket)", 0,
     "{} +Inf | PromQL warning: quantile value should be between 0 and 1, got 1.5 (1:20)"},
    {"histogram_quantile(0.4, hb_bucket)", 0,
     "{} 0.8 | PromQL info: input to histogram_quantile needed to be fixed for monotonicity (see "
     "https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile), from buckets 2 to 2, with "
     "a "
     "max diff of 1, over 1 samples from 1970-01-01T00:00:00Z to 1970-01-01T00:00:00Z (1:25)"},
    {"nope and quantile(2, m)", 0, " | PromQL warning: quantile value should be between 0 and 1, got 2 (1:19)"},
};

Test(traps, are_answered_as_prometheus_answers_them)
{
    struct engine_test t;
    engine_test_init(&t, PROMQL_EXPERIMENTAL_FUNCTIONS, data);
    for (size_t i = 0; i < sizeof traps / sizeof traps[0]; i++) {
        const char *got = engine_test_ask(&t, traps[i].expression, traps[i].t_ms);
        cr_expect_str_eq(got, traps[i].answer, "%s: got %s", traps[i].expression, got);
    }
    engine_test_deinit(&t);
}

Test(traps, over_a_range)
{
    struct engine_test t;
    engine_test_init(&t, PROMQL_EXPERIMENTAL_FUNCTIONS, data);
    cr_expect_str_eq(engine_test_range(&t, "count_over_time(m[2m:45s])", 0, 300000, 60000), "{} 1 2 2 3 3 2");
    cr_expect_str_eq(engine_test_range(&t, "timestamp(m @ 15)", 0, 60000, 30000), "{} 15 15 15");
    cr_expect_str_eq(engine_test_range(&t, "predict_linear(m[1m] @ 60, 60)", 60000, 180000, 60000), "{} 9 13 17");
    cr_expect_str_eq(engine_test_range(&t, "topk(scalar(m) % 3, q)", 0, 30000, 15000),
                     "q{i=\"b\"} _ 2 _; q{i=\"c\"} +Inf +Inf _");
    engine_test_deinit(&t);
}
