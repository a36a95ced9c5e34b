/* Bounds on series: who is refused, who goes on, what is said. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "head/head.h"
#include "ingest/ingest.h"
#include "lib/rw_body.h"

#define NOW_MS INT64_C(1700000000000)
#define DAY_MS INT64_C(86400000)

static struct clock_fake clock_;
static struct random_seeded random_;
static struct head *head;
static struct ingest *ingest;
static struct rw_body body;
static struct ingest_result result;
static struct errmsg why;

static void open_with(struct head_options limits)
{
    struct head_options ho;
    struct ingest_options o;
    clock_fake_init(&clock_, NOW_MS);
    random_seeded_init(&random_, 7);
    head_options_default(&ho);
    ho.random = &random_.base;
    ho.series_max = limits.series_max;
    ho.daily_series_max = limits.daily_series_max;
    ho.series_per_metric_max = limits.series_per_metric_max;
    ho.values_per_label_max = limits.values_per_label_max;
    ho.new_series_bytes_max = limits.new_series_bytes_max;
    cr_assert_eq(head_new(&ho, &head, &why), ERR_OK);
    ingest_options_default(&o);
    o.head = head;
    o.clock = &clock_.base;
    cr_assert_eq(ingest_new(&o, &ingest, &why), ERR_OK);
}

static void teardown(void)
{
    ingest_free(ingest);
    head_free(head);
    rw_body_deinit(&body);
}

TestSuite(ingest_limits, .fini = teardown);

static void add(const char *metric, int i)
{
    char labels[96];
    snprintf(labels, sizeof labels, "__name__=%s|i=%d|zone=z", metric, i);
    rw_series(&body, labels);
    rw_sample(&body, clock_now_ms(&clock_.base), 1);
}

static int send_body(void)
{
    struct ingest_request req = {.encoding = INGEST_IDENTITY, .body = rw_finish(&body), .stream = 1};
    ingest_write(ingest, &req, &result);
    return ingest_status(&result);
}

static uint64_t series(void)
{
    struct head_stats s;
    head_stats(head, &s);
    return s.series;
}

Test(ingest_limits, one_metric_is_stopped_and_nothing_else)
{
    open_with((struct head_options){.series_per_metric_max = 3});
    for (int i = 0; i < 5; i++)
        add("greedy", i);
    for (int i = 0; i < 3; i++)
        add("modest", i);
    cr_expect_eq(send_body(), 400);
    cr_expect_eq(result.samples, 6);
    cr_expect_eq(result.rejected[INGEST_METRIC_LIMIT], 2);
    cr_expect(strstr(result.why.text, "limit of series reached (limit.series-per-metric = 3) by metric greedy"), "%s",
              result.why.text);
    for (int i = 0; i < 3; i++)
        add("greedy", i);
    add("third", 1);
    cr_expect_eq(send_body(), 204, "known series go on");
    struct ingest_limit_hit hits[INGEST_LIMIT_HITS_MAX];
    cr_assert_eq(ingest_limit_hits(ingest, hits), 1);
    cr_expect_str_eq(hits[0].offender, "greedy");
    cr_expect_eq(hits[0].count, 2);
    cr_expect_eq(hits[0].reason, INGEST_METRIC_LIMIT);
}

Test(ingest_limits, a_label_with_too_many_values_is_named)
{
    open_with((struct head_options){.values_per_label_max = 4});
    for (int i = 0; i < 6; i++)
        add(i % 2 ? "a" : "b", i);
    cr_expect_eq(send_body(), 400);
    cr_expect_eq(result.samples, 4);
    cr_expect(strstr(result.why.text, "(limit.values-per-label = 4) by label i"), "%s", result.why.text);
    add("c", 2);
    cr_expect_eq(send_body(), 204, "a new series of known values");
    for (int i = 0; i < 9; i++) {
        char name[16];
        snprintf(name, sizeof name, "m%d", i);
        add(name, 1);
    }
    cr_expect_eq(send_body(), 204, "metric names are no values");
}

Test(ingest_limits, all_series_together_are_429)
{
    open_with((struct head_options){.series_max = 2});
    add("a", 1);
    add("a", 2);
    cr_expect_eq(send_body(), 204);
    add("a", 1);
    add("b", 1);
    cr_expect_eq(send_body(), 429);
    cr_expect_eq(result.samples, 1);
    cr_expect(strstr(result.why.text, "(limit.series = 2)"), "%s", result.why.text);
}

Test(ingest_limits, a_day_begins_with_what_is_active)
{
    open_with((struct head_options){.daily_series_max = 3});
    for (int i = 0; i < 3; i++)
        add("a", i);
    cr_expect_eq(send_body(), 204);
    add("a", 3);
    cr_expect_eq(send_body(), 429);
    cr_expect_eq(result.rejected[INGEST_DAILY_LIMIT], 1);
    clock_fake_advance(&clock_, DAY_MS);
    add("a", 3);
    cr_expect_eq(send_body(), 429, "three are active still");
    cr_expect_eq(series(), 3);
}

Test(ingest_limits, without_memory_known_series_go_on)
{
    open_with((struct head_options){.new_series_bytes_max = 1});
    add("a", 1);
    cr_expect_eq(send_body(), 429);
    cr_expect_eq(result.rejected[INGEST_MEMORY_LIMIT], 1);
    cr_expect(strstr(result.why.text, "memory.limit"), "%s", result.why.text);
}

Test(ingest_limits, the_table_of_offenders_is_bounded)
{
    open_with((struct head_options){.series_per_metric_max = 1});
    for (int i = 0; i < 100; i++) {
        char name[16];
        snprintf(name, sizeof name, "m%d", i);
        add(name, 1);
        add(name, 2);
    }
    cr_expect_eq(send_body(), 400);
    struct ingest_limit_hit hits[INGEST_LIMIT_HITS_MAX];
    uint32_t count = ingest_limit_hits(ingest, hits);
    cr_expect_eq(count, INGEST_LIMIT_HITS_MAX);
    cr_expect(hits[count - 1].others);
    cr_expect_eq(hits[count - 1].count, 100 - (INGEST_LIMIT_HITS_MAX - 1));
}
