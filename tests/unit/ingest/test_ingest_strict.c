/* Prometheus' rules for order and duplicates; the texts are what its own receiver answers. */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "head/head.h"
#include "ingest/ingest.h"
#include "lib/rw_body.h"

#define NOW_MS  INT64_C(1700000000000)
#define HOUR_MS INT64_C(3600000)

static struct clock_fake clock_;
static struct random_seeded random_;
static struct head *head;
static struct ingest *ingest;
static struct rw_body body;
static struct ingest_result result;
static struct errmsg why;

static void open_with(int64_t window_ms)
{
    struct ingest_options o;
    ingest_options_default(&o);
    o.head = head;
    o.clock = &clock_.base;
    o.strict = true;
    o.out_of_order_window_ms = window_ms;
    cr_assert_eq(ingest_new(&o, &ingest, &why), ERR_OK);
}

static void setup(void)
{
    struct head_options ho;
    clock_fake_init(&clock_, NOW_MS);
    random_seeded_init(&random_, 7);
    head_options_default(&ho);
    ho.random = &random_.base;
    cr_assert_eq(head_new(&ho, &head, &why), ERR_OK);
    open_with(0);
}

static void teardown(void)
{
    ingest_free(ingest);
    head_free(head);
    rw_body_deinit(&body);
}

TestSuite(ingest_strict, .init = setup, .fini = teardown);

static void add(const char *labels, int64_t after_now_ms, double value)
{
    rw_series(&body, labels);
    rw_sample(&body, NOW_MS + after_now_ms, value);
}

static void expect(int status, const char *text)
{
    struct ingest_request req = {.encoding = INGEST_IDENTITY, .body = rw_finish(&body), .stream = 1};
    ingest_write(ingest, &req, &result);
    cr_expect_eq(ingest_status(&result), status, "%d, wanted %d (%s)", ingest_status(&result), status, text);
    if (*text)
        cr_expect_str_eq(result.why.text, text);
}

static uint64_t stored(void)
{
    struct head_stats s;
    head_stats(head, &s);
    return s.samples;
}

#define A "__name__=a"
#define B "__name__=b"

Test(ingest_strict, answers_as_prometheus)
{
    add(A, 0, 1);
    expect(204, "");
    add(A, 0, 1);
    expect(204, "");
    add(A, 0, 2);
    expect(400, "duplicate sample for timestamp 1700000000000; overrides not allowed: existing 1, new value 2");
    add(A, 0, NAN);
    expect(400, "duplicate sample for timestamp 1700000000000; overrides not allowed: existing 1, new value NaN");
    add(A, -1, 1);
    expect(400, "out of order sample");
    add(A, -HOUR_MS, 1);
    expect(400, "out of order sample");
    add(A, -HOUR_MS - 1, 1);
    expect(400, "out of bounds");
    add(B, -HOUR_MS, 1);
    expect(204, "");
    add(B, -HOUR_MS - 1, 1);
    expect(400, "out of bounds");
    add(B, 600001, 1);
    expect(400, "out of bounds: timestamp is too far in the future");
    cr_expect_eq(stored(), 2);
}

Test(ingest_strict, one_bad_sample_refuses_its_request)
{
    add(A, 0, 1);
    expect(204, "");
    add(B, 0, 1);
    add(A, -5, 1);
    add("__name__=c", 0, 1);
    expect(400, "out of order sample");
    cr_expect_eq(stored(), 1);
    cr_expect_eq(result.rejected[INGEST_OUT_OF_ORDER], 3);
}

Test(ingest_strict, within_a_request_later_ones_in_wrong_order_are_left_out_without_a_word)
{
    rw_series(&body, B);
    rw_sample(&body, NOW_MS, 1e21);
    rw_sample(&body, NOW_MS, 0.1);
    rw_sample(&body, NOW_MS + 2, 1);
    rw_sample(&body, NOW_MS + 1, 1);
    expect(204, "");
    cr_expect_eq(stored(), 2);
    add(B, 2, 0.000001);
    expect(400, "duplicate sample for timestamp 1700000000002; overrides not allowed: existing 1, new value 1e-06");
}

Test(ingest_strict, series_with_bad_labels_are_passed_over)
{
    add("x=1", 0, 1);
    add(B, 0, 1);
    expect(204, "");
    cr_expect_eq(stored(), 1);
    cr_expect_eq(result.rejected[INGEST_NO_NAME], 1);
}

Test(ingest_strict, a_window_lets_late_samples_in)
{
    ingest_free(ingest);
    open_with(2 * HOUR_MS);
    add(A, 0, 1);
    expect(204, "");
    add(A, -HOUR_MS - 5, 7);
    expect(204, "");
    add(A, -2 * HOUR_MS, 7);
    expect(204, "");
    add(A, -2 * HOUR_MS - 1, 7);
    expect(400, "too old sample");
    add(B, -2 * HOUR_MS - 1, 7);
    expect(400, "too old sample");
    cr_expect_eq(stored(), 3);
}

Test(ingest_strict, knows_the_newest_sample_that_was_there_before)
{
    add(A, 0, 1);
    expect(204, "");
    ingest_free(ingest);
    open_with(0);
    add(B, -HOUR_MS - 1, 1);
    expect(400, "out of bounds");
}
