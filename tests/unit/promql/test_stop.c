/*
 * A query whose time has passed, or that nobody wants any more: it asks often enough, and the first "no" ends it.  How
 * much time passes between two questions is measured by bench_promql_stop.
 */
#include <criterion/criterion.h>
#include <stdio.h>

#include "base/buf.h"
#include "engine_test.h"

enum { SERIES = 1000, SAMPLES = 8, STEPS = 300 };

/* A clock that counts who asks, and says from some question on that the time has passed. */
struct counting_clock {
    struct clock base;
    _Atomic int64_t asked, over_at;
};

static int64_t counting_mono(struct clock *clock)
{
    struct counting_clock *c = (struct counting_clock *)clock;
    int64_t n = atomic_fetch_add(&c->asked, 1) + 1;
    return c->over_at && n >= c->over_at ? 2 : 0;
}

static int64_t counting_now(struct clock *clock)
{
    (void)clock;
    return 0;
}

static const char *const expressions[] = {
    "m",
    "rate(m[5m])",
    "sum_over_time(m[5m])",
    "quantile_over_time(0.4, m[5m])",
    "mad_over_time(m[5m])",
    "deriv(m[5m])",
    "m smoothed",
    "increase(m[5m] anchored)",
    "double_exponential_smoothing(m[5m], 0.5, 0.5)",
    "sum by (i) (m)",
    "topk(1000, m)",
    "quantile by (j) (0.5, m)",
    "count_values(\"v\", m)",
    "limitk(1000, m)",
    "limit_ratio(0.5, m)",
    "m + m * 2",
    "m + fill (0) m",
    "m * on (j) group_left (version) n",
    "m and on (i) m offset 1m",
    "m or on (i) m offset 1m",
    "m unless on (i) n",
    "exp(m) ^ 1.7",
    "label_replace(m, \"k\", \"$1-$2\", \"i\", \"(.*)(.*)\")",
    "label_join(m, \"k\", \"-\", \"i\", \"j\", \"i\")",
    "sort(m * 2)",
    "sort_by_label(m, \"j\", \"i\")",
    "info(m, {__name__=\"n\"})",
    "absent(m)",
    "scalar(m) + vector(1)",
    "histogram_quantile(0.9, b)",
    "max_over_time(sum by (j) (m)[5m:1s])",
    "m @ 60 + m",
    "sum_over_time(vector(1)[1h:10ms])",
};

static void load(struct engine_test *t)
{
    struct buf text = {0};
    buf_str(&text, "load 30s\n");
    for (int i = 0; i < SERIES; i++)
        buf_printf(&text, "  m{i=\"%04d\",j=\"%d\",instance=\"%d\",job=\"q\"} %d+%dx%d\n", i, i % 7, i, i, i % 11,
                   SAMPLES);
    for (int i = 0; i < SERIES; i++)
        buf_printf(&text, "  b{i=\"%d\",le=\"%d\"} %d+%dx%d\n", i / 10, i % 10, i, i % 10, SAMPLES);
    for (int i = 0; i < 7; i++)
        buf_printf(&text, "  n{j=\"%d\",version=\"%d\",instance=\"%d\",job=\"q\"} 1x%d\n", i, i % 3, i, SAMPLES);
    engine_test_init(t, PROMQL_ALL_FEATURES & ~PROMQL_DELAYED_NAME_REMOVAL, buf_cstr(&text));
    t->options.samples_max = UINT64_MAX;
    engine_test_restart(t);
    buf_deinit(&text);
}

static int64_t run(struct engine_test *t, const char *expression, bool instant, int64_t over_at)
{
    struct counting_clock clock = {.base = {.now_ms = counting_now, .mono_ns = counting_mono}};
    struct exec_params p = {.end_ms = instant ? 0 : 240000, .step_ms = instant ? 0 : 240000 / STEPS};
    struct cancel cancel;
    atomic_store(&clock.over_at, over_at);
    cancel_init(&cancel, &clock.base, 1);
    engine_test_exec(t, expression, &p, &cancel);
    return atomic_load(&clock.asked);
}

/* Statistics read the clock four times besides. */
enum { STATISTICS = 5 };

Test(stop, the_first_no_ends_a_query_whatever_it_is_doing)
{
    struct engine_test t;
    load(&t);
    for (size_t i = 0; i < sizeof expressions / sizeof *expressions; i++)
        for (int instant = 0; instant < 2; instant++) {
            int64_t asked = run(&t, expressions[i], instant, 0);
            cr_expect_eq(t.err, ERR_OK, "%s", expressions[i]);
            for (int64_t part = 1; part < 4; part++) {
                int64_t over_at = 3 + (asked - 3) * part / 4, again = run(&t, expressions[i], instant, over_at);
                if (t.err == ERR_OK) /* it was statistics that asked last */
                    continue;
                cr_expect_eq(t.err, ERR_TIMEOUT, "%s", expressions[i]);
                cr_expect_leq(again, over_at + STATISTICS, "%s asks %lld times more", expressions[i],
                              (long long)(again - over_at));
            }
        }
    engine_test_deinit(&t);
}

Test(stop, families_that_keep_rows_ask_in_proportion_to_their_work)
{
    struct engine_test t;
    load(&t);
    for (size_t i = 0; i < sizeof expressions / sizeof *expressions; i++) {
        bool cheap = strstr(expressions[i], "absent") || strstr(expressions[i], "scalar") ||
                     strstr(expressions[i], "[1h") || strstr(expressions[i], "[5m:");
        int64_t asked = run(&t, expressions[i], false, 0), cells = (int64_t)SERIES * STEPS;
        cr_expect_geq(asked, cheap ? 3 : 3 + cells / (1 << 17), "%s asked %lld times", expressions[i],
                      (long long)asked);
    }
    engine_test_deinit(&t);
}

Test(stop, what_a_failed_query_holds_can_be_freed_later)
{
    struct engine_test t;
    struct query *q;
    struct result *r = NULL;
    struct errmsg why;
    struct cancel cancel;
    load(&t);
    struct exec_params p = {.end_ms = 240000, .step_ms = 1000, .keep_failed = true};
    cancel_init(&cancel, NULL, 0);
    cancel_set(&cancel, ERR_CANCELED);
    cr_assert_eq(promql_parse(t.engine, SLICE_LIT("sum by (i) (m)"), &q, &why), ERR_OK);
    cr_expect_eq(promql_exec(t.engine, q, &p, &cancel, &r, &why), ERR_CANCELED);
    cr_expect_str_eq(why.text, "query was canceled in expression evaluation");
    cr_expect_not_null(r);
    promql_result_free(r);
    r = (struct result *)&p;
    p.keep_failed = false;
    cr_expect_eq(promql_exec(t.engine, q, &p, &cancel, &r, &why), ERR_CANCELED);
    cr_expect_null(r);
    promql_query_free(q);
    engine_test_deinit(&t);
}
