/* The engine's doors: kinds of results, limits, cancellation, statistics, workers. */
#include <criterion/criterion.h>
#include <string.h>

#include "engine_test.h"

static const char ten[] = "load 30s\n"
                          "  x{i=\"0\"} 1+1x20\n  x{i=\"1\"} 1+2x20\n  x{i=\"2\"} 1+3x20\n  x{i=\"3\"} 1+4x20\n"
                          "  x{i=\"4\"} 1+5x20\n  x{i=\"5\"} 1+6x20\n  x{i=\"6\"} 1+7x20\n  x{i=\"7\"} 1+8x20\n"
                          "  x{i=\"8\"} 1+9x20\n  x{i=\"9\"} 9-1x20\n";

Test(engine, answers_with_scalars_strings_vectors_and_matrices)
{
    struct engine_test t;
    engine_test_init(&t, 0, "load 30s\n  m{a=\"2\"} 1 2 3\n  m{a=\"1\"} 4 _ 6\n");
    cr_expect_str_eq(engine_test_ask(&t, "1 + 2 * 3", 0), "7");
    cr_expect_str_eq(engine_test_ask(&t, "\"text\"", 0), "text");
    cr_expect_str_eq(engine_test_ask(&t, "m", 60000), "m{a=\"1\"} 6; m{a=\"2\"} 3");
    cr_expect_str_eq(engine_test_ask(&t, "m[1m]", 60000), "m{a=\"1\"} 6; m{a=\"2\"} 2 3");
    cr_expect_str_eq(engine_test_range(&t, "m * 2", 0, 60000, 30000), "{a=\"1\"} 8 8 12; {a=\"2\"} 2 4 6");
    cr_expect_str_eq(engine_test_range(&t, "1", 0, 60000, 30000), "{} 1 1 1");
    cr_expect_str_eq(
        engine_test_range(&t, "m[1m]", 0, 60000, 30000),
        "error: invalid expression type \"range vector\" for range query, must be Scalar or instant Vector");
    engine_test_deinit(&t);
}

Test(engine, packed_points_are_the_points_and_outlive_the_storage)
{
    static const char *const expressions[] = {"x",       "x > 20",       "m",           "h",
                                              "h * 2",   "rate(h[1m])",  "{j=~\".*\"}", "sum(x)",
                                              "m == 99", "-h or m or x", "1",           "histogram_sum(h)"};
    struct engine_test t;
    engine_test_init(
        &t, 0,
        "load 30s\n  x{i=\"0\"} 1+1x30\n  x{i=\"1\"} _ 2 3 stale _ _ 7x20\n  m{j=\"a\"} 1 NaN _ _ _ _ _ _ _ _ _ _ _ _ "
        "3\n"
        "  h{j=\"b\"} {{schema:0 count:3 sum:5 buckets:[1 2]}}x10 4 5 {{schema:0 count:3 sum:5 buckets:[1 2]}}x3\n");
    for (size_t i = 0; i < sizeof expressions / sizeof *expressions; i++) {
        struct exec_params p = {.start_ms = 0, .end_ms = 1800000, .step_ms = 10000};
        char *plain = mem_strdup(engine_test_exec(&t, expressions[i], &p, NULL));
        p.packed = true;
        cr_expect_str_eq(engine_test_exec(&t, expressions[i], &p, NULL), plain, "%s", expressions[i]);
        mem_free(plain);
    }
    engine_test_deinit(&t);
}

Test(engine, counts_samples_as_prometheus_does)
{
    struct engine_test t;
    engine_test_init(&t, 0, ten);
    engine_test_range(&t, "x", 0, 120000, 30000);
    cr_expect_eq(t.stats.total_queryable_samples, 50);
    cr_expect_eq(t.stats.samples_read, 50);
    cr_expect_eq(t.stats.peak_samples, 50);
    engine_test_range(&t, "sum(rate(x[5m]))", 0, 120000, 30000);
    cr_expect_eq(t.stats.total_queryable_samples, 150);
    cr_expect_eq(t.stats.samples_read, 50);
    cr_expect_eq(t.stats.peak_samples, 45);
    engine_test_deinit(&t);
}

Test(engine, refuses_queries_that_hold_too_many_samples)
{
    struct engine_test t;
    const char *refused = "error: query processing would load too many samples into memory in query execution";
    engine_test_init(&t, 0, ten);
    t.options.samples_max = 50;
    engine_test_restart(&t);
    cr_expect_str_eq(engine_test_range(&t, "x + x", 0, 30000, 30000), refused);
    cr_expect_eq(t.err, ERR_LIMIT);
    engine_test_range(&t, "x", 0, 120000, 30000);
    cr_expect_eq(t.err, ERR_OK);
    cr_expect_str_eq(engine_test_ask(&t, "max_over_time(x[1y:1ms])", 0), refused);
    cr_expect_str_eq(engine_test_range(&t, "x", 0, INT64_C(1) << 50, 1), refused);
    engine_test_deinit(&t);
}

Test(engine, stays_within_a_querys_memory)
{
    struct engine_test t;
    engine_test_init(&t, 0, ten);
    t.options.query_bytes_max = 1 << 20;
    engine_test_restart(&t);
    engine_test_range(&t, "max_over_time(x[1d:1s])", 0, 600000, 1000);
    cr_expect_eq(t.err, ERR_LIMIT);
    cr_expect_leq(atomic_load(&t.budget.peak), 4 << 20);
    engine_test_range(&t, "rate(x[5m])", 0, 600000, 30000);
    cr_expect_eq(t.err, ERR_OK);
    engine_test_deinit(&t);
}

Test(engine, stops_when_nobody_wants_the_answer)
{
    struct engine_test t;
    struct cancel cancel;
    struct exec_params p = {.start_ms = 60000, .end_ms = 60000};
    engine_test_init(&t, 0, ten);
    cancel_init(&cancel, NULL, 0);
    cancel_set(&cancel, ERR_CANCELED);
    cr_expect_str_eq(engine_test_exec(&t, "x", &p, &cancel), "error: query was canceled in expression evaluation");
    cr_expect_eq(t.err, ERR_CANCELED);
    engine_test_deinit(&t);
}

Test(engine, stops_at_its_deadline)
{
    struct engine_test t;
    struct cancel cancel;
    struct clock_fake clock;
    struct exec_params p = {.start_ms = 60000, .end_ms = 60000};
    engine_test_init(&t, 0, ten);
    clock_fake_init(&clock, 0);
    clock_fake_advance(&clock, 10);
    cancel_init(&cancel, &clock.base, 1);
    cr_expect_str_eq(engine_test_exec(&t, "sum(x)", &p, &cancel), "error: query timed out in expression evaluation");
    cr_expect_eq(t.err, ERR_TIMEOUT);
    engine_test_deinit(&t);
}

Test(engine, answers_alike_with_helpers)
{
    static const char *const queries[] = {"sum by (a) (rate(m[2m]))", "avg(m)",      "m + on (i) m",  "topk(3, m)",
                                          "stddev by (a) (m * 1.5)",  "rate(m[1m])", "m and on (a) m"};
    struct engine_test t;
    struct buf load = {0};
    buf_str(&load, "load 15s\n");
    for (int i = 0; i < 700; i++)
        buf_printf(&load, "  m{a=\"%d\",i=\"%d\"} %d+%d.1x30 _x5 1+2x40\n", i % 5, i, i, i % 7);
    engine_test_init(&t, 0, buf_cstr(&load));
    const char *wanted[sizeof queries / sizeof queries[0]];
    for (size_t i = 0; i < sizeof queries / sizeof queries[0]; i++)
        wanted[i] = engine_test_range(&t, queries[i], 0, 1000000, 15000);
    t.options.workers = 3;
    engine_test_restart(&t);
    for (size_t i = 0; i < sizeof queries / sizeof queries[0]; i++)
        cr_expect(strcmp(engine_test_range(&t, queries[i], 0, 1000000, 15000), wanted[i]) == 0, "%s", queries[i]);
    engine_test_deinit(&t);
    buf_deinit(&load);
}
