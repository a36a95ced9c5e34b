/* Durations, calendar and RFC 3339; the expected values were printed by Go 1.26. */
#include "numeric/timetext.h"

#include <criterion/criterion.h>

Test(timetext, finds_the_calendar_fields_of_any_second_as_go_does)
{
    static const struct {
        int64_t seconds, year;
        int month, day, hour, minute, second, weekday, yearday, days_in_month;
    } rows[] = {
        {INT64_C(0), 1970, 1, 1, 0, 0, 0, 4, 1, 31},
        {INT64_C(-1), 1969, 12, 31, 23, 59, 59, 3, 365, 31},
        {INT64_C(951782400), 2000, 2, 29, 0, 0, 0, 2, 60, 29},
        {INT64_C(951868800), 2000, 3, 1, 0, 0, 0, 3, 61, 31},
        {INT64_C(1709164800), 2024, 2, 29, 0, 0, 0, 4, 60, 29},
        {INT64_C(4102444800), 2100, 1, 1, 0, 0, 0, 5, 1, 31},
        {INT64_C(-2208988800), 1900, 1, 1, 0, 0, 0, 1, 1, 31},
        {INT64_C(-62135596800), 1, 1, 1, 0, 0, 0, 1, 1, 31},
        {INT64_C(-62167219200), 0, 1, 1, 0, 0, 0, 6, 1, 31},
        {INT64_C(1000000000000000000), 31688740476, 10, 23, 1, 46, 40, 5, 297, 31},
        {INT64_C(-1000000000000000000), -31688736537, 3, 10, 22, 13, 20, 2, 69, 31},
        {INT64_C(9223372036854775807), 292277026596, 12, 4, 15, 30, 7, 0, 339, 31},
        {INT64_MIN, 292277026596, 12, 4, 15, 30, 8, 0, 339, 31},
        {INT64_C(-9223372036854775807), 292277026596, 12, 4, 15, 30, 9, 0, 339, 31},
        {INT64_C(-9223372028741760000), -292277022400, 3, 1, 0, 0, 0, 3, 61, 31},
        {INT64_C(86399), 1970, 1, 1, 23, 59, 59, 4, 1, 31},
        {INT64_C(68169600), 1972, 2, 29, 0, 0, 0, 2, 60, 29},
        {INT64_C(1709251199), 2024, 2, 29, 23, 59, 59, 4, 60, 29},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct timetext_date d;
        timetext_date(rows[i].seconds, &d);
        cr_expect_eq(d.year, rows[i].year, "row %zu: %ld", i, d.year);
        cr_expect(d.month == rows[i].month && d.day == rows[i].day, "row %zu: %d-%d", i, d.month, d.day);
        cr_expect(d.hour == rows[i].hour && d.minute == rows[i].minute && d.second == rows[i].second, "row %zu", i);
        cr_expect_eq(d.weekday, rows[i].weekday, "row %zu: %d", i, d.weekday);
        cr_expect_eq(d.yearday, rows[i].yearday, "row %zu: %d", i, d.yearday);
        cr_expect_eq(d.days_in_month, rows[i].days_in_month, "row %zu: %d", i, d.days_in_month);
    }
}

Test(timetext, reads_rfc3339_as_leniently_as_go)
{
    static const struct {
        const char *text;
        bool ok;
        int64_t seconds;
        int32_t ns;
    } rows[] = {
        {"2006-01-02T15:04:05Z", true, INT64_C(1136214245), 0},
        {"2006-01-02T15:04:05.123456789123Z", true, INT64_C(1136214245), 123456789},
        {"2006-01-02T5:04:05Z", true, INT64_C(1136178245), 0},
        {"2006-01-02T15:04:05,5Z", true, INT64_C(1136214245), 500000000},
        {"2006-01-02T15:04:05+24:60", true, INT64_C(1136124245), 0},
        {"2006-01-02T15:04:05+25:00", false, 0, 0},
        {"2006-02-29T15:04:05Z", false, 0, 0},
        {"2004-02-29T15:04:05-07:30", true, INT64_C(1078094045), 0},
        {"2006-01-02 15:04:05Z", false, 0, 0},
        {"2006-01-02T15:04:05", false, 0, 0},
        {"2006-01-02T15:04:05.Z", false, 0, 0},
        {"2006-01-02t15:04:05z", false, 0, 0},
        {"0000-01-01T00:00:00Z", true, INT64_C(-62167219200), 0},
        {"2006-01-02T15:04:60Z", false, 0, 0},
        {"2006-01-02T24:00:00Z", false, 0, 0},
        {"9999-12-31T23:59:59.999999999Z", true, INT64_C(253402300799), 999999999},
        {"2006-01-02T15:04:05.5Zx", false, 0, 0},
        {"2006-1-02T15:04:05Z", false, 0, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct timetext_time t = {0};
        enum err err = timetext_rfc3339_parse(slice_str(rows[i].text), &t, NULL);
        cr_expect_eq(err == ERR_OK, rows[i].ok, "%s", rows[i].text);
        cr_expect(t.seconds == rows[i].seconds && t.ns == rows[i].ns, "%s: %ld.%d", rows[i].text, t.seconds, t.ns);
    }
}

Test(timetext, prints_times_of_day_with_the_milliseconds_there_are)
{
    static const struct {
        int64_t ms;
        const char *text;
    } rows[] = {{0, "1970-01-01T00:00:00Z"},
                {1136214245123, "2006-01-02T15:04:05.123Z"},
                {1136214245100, "2006-01-02T15:04:05.1Z"},
                {1136214245010, "2006-01-02T15:04:05.01Z"},
                {-1, "1969-12-31T23:59:59.999Z"}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[TIMETEXT_BYTES_MAX];
        size_t len = timetext_rfc3339_print(text, rows[i].ms);
        cr_expect(slice_eq_str(slice_of(text, len), rows[i].text), "%.*s", (int)len, text);
    }
}

Test(timetext, prints_go_durations)
{
    static const struct {
        int64_t ns;
        const char *text;
    } rows[] = {
        {INT64_C(0), "0s"},
        {INT64_C(1), "1ns"},
        {INT64_C(999), "999ns"},
        {INT64_C(1500), "1.5\xc2\xb5s"},
        {INT64_C(1000000), "1ms"},
        {INT64_C(1234567), "1.234567ms"},
        {INT64_C(999999999), "999.999999ms"},
        {INT64_C(1000000000), "1s"},
        {INT64_C(1500000000), "1.5s"},
        {INT64_C(60000000000), "1m0s"},
        {INT64_C(3600000000000), "1h0m0s"},
        {INT64_C(3661000000001), "1h1m1.000000001s"},
        {INT64_C(-5400000000000), "-1h30m0s"},
        {INT64_C(9223372036854775807), "2562047h47m16.854775807s"},
        {INT64_MIN, "-2562047h47m16.854775808s"},
        {INT64_C(100000000), "100ms"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[TIMETEXT_BYTES_MAX];
        size_t len = timetext_go_duration_print(text, rows[i].ns);
        cr_expect(slice_eq_str(slice_of(text, len), rows[i].text), "%.*s", (int)len, text);
    }
}

Test(timetext, durations_go_there_and_back)
{
    static const struct {
        const char *text;
        int64_t ms;
        const char *printed;
    } rows[] = {
        {"0", 0, "0s"},
        {"0s", 0, "0s"},
        {"5m", 300000, "5m"},
        {"1h30m", 5400000, "1h30m"},
        {"90m", 5400000, "1h30m"},
        {"1d", 86400000, "1d"},
        {"90d", 7776000000, "90d"},
        {"2w", 1209600000, "2w"},
        {"1y", 31536000000, "1y"},
        {"1w1d", 691200000, "8d"},
        {"1500ms", 1500, "1s500ms"},
        {"1y2w3d4h5m6s7ms", 33019506007, "382d4h5m6s7ms"},
        {"292y", 9208512000000, "292y"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int64_t ms = -1;
        char text[TIMETEXT_BYTES_MAX];
        cr_expect_eq(timetext_duration_parse(slice_str(rows[i].text), &ms, NULL), ERR_OK, "%s", rows[i].text);
        cr_expect_eq(ms, rows[i].ms, "%s: %ld", rows[i].text, ms);
        size_t len = timetext_duration_print(text, ms);
        cr_expect(slice_eq_str(slice_of(text, len), rows[i].printed), "%s: %.*s", rows[i].text, (int)len, text);
    }
}

Test(timetext, bad_durations_are_refused_with_prometheus_texts)
{
    static const char *const rows[][2] = {
        {"", "empty duration string"},
        {"1", "not a valid duration string: \"1\""},
        {"-1s", "not a valid duration string: \"-1s\""},
        {"s", "not a valid duration string: \"s\""},
        {"1m1m", "not a valid duration string: \"1m1m\""},
        {"1s1h", "not a valid duration string: \"1s1h\""},
        {"1.5h", "unknown unit \".\" in duration \"1.5h\""},
        {"1x", "unknown unit \"x\" in duration \"1x\""},
        {"1 s", "unknown unit \" s\" in duration \"1 s\""},
        {"293y", "duration out of range"},
        {"99999999999999999999s", "not a valid duration string: \"99999999999999999999s\""},
        {"292y200d", "duration out of range"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct errmsg why;
        int64_t ms;
        cr_expect_eq(timetext_duration_parse(slice_str(rows[i][0]), &ms, &why), ERR_INVALID, "%s", rows[i][0]);
        cr_expect_str_eq(why.text, rows[i][1]);
    }
}
