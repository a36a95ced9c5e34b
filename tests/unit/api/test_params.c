/* Times and durations as Prometheus reads them, escaped names, and counting. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "api/api_internal.h"
#include "api/counts.h"
#include "api/top.h"

Test(api_params, times_are_seconds_or_rfc3339)
{
    static const struct {
        const char *text;
        int64_t ms;
    } good[] = {
        {"0", 0},
        {"1435781451.781", 1435781451781},
        {"1e9", 1000000000000},
        {"-1.5", -1500},
        {"1.0295", 1030},
        {"-0.0004", 0},
        {"0x10p0", 16000},
        {"1700000000000", 1700000000000000}, /* milliseconds read as seconds: far away, but a time */
        {"2015-07-01T20:10:51.781Z", 1435781451781},
        {"2020-01-01T00:00:00.5+02:00", 1577829600500},
        {"-292273086-05-16T16:47:06Z", TIME_MIN_MS},
        {"292277025-08-18T07:12:54.999999999Z", TIME_MAX_MS},
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct instant t = {0};
        struct errmsg why = {0};
        cr_expect_eq(instant_parse(slice_str(good[i].text), &t, &why), ERR_OK, "%s", why.text);
        cr_expect_eq(instant_ms(t), good[i].ms, "%s: %lld", good[i].text, (long long)instant_ms(t));
    }
    static const char *const bad[] = {"", "x", "NaN", "Inf", "-inf", "1e300", "2015-07-01", "now", "12:00", "1 "};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct instant t;
        struct errmsg why = {0};
        char text[128];
        snprintf(text, sizeof text, "cannot parse \"%s\" to a valid timestamp", bad[i]);
        cr_expect_eq(instant_parse(slice_str(bad[i]), &t, &why), ERR_INVALID);
        cr_expect_str_eq(why.text, text);
    }
}

Test(api_params, durations_are_seconds_or_units)
{
    static const struct {
        const char *text;
        int64_t ns;
    } good[] = {{"15", 15000000000},      {"0.5", 500000000},   {"-1", -1000000000}, {"5m", 300000000000},
                {"1h30m", 5400000000000}, {"100ms", 100000000}, {"1e-3", 1000000},   {"0", 0}};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        int64_t ns = -7;
        struct errmsg why = {0};
        cr_expect_eq(duration_ns_parse(slice_str(good[i].text), &ns, &why), ERR_OK, "%s", why.text);
        cr_expect_eq(ns, good[i].ns, "%s", good[i].text);
    }
    static const struct {
        const char *text, *error;
    } bad[] = {
        {"", "cannot parse \"\" to a valid duration"},
        {"x", "cannot parse \"x\" to a valid duration"},
        {"1.5h", "cannot parse \"1.5h\" to a valid duration"},
        {"1ns", "cannot parse \"1ns\" to a valid duration"},
        {"-5m", "cannot parse \"-5m\" to a valid duration"},
        {"1e300", "cannot parse \"1e300\" to a valid duration. It overflows int64"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        int64_t ns;
        struct errmsg why = {0};
        cr_expect_eq(duration_ns_parse(slice_str(bad[i].text), &ns, &why), ERR_INVALID);
        cr_expect_str_eq(why.text, bad[i].error);
    }
}

Test(api_names, escaped_names_are_undone_and_others_left_alone)
{
    static const struct {
        const char *escaped, *name;
    } cases[] = {
        {"job", "job"},
        {"U__http_2e_status", "http.status"},
        {"U__a__b", "a_b"},
        {"U___e9_t_e9_", "\xc3\xa9t\xc3\xa9"},
        {"U___1f600_", "\xf0\x9f\x98\x80"},
        {"U__", ""},
        {"U__a_", "U__a_"},
        {"U__a_zz_", "U__a_zz_"},
        {"U__a_d800_", "U__a_d800_"},
        {"U__a_2e", "U__a_2e"},
        {"U_a", "U_a"},
    };
    struct arena arena;
    arena_init(&arena, NULL);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct slice name = label_name_unescape(&arena, slice_str(cases[i].escaped));
        cr_expect(slice_eq_str(name, cases[i].name), "%s: %.*s", cases[i].escaped, SLICE_ARG(name));
    }
    arena_deinit(&arena);
}

Test(api_tally, tells_the_first_time_from_the_next)
{
    struct counts t = {0};
    char names[3000][16];
    for (unsigned round = 0; round < 2; round++)
        for (unsigned i = 0; i < 3000; i++) {
            snprintf(names[i], sizeof names[i], "n%04u", i);
            struct slice name = slice_str(names[i]);
            bool first = counts_add(&t, label_hash(name, (struct slice){0}), name, (struct slice){0}, 1);
            cr_assert_eq(first, round == 0);
        }
    cr_expect_eq(t.count, 3000);
    counts_deinit(&t);
}

Test(api_top, the_largest_come_first_and_equals_by_name)
{
    struct top t;
    char names[3000][16];
    top_init(&t, 4);
    for (unsigned i = 0; i < 3000; i++) { /* in no order */
        unsigned n = (i * 1237) % 3000;
        snprintf(names[n], sizeof names[n], "n%04u", n);
        top_offer(&t, slice_str(names[n]), (struct slice){0}, n == 7 ? 10 : 1 + n / 1000);
    }
    top_sort(&t);
    static const char *const expected[] = {"n0007", "n2000", "n2001", "n2002"};
    cr_assert_eq(t.count, 4);
    for (int i = 0; i < 4; i++)
        cr_expect(slice_eq_str(t.list[i].name, expected[i]), "%d: %.*s", i, SLICE_ARG(t.list[i].name));
    cr_expect_eq(t.list[0].count, 10);
    top_deinit(&t);
    top_init(&t, 0);
    top_offer(&t, SLICE_LIT("a"), (struct slice){0}, 1);
    top_sort(&t);
    cr_expect_eq(t.count, 0);
    top_deinit(&t);
}
