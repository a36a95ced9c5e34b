#include "promql/durations.h"

#include <criterion/criterion.h>

static void expect_parse(const char *text, int64_t ns)
{
    struct errmsg why = {""};
    int64_t got = -1;
    cr_expect_eq(promql_duration_parse(slice_str(text), &got, &why), ERR_OK, "%s: %s", text, why.text);
    cr_expect_eq(got, ns, "%s: want %lld, got %lld", text, (long long)ns, (long long)got);
}

static void expect_refused(const char *text, const char *want)
{
    struct errmsg why = {""};
    int64_t got;
    cr_expect_eq(promql_duration_parse(slice_str(text), &got, &why), ERR_INVALID, "%s", text);
    cr_expect_str_eq(why.text, want);
}

Test(durations, units_add_up)
{
    expect_parse("0", 0);
    expect_parse("5m", INT64_C(300000000000));
    expect_parse("1h30m", INT64_C(5400000000000));
    expect_parse("1y2w3d4h5m6s7ms", INT64_C(33019506007000000));
    expect_parse("292y", INT64_C(9208512000000000000));
}

Test(durations, wrong_order_units_and_sizes_are_refused)
{
    expect_refused("", "empty duration string");
    expect_refused("5", "not a valid duration string: \"5\"");
    expect_refused("30m1h", "not a valid duration string: \"30m1h\"");
    expect_refused("1m1m", "not a valid duration string: \"1m1m\"");
    expect_refused("-1m", "not a valid duration string: \"-1m\"");
    expect_refused("5q", "unknown unit \"q\" in duration \"5q\"");
    expect_refused("300y", "duration out of range");
    expect_refused("99999999999999999999s", "not a valid duration string: \"99999999999999999999s\"");
    expect_refused("292y100w", "duration out of range");
}

static void expect_print(int64_t ns, const char *want)
{
    struct buf b = {0};
    promql_duration_print(ns, &b);
    cr_expect_str_eq(buf_cstr(&b), want);
    buf_deinit(&b);
}

Test(durations, print_years_and_weeks_only_when_nothing_remains)
{
    expect_print(0, "0s");
    expect_print(999999, "0s");
    expect_print(NS_PER_MS, "1ms");
    expect_print(90 * 24 * 3600 * NS_PER_SECOND, "90d");
    expect_print(14 * 24 * 3600 * NS_PER_SECOND, "2w");
    expect_print(365 * 24 * 3600 * NS_PER_SECOND, "1y");
    expect_print((365 * 24 * 3600 + 1) * NS_PER_SECOND, "365d1s");
    expect_print(-90 * NS_PER_SECOND, "-1m30s");
}

Test(durations, seconds_round_to_nanoseconds_and_saturate)
{
    cr_expect_eq(promql_duration_from_seconds(0.0000000015), 2);
    cr_expect_eq(promql_duration_from_seconds(-1.5), -1500000000);
    cr_expect_eq(promql_duration_from_seconds(1e300), INT64_MIN);
    cr_expect_eq(promql_duration_seconds(1500000001), 1.500000001);
    cr_expect(promql_duration_in_range(9223372036.854775807));
    cr_expect(!promql_duration_in_range(9223372037));
}
