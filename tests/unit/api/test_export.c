/* VictoriaMetrics' readers: exports in every form, what narrows a request, times. */
#include <criterion/criterion.h>
#include <string.h>

#include "api/vm_time.h"
#include "unit/api/api_fixture.h"

struct export_case {
    const char *target, *form;
    int status;
    const char *body; /* NULL: not compared */
};

static void expect_all(const struct export_case *cases)
{
    struct api_fixture f;
    api_fixture_open(&f, NULL);
    for (; cases->target; cases++) {
        struct exchange e = api_exchange(&f, cases->target, "", cases->form);
        cr_expect_eq(e.status, cases->status, "%s: %d %s", cases->target, e.status, e.body);
        if (cases->body)
            cr_expect_str_eq(e.body, cases->body, "%s\n  got      %s\n  expected %s", cases->target, e.body,
                             cases->body);
    }
    api_fixture_close(&f);
}
#define EXPECT(...) expect_all((const struct export_case[]){__VA_ARGS__, {0}})

#define LINE_A "{\"metric\":{\"__name__\":\"requests_total\",\"path\":\"/a\"},"
#define LINE_B "{\"metric\":{\"__name__\":\"requests_total\",\"path\":\"/<b>\"},"

Test(api_export, lines_hold_values_and_milliseconds)
{
    EXPECT({"GET /api/v1/export?match[]=requests_total&start=1699999970", NULL, 200,
            LINE_B "\"values\":[157,158.5,160],\"timestamps\":[1699999970000,1699999985000,1700000000000]}\n" LINE_A
                   "\"values\":[570,585,600],\"timestamps\":[1699999970000,1699999985000,1700000000000]}\n"},
           {"POST /api/v1/export",
            "match[]={path=\"/a\"}&match[]=requests_total{path=\"/a\"}&start=1699999970&max_rows_per_line=2", 200,
            LINE_A "\"values\":[570,585],\"timestamps\":[1699999970000,1699999985000]}\n" LINE_A
                   "\"values\":[600],\"timestamps\":[1700000000000]}\n"},
           {"GET /prometheus/api/v1/export?match=requests_total{path=\"/a\"}&start=1700000000000&end=now", NULL, 200,
            LINE_A "\"values\":[600],\"timestamps\":[1700000000000]}\n"},
           {"GET /api/v1/export?match[]=hist", NULL, 200, ""}, {"GET /api/v1/export?match[]=nothing", NULL, 200, ""},
           {"GET /api/v1/export?match[]=up&start=10&end=5", NULL, 200, ""});
}

Test(api_export, other_forms_are_text_and_the_answer_of_query_range)
{
    EXPECT(
        {"GET /api/v1/export?match[]=http.status&match[]=up", NULL, 400, NULL},
        {"GET /api/v1/export?format=prometheus&start=1700000000&match[]={\"http.status\"}", NULL, 200,
         "{\"http.status\",code=\"200\"} 7 1700000000000\n"},
        {"GET /api/v1/export?format=promapi&start=1700000000&match[]=up", NULL, 200,
         "{\"status\":\"success\",\"data\":{\"resultType\":\"matrix\",\"result\":[{\"metric\":{\"__name__\":\"up\","
         "\"instance\":\"a\",\"job\":\"x\"},\"values\":[[1700000000,\"1\"]]},{\"metric\":{\"__name__\":\"up\","
         "\"instance\""
         ":\"b\",\"job\":\"x\"},\"values\":[[1700000000,\"0\"]]}]}}"},
        {"GET /api/v1/export?format=promapi&start=1700000000&match[]=hist", NULL, 200,
         "{\"status\":\"success\",\"data\":{\"resultType\":\"matrix\",\"result\":[{\"metric\":{\"__name__\":\"hist\"},"
         "\"histograms\":[[1700000000,{\"count\":\"4\",\"sum\":\"5\",\"buckets\":[[3,\"-0.5\",\"0.5\",\"1\"],[0,\"0."
         "5\","
         "\"1\",\"1\"],[0,\"1\",\"2\",\"2\"]]}]]}]}}"},
        {"GET /api/v1/export?format=promapi&match[]=nothing", NULL, 200,
         "{\"status\":\"success\",\"data\":{\"resultType\":\"matrix\",\"result\":[]}}"});
}

Test(api_export, csv_has_the_columns_that_were_asked_for)
{
    EXPECT({"GET /api/v1/export/csv?match[]=up&start=1700000000&format=__name__,instance,nope,__value__,__timestamp__",
            NULL, 200, "up,a,,1,1700000000000\nup,b,,0,1700000000000\n"},
           {"POST /api/v1/export/csv",
            "match[]=up{instance=\"a\"}&start=1700000000&format=__timestamp__:unix_s,__timestamp__:unix_ns,"
            "__timestamp__:rfc3339,__timestamp__:custom:02.01.2006 15:04:05.000",
            200, "1700000000,1700000000000000000,2023-11-14T22:13:20Z,14.11.2023 22:13:20.000\n"},
           {"GET /api/v1/export/csv?match[]=up", NULL, 400, "missing `format` arg\n"},
           {"GET /api/v1/export/csv?format=__value__", NULL, 400, "missing `match[]` arg\n"},
           {"GET /api/v1/export/csv?format=__timestamp__:x&match[]=up", NULL, 400, "unsupported time format \"x\"\n"});
}

Test(api_export, bad_parameters_are_text)
{
    EXPECT({"GET /api/v1/export", NULL, 400, "missing `match[]` arg\n"},
           {"GET /api/v1/export?match[]=up&start=abc", NULL, 400,
            "invalid parameter \"start\": cannot parse \"abc\" as time\n"},
           {"GET /api/v1/export?match[]=", NULL, 400, NULL}, {"GET /api/v1/export?match[]={}", NULL, 400, NULL},
           {"GET /api/v1/export?match[]=up&extra_label=x", NULL, 400,
            "`extra_label` query arg must have the format `name=value`; got \"x\"\n"},
           {"GET /api/v1/export?match[]=up&extra_filters[]={", NULL, 400, NULL},
           {"PUT /api/v1/export?match[]=up", NULL, 405, NULL});
}

#define VECTOR(x) "{\"status\":\"success\",\"data\":{\"resultType\":\"vector\",\"result\":[" x "]}}"
#define NARROW    "extra_filters[]={path=\"/a\"}&extra_filters[]={instance=\"b\"}"

Test(api_restrict, queries_see_no_other_series)
{
    EXPECT({"GET /api/v1/query?query=count(up)&extra_label=instance=a", NULL, 200,
            VECTOR("{\"metric\":{},\"value\":[1700000000,\"1\"]}")},
           {"GET /api/v1/query?query=count({__name__!=\"\"})&" NARROW, NULL, 200,
            VECTOR("{\"metric\":{},\"value\":[1700000000,\"2\"]}")},
           {"GET /api/v1/query?query=sum(rate(requests_total[1m]))&" NARROW, NULL, 200, NULL},
           {"GET /api/v1/query?query=up&extra_label=instance=a&" NARROW, NULL, 200, VECTOR("")},
           {"GET /api/v1/query?query=up&extra_filters={instance=~\"b|c\"}", NULL, 200,
            VECTOR("{\"metric\":{\"__name__\":\"up\",\"instance\":\"b\",\"job\":\"x\"},\"value\":[1700000000,\"0\"]}")},
           {"GET /api/v1/query_range?query=count({__name__!=\"\"})&start=1700000000&end=1700000000&step=1&" NARROW,
            NULL, 200,
            "{\"status\":\"success\",\"data\":{\"resultType\":\"matrix\",\"result\":[{\"metric\":{},\"values\":[["
            "1700000000,\"2\"]]}]}}"},
           {"GET /api/v1/query?query=up&extra_label=x", NULL, 400, NULL});
}

Test(api_restrict, names_values_and_series_are_those_of_what_may_be_seen)
{
    EXPECT({"GET /api/v1/labels?extra_label=instance=a", NULL, 200,
            "{\"status\":\"success\",\"data\":[\"__name__\",\"instance\",\"job\"]}"},
           {"GET /api/v1/label/__name__/values?" NARROW, NULL, 200,
            "{\"status\":\"success\",\"data\":[\"requests_total\",\"up\"]}"},
           {"GET /api/v1/label/instance/values?match[]=up&" NARROW, NULL, 200,
            "{\"status\":\"success\",\"data\":[\"b\"]}"},
           {"GET /api/v1/series?match[]={__name__!=\"\"}&" NARROW, NULL, 200,
            "{\"status\":\"success\",\"data\":[{\"__name__\":\"requests_total\",\"path\":\"/"
            "a\"},{\"__name__\":\"up\",\"instance\":"
            "\"b\",\"job\":\"x\"}]}"},
           {"GET /api/v1/export?match[]=up&start=1700000000&" NARROW, NULL, 200,
            "{\"metric\":{\"__name__\":\"up\",\"instance\":\"b\",\"job\":\"x\"},\"values\":[0],\"timestamps\":["
            "1700000000000]}\n"},
           {"GET /api/v1/labels?extra_filters[]=)", NULL, 400, NULL});
}

Test(api_query, round_digits_rounds_floats)
{
    EXPECT({"GET /api/v1/query?query=sum(up)/3&round_digits=2", NULL, 200,
            VECTOR("{\"metric\":{},\"value\":[1700000000,\"0.33\"]}")},
           {"GET /api/v1/query?query=sum(up)*123&round_digits=-1", NULL, 200,
            VECTOR("{\"metric\":{},\"value\":[1700000000,\"120\"]}")},
           {"GET /api/v1/query?query=sum(up)/4&round_digits=x&reduce_mem_usage=1",
            NULL, 200, VECTOR("{\"metric\":{},\"value\":[1700000000,\"0.25\"]}")});
}

Test(vm_time, sizes_dates_and_relative_times)
{
    static const struct {
        const char *text;
        int64_t ms; /* -1: refused */
    } cases[] = {
        {"0", 0},
        {"-5", 0},
        {"1.5", 1500},
        {"1700000000", 1700000000000},
        {"1700000000000", 1700000000000},
        {"1700000000000000", 1700000000000},
        {"1700000000000000000", 1700000000000},
        {"1e9", 1000000000000},
        {"1e300", 9223372036854},
        {"inf", 9223372036854},
        {"nan", -1},
        {"now", FIXTURE_NOW_MS},
        {"now-1h", FIXTURE_NOW_MS - 3600000},
        {"-1h30m", FIXTURE_NOW_MS - 5400000},
        {"5m", FIXTURE_NOW_MS - 300000},
        {"now+1m", FIXTURE_NOW_MS + 60000},
        {"nowish", -1},
        {"2023-11-14T22:13:20Z", 1700000000000},
        {"2023-11-14T22:13:20.5+01:00", 1699996400500},
        {"2023-11-14T22:13:20", 1700000000000},
        {"2023-11-14T22:13", 1699999980000},
        {"2023-11-14T22", 1699999200000},
        {"2023-11-14", 1699920000000},
        {"2023-11", 1698796800000},
        {"2023Z", 1672531200000},
        {"2023-11-14T22:13+02:00", 1699992780000},
        {"2023-13", -1},
        {"abc", -1},
        {"", -1},
        {"Z", -1},
        {"-292273086-05-16T16:47:06Z", 0},
        {"292277025-08-18T07:12:54.999999999Z", 9223372036854},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t ms;
        struct errmsg why;
        if (vm_time_parse(slice_str(cases[i].text), FIXTURE_NOW_MS, &ms, &why) != ERR_OK)
            ms = -1;
        cr_expect_eq(ms, cases[i].ms, "%s: %lld", cases[i].text, (long long)ms);
    }
}
