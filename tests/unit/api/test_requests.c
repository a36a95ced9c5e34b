/*
 * Requests with their answers, as Prometheus 3.15 gives them (docs/api.md names what differs): parameters,
 * the order in which they are checked, statuses, bodies.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "unit/api/api_fixture.h"

struct request_case {
    const char *target, *form; /* form: body of a POST; NULL for GET */
    int status;
    const char *body;
};

/* All of them on one server; a case without a target ends the list. */
static void expect_all(const struct request_case *cases)
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
#define EXPECT(...) expect_all((const struct request_case[]){__VA_ARGS__, {0}})

#define OK_JSON(data)         "{\"status\":\"success\",\"data\":" data "}"
#define CUT_JSON(data)        "{\"status\":\"success\",\"data\":" data ",\"warnings\":[\"results truncated due to limit\"]}"
#define BAD_JSON(text)        "{\"status\":\"error\",\"errorType\":\"bad_data\",\"error\":\"" text "\"}"
#define BAD_PARAM(name, text) BAD_JSON("invalid parameter \\\"" name "\\\": " text)
#define ATOI(x)               "strconv.Atoi: parsing \\\"" x "\\\": invalid syntax"
#define NO_TIME(x)            "cannot parse \\\"" x "\\\" to a valid timestamp"
#define BAD_TIME(name, x)     BAD_PARAM(name, "invalid time value for '" name "': " NO_TIME(x))
#define NO_STEP               "zero or negative query resolution step widths are not accepted. Try a positive integer"

Test(api_query, bad_parameters_are_named_in_prometheus_order)
{
    EXPECT(
        {"GET /api/v1/query", NULL, 400,
         BAD_PARAM("query", "unknown position: parse error: no expression found in input")},
        {"GET /api/v1/query?query=up&time=abc", NULL, 400, BAD_TIME("time", "abc")},
        {"GET /api/v1/query?query=up&timeout=abc", NULL, 400,
         BAD_PARAM("timeout", "cannot parse \\\"abc\\\" to a valid duration")},
        {"GET /api/v1/query?query=up&timeout=1e300", NULL, 400,
         BAD_PARAM("timeout", "cannot parse \\\"1e300\\\" to a valid duration. It overflows int64")},
        {"GET /api/v1/query?query=up&limit=-1", NULL, 400, BAD_PARAM("limit", "limit must be non-negative")},
        {"GET /api/v1/query?query=up&limit=x", NULL, 400, BAD_PARAM("limit", ATOI("x"))},
        {"GET /api/v1/query?query=up&limit=99999999999999999999", NULL, 400,
         BAD_PARAM("limit", "strconv.Atoi: parsing \\\"99999999999999999999\\\": value out of range")},
        {"GET /api/v1/query?query=up&lookback_delta=x", NULL, 400,
         BAD_JSON("error parsing lookback delta duration: cannot parse \\\"x\\\" to a valid duration")},
        {"GET /api/v1/query?query=sum(", NULL, 400, BAD_PARAM("query", "1:5: parse error: unclosed left parenthesis")},
        {"GET /api/v1/query?query=up%zz", NULL, 400,
         BAD_PARAM("query", "unknown position: parse error: no expression found in input")},
        {"GET /api/v1/query?time=x&limit=y&timeout=z&query=)&lookback_delta=q", NULL, 400,
         BAD_PARAM("limit", ATOI("y"))},
        {"GET /api/v1/query?time=x&timeout=z&query=)&lookback_delta=q", NULL, 400, BAD_TIME("time", "x")},
        {"GET /api/v1/query?timeout=z&query=)&lookback_delta=q", NULL, 400,
         BAD_PARAM("timeout", "cannot parse \\\"z\\\" to a valid duration")},
        {"GET /api/v1/query?query=)&lookback_delta=q", NULL, 400,
         BAD_JSON("error parsing lookback delta duration: cannot parse \\\"q\\\" to a valid duration")},
        {"GET /api/v1/query?query=1&timeout=-1", NULL, 503,
         "{\"status\":\"error\",\"errorType\":\"timeout\",\"error\":\"query timed out in query execution\"}"},
        {"POST /api/v1/query?query=)", "time=x", 400, BAD_TIME("time", "x")});
}

Test(api_query_range, bad_parameters_are_named_in_prometheus_order)
{
    EXPECT(
        {"GET /api/v1/query_range", NULL, 400, BAD_PARAM("start", NO_TIME(""))},
        {"GET /api/v1/query_range?query=up&start=1&end=2", NULL, 400,
         BAD_PARAM("step", "cannot parse \\\"\\\" to a valid duration")},
        {"GET /api/v1/query_range?query=up&start=1&end=2&step=0", NULL, 400, BAD_PARAM("step", NO_STEP)},
        {"GET /api/v1/query_range?query=up&start=1&end=2&step=-1", NULL, 400, BAD_PARAM("step", NO_STEP)},
        {"GET /api/v1/query_range?query=up&start=1&end=2&step=undefined", NULL, 400,
         BAD_PARAM("step", "cannot parse \\\"undefined\\\" to a valid duration")},
        {"GET /api/v1/query_range?query=up&start=3&end=2&step=1", NULL, 400,
         BAD_PARAM("end", "end timestamp must not be before start time")},
        {"GET /api/v1/query_range?query=up&start=1&end=20000&step=1", NULL, 400,
         BAD_JSON("exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query "
                  "resolution (?step=XX)")},
        {"GET /api/v1/query_range?query=up[5m]&start=1&end=2&step=1", NULL, 400,
         BAD_PARAM("query",
                   "invalid expression type \\\"range vector\\\" for range query, must be Scalar or instant Vector")},
        {"GET /api/v1/query_range?query=%22a%22&start=1&end=2&step=1", NULL, 400,
         BAD_PARAM("query",
                   "invalid expression type \\\"string\\\" for range query, must be Scalar or instant Vector")},
        {"GET /api/v1/query_range?query=1&start=1&end=1&step=1&timeout=x&limit=x", NULL, 400,
         BAD_PARAM("limit", ATOI("x"))},
        {"GET /api/v1/query_range?start=x&end=x&step=x", NULL, 400, BAD_PARAM("start", NO_TIME("x"))},
        {"GET /api/v1/query_range?start=1&end=x&step=x", NULL, 400, BAD_PARAM("end", NO_TIME("x"))},
        {"POST /api/v1/query_range", "query=)&start=1&end=2&step=1&timeout=z", 400,
         BAD_PARAM("timeout", "cannot parse \\\"z\\\" to a valid duration")});
}

Test(api_query, scalars_strings_vectors_and_matrices_have_their_shapes)
{
    EXPECT(
        {"GET /api/v1/query?query=1e-7&time=1.5", NULL, 200,
         OK_JSON("{\"resultType\":\"scalar\",\"result\":[1.5,\"0.0000001\"]}")},
        {"GET /api/v1/query?query=vector(1e-7)&time=1.5", NULL, 200,
         OK_JSON("{\"resultType\":\"vector\",\"result\":[{\"metric\":{},\"value\":[1.500,\"1e-07\"]}]}")},
        {"GET /api/v1/query?query=%22%3Ca%3E%26%22&time=1.5", NULL, 200,
         OK_JSON("{\"resultType\":\"string\",\"result\":[1.5,\"\\u003ca\\u003e\\u0026\"]}")},
        {"GET /api/v1/query?query=nope", NULL, 200, OK_JSON("{\"resultType\":\"vector\",\"result\":[]}")},
        {"GET /api/v1/query?query=up", NULL, 200,
         OK_JSON("{\"resultType\":\"vector\",\"result\":["
                 "{\"metric\":{\"__name__\":\"up\",\"instance\":\"a\",\"job\":\"x\"},\"value\":[1700000000,\"1\"]},"
                 "{\"metric\":{\"__name__\":\"up\",\"instance\":\"b\",\"job\":\"x\"},\"value\":[1700000000,\"0\"]}]}")},
        {"GET /api/v1/query?query=up&limit=1", NULL, 200,
         CUT_JSON(
             "{\"resultType\":\"vector\",\"result\":["
             "{\"metric\":{\"__name__\":\"up\",\"instance\":\"a\",\"job\":\"x\"},\"value\":[1700000000,\"1\"]}]}")},
        {"GET /api/v1/query?query=requests_total%7Bpath!%3D%22/a%22%7D[20s]", NULL, 200,
         OK_JSON(
             "{\"resultType\":\"matrix\",\"result\":[{\"metric\":{\"__name__\":\"requests_total\",\"path\":\"/<b>\"},"
             "\"values\":[[1699999985,\"158.5\"],[1700000000,\"160\"]]}]}")},
        {"GET /api/v1/query?query=hist", NULL, 200,
         OK_JSON("{\"resultType\":\"vector\",\"result\":[{\"metric\":{\"__name__\":\"hist\"},\"histogram\":"
                 "[1700000000,{\"count\":\"4\",\"sum\":\"5\",\"buckets\":[[3,\"-0.5\",\"0.5\",\"1\"],"
                 "[0,\"0.5\",\"1\",\"1\"],[0,\"1\",\"2\",\"2\"]]}]}]}")},
        {"GET /api/v1/query_range?query=sum(up)&start=1699999985&end=1700000000&step=15", NULL, 200,
         OK_JSON("{\"resultType\":\"matrix\",\"result\":[{\"metric\":{},\"values\":[[1699999985,\"1\"],"
                 "[1700000000,\"1\"]]}]}")},
        {"GET /api/v1/query_range?query=hist&start=1700000000&end=1700000000&step=15", NULL, 200,
         OK_JSON("{\"resultType\":\"matrix\",\"result\":[{\"metric\":{\"__name__\":\"hist\"},\"histograms\":"
                 "[[1700000000,{\"count\":\"4\",\"sum\":\"5\",\"buckets\":[[3,\"-0.5\",\"0.5\",\"1\"],"
                 "[0,\"0.5\",\"1\",\"1\"],[0,\"1\",\"2\",\"2\"]]}]]}]}")},
        {"GET /api/v1/query_range?query=1&start=1&end=1.002&step=0.0019", NULL, 200,
         OK_JSON("{\"resultType\":\"matrix\",\"result\":[{\"metric\":{},\"values\":[[1,\"1\"],[1.001,\"1\"],"
                 "[1.002,\"1\"]]}]}")},
        {"POST /api/v1/query?query=up", "query=1%2B1&time=4", 200,
         OK_JSON("{\"resultType\":\"scalar\",\"result\":[4,\"2\"]}")},
        {"GET /api/v1/query?query=up%20%2B%20on()%20up", NULL, 422, NULL});
}

Test(api_query, annotations_stand_behind_the_data)
{
    EXPECT({"GET /api/v1/query?query=rate(up%7Binstance%3D%22a%22%7D[1m])", NULL, 200,
            "{\"status\":\"success\",\"data\":{\"resultType\":\"vector\",\"result\":[{\"metric\":{\"instance\":\"a\","
            "\"job\":\"x\"},\"value\":[1700000000,\"0\"]}]},\"infos\":[\"PromQL info: metric might not be a counter, "
            "name does not end in _total/_sum/_count/_bucket: \\\"up\\\" (1:6)\"]}"});
}

Test(api_query, statistics_come_when_asked_for)
{
    struct api_fixture f;
    api_fixture_open(&f, NULL);
    struct exchange e = api_exchange(&f, "GET /api/v1/query?query=up&stats=all", "", NULL);
    cr_expect(strstr(e.body, ",\"stats\":{\"timings\":{\"evalTotalTime\":"), "%s", e.body);
    cr_expect(strstr(e.body, "\"samples\":{\"totalQueryableSamples\":2,\"samplesRead\":2,\"peakSamples\":"), "%s",
              e.body);
    cr_expect_not(strstr(e.body, "warnings"));
    e = api_exchange(&f, "GET /api/v1/query?query=up&stats=1", "", NULL);
    cr_expect(strstr(e.body,
                     "}}},\"warnings\":[\"value \\\"1\\\" for parameter \\\"stats\\\" is deprecated and will be "
                     "rejected in the next major release, use \\\"true\\\" or \\\"all\\\"\"]}"),
              "%s", e.body);
    api_fixture_close(&f);
}

#define UP_A "{\"__name__\":\"up\",\"instance\":\"a\",\"job\":\"x\"}"
#define UP_B "{\"__name__\":\"up\",\"instance\":\"b\",\"job\":\"x\"}"

Test(api_series, selects_unites_limits_and_complains)
{
    EXPECT(
        {"GET /api/v1/series", NULL, 400, BAD_JSON("no match[] parameter provided")},
        {"GET /api/v1/series?start=x&end=y&limit=z", NULL, 400, BAD_JSON("no match[] parameter provided")},
        {"GET /api/v1/series?start=x&end=y&limit=z&match[]={", NULL, 400, BAD_PARAM("limit", ATOI("z"))},
        {"GET /api/v1/series?start=x&end=y&match[]={", NULL, 400, BAD_TIME("start", "x")},
        {"GET /api/v1/series?end=y&match[]={", NULL, 400, BAD_TIME("end", "y")},
        {"GET /api/v1/series?match[]={}", NULL, 400,
         BAD_PARAM("match[]", "match[] must contain at least one non-empty matcher")},
        {"GET /api/v1/series?match[]=up[5m]", NULL, 400,
         BAD_PARAM("match[]", "1:3: parse error: unexpected \\\"[\\\"")},
        {"GET /api/v1/series?match[]=%zz", NULL, 400,
         BAD_JSON("error parsing form values: invalid URL escape \\\"%zz\\\"")},
        {"GET /api/v1/series?match[]=up", NULL, 200, OK_JSON("[" UP_A "," UP_B "]")},
        {"POST /api/v1/series", "match[]=up%7Binstance%3D%22b%22%7D&match[]=up", 200, OK_JSON("[" UP_A "," UP_B "]")},
        {"GET /api/v1/series?match[]=up&limit=1", NULL, 200, CUT_JSON("[" UP_A "]")},
        {"GET /api/v1/series?match[]=up&limit=2", NULL, 200, OK_JSON("[" UP_A "," UP_B "]")},
        {"GET /api/v1/series?match[]=up&start=10&end=5", NULL, 200, OK_JSON("[]")},
        {"GET /api/v1/series?match[]=requests_total&limit=1", NULL, 200,
         CUT_JSON("[{\"__name__\":\"requests_total\",\"path\":\"/<b>\"}]")},
        {"GET /api/v1/series?match[]={%22http.status%22}", NULL, 200,
         OK_JSON("[{\"__name__\":\"http.status\",\"code\":\"200\"}]")},
        {"GET /api/v1/series/count", NULL, 200, OK_JSON("[0]")});
}

Test(api_labels, names_are_sorted_limited_and_checked)
{
    EXPECT({"GET /api/v1/labels", NULL, 200, OK_JSON("[\"__name__\",\"code\",\"instance\",\"job\",\"path\"]")},
           {"POST /api/v1/labels", "limit=2", 200, CUT_JSON("[\"__name__\",\"code\"]")},
           {"GET /api/v1/labels?match[]=up&match[]=requests_total", NULL, 200,
            OK_JSON("[\"__name__\",\"instance\",\"job\",\"path\"]")},
           {"GET /api/v1/labels?match[]=up&match[]=requests_total&limit=3", NULL, 200,
            CUT_JSON("[\"__name__\",\"instance\",\"job\"]")},
           {"GET /api/v1/labels?match[]={a=~%22.*%22}", NULL, 400,
            BAD_JSON("match[] must contain at least one non-empty matcher")},
           {"GET /api/v1/labels?match[]={", NULL, 400,
            BAD_JSON("1:2: parse error: unexpected end of input inside braces")},
           {"GET /api/v1/labels?start=x&end=y&limit=z&match[]={", NULL, 400, BAD_PARAM("limit", ATOI("z"))},
           {"GET /api/v1/labels?start=x&end=y&match[]={", NULL, 400, BAD_TIME("start", "x")});
}

Test(api_label_values, names_may_be_escaped_and_values_are_html_safe)
{
    EXPECT({"GET /api/v1/label/job/values", NULL, 200, OK_JSON("[\"x\"]")},
           {"GET /api/v1/label/U__job/values", NULL, 200, OK_JSON("[\"x\"]")},
           {"GET /api/v1/label/path/values", NULL, 200, OK_JSON("[\"/\\u003cb\\u003e\",\"/a\"]")},
           {"GET /api/v1/label/path/values?limit=1", NULL, 200, CUT_JSON("[\"/\\u003cb\\u003e\"]")},
           {"GET /api/v1/label/__name__/values?match[]=up&match[]=hist", NULL, 200, OK_JSON("[\"hist\",\"up\"]")},
           {"GET /api/v1/label/x-y/values", NULL, 200, OK_JSON("[]")},
           {"GET /api/v1/label/job/values?limit=x&start=y", NULL, 400, BAD_PARAM("limit", ATOI("x"))},
           {"GET /api/v1/label/job/values?start=10&end=5", NULL, 200, OK_JSON("[]")},
           {"POST /api/v1/label/job/values", "", 405, NULL});
}

Test(api_expressions, are_formatted_parsed_and_asked_for_exemplars)
{
    EXPECT(
        {"GET /api/v1/format_query?query=sum(up)by(x)", NULL, 200, OK_JSON("\"sum by (x) (up)\"")},
        {"POST /api/v1/format_query", "query=a%20%3C%20b", 200, OK_JSON("\"a \\u003c b\"")},
        {"GET /api/v1/format_query?query=sum(up", NULL, 400,
         BAD_PARAM("query", "1:7: parse error: unclosed left parenthesis")},
        {"GET /api/v1/parse_query?query=up", NULL, 200,
         OK_JSON("{\"anchored\":false,\"matchers\":[{\"name\":\"__name__\",\"type\":\"=\",\"value\":\"up\"}],\"name\":"
                 "\"up\","
                 "\"offset\":0,\"offsetExpr\":null,\"smoothed\":false,\"startOrEnd\":null,\"timestamp\":null,\"type\":"
                 "\"vectorSelector\"}")},
        {"GET /api/v1/parse_query", NULL, 400,
         BAD_PARAM("query", "unknown position: parse error: no expression found in input")},
        {"GET /api/v1/query_exemplars?query=test&start=1700000000000&end=1700000060000", NULL, 200, OK_JSON("[]")},
        {"GET /api/v1/query_exemplars?query=1", NULL, 204, ""},
        {"GET /api/v1/query_exemplars", NULL, 400,
         BAD_JSON("unknown position: parse error: no expression found in input")},
        {"GET /api/v1/query_exemplars?query=up&start=5&end=1", NULL, 400,
         BAD_JSON("end timestamp must not be before start timestamp")},
        {"GET /api/v1/query_exemplars?query=up&start=x", NULL, 400, BAD_TIME("start", "x")},
        {"GET /api/v1/query_exemplars?query=sum(", NULL, 400, BAD_JSON("1:5: parse error: unclosed left parenthesis")});
}

Test(api_empty, what_does_not_happen_here_has_its_shape)
{
    EXPECT(
        {"GET /api/v1/rules", NULL, 200, OK_JSON("{\"groups\":[]}")},
        {"GET /api/v1/rules?type=alert", NULL, 200, OK_JSON("{\"groups\":[]}")},
        {"GET /api/v1/rules?type=x", NULL, 400, BAD_PARAM("type", "not supported value \\\"x\\\"")},
        {"GET /api/v1/alerts", NULL, 200, OK_JSON("{\"alerts\":[]}")},
        {"GET /api/v1/targets", NULL, 200,
         OK_JSON("{\"activeTargets\":[],\"droppedTargets\":[],\"droppedTargetCounts\":{}}")},
        {"GET /api/v1/targets?state=active", NULL, 200,
         OK_JSON("{\"activeTargets\":[],\"droppedTargets\":[],\"droppedTargetCounts\":null}")},
        {"GET /api/v1/targets/metadata", NULL, 200, OK_JSON("[]")},
        {"GET /api/v1/targets/metadata?limit=x", NULL, 400, BAD_JSON("limit must be a number")},
        {"GET /api/v1/scrape_pools", NULL, 200, OK_JSON("{\"scrapePools\":[]}")},
        {"GET /api/v1/alertmanagers", NULL, 200, OK_JSON("{\"activeAlertmanagers\":[],\"droppedAlertmanagers\":[]}")},
        {"GET /api/v1/notifications", NULL, 200, OK_JSON("[]")}, {"GET /api/v1/metadata", NULL, 200, OK_JSON("{}")},
        {"GET /api/v1/metadata?limit=x", NULL, 400, BAD_JSON("limit must be a number")},
        {"GET /api/v1/metadata?limit_per_metric=x", NULL, 400, BAD_JSON("limit_per_metric must be a number")},
        {"POST /api/v1/admin/tsdb/snapshot", "", 500,
         "{\"status\":\"error\",\"errorType\":\"unavailable\",\"error\":\"admin APIs disabled\"}"});
}

Test(api_status, tells_version_settings_and_progress)
{
    EXPECT({"GET /api/v1/status/buildinfo", NULL, 200,
            OK_JSON(
                "{\"version\":\"3.15.0\",\"revision\":\"abcdef\",\"branch\":\"\",\"buildUser\":\"\",\"buildDate\":\"\","
                "\"goVersion\":\"\",\"application\":\"gnomon\",\"applicationVersion\":\"1.2.3\"}")},
           {"GET /api/v1/status/walreplay", NULL, 200, OK_JSON("{\"min\":0,\"max\":0,\"current\":0}")},
           {"GET /api/v1/status/tsdb?limit=0", NULL, 400, BAD_JSON("limit must be a positive number")},
           {"GET /api/v1/status/tsdb?limit=x", NULL, 400, BAD_JSON("limit must be a positive number")},
           {"GET /api/v1/status/tsdb?limit=10001", NULL, 400, BAD_JSON("limit must not exceed 10000")},
           {"GET /api/v1/status/tsdb/blocks", NULL, 200, OK_JSON("{\"blocks\":[]}")});
    struct api_fixture f;
    api_fixture_open(&f, (const char *const[]){"query.timeout=30s", NULL});
    struct exchange e = api_exchange(&f, "GET /api/v1/status/flags", "", NULL);
    cr_expect(strstr(e.body, "\"query.timeout\":\"30s\""), "%s", e.body);
    e = api_exchange(&f, "GET /api/v1/status/config", "", NULL);
    cr_expect(strstr(e.body, "query.timeout: 30s\\n"), "%s", e.body);
    e = api_exchange(&f, "GET /api/v1/status/runtimeinfo", "", NULL);
    cr_expect(strstr(e.body, "\"startTime\":\"2023-11-14T22:13:20Z\""), "%s", e.body);
    cr_expect(strstr(e.body, "\"storageRetention\":\"31d\""), "%s", e.body);
    api_fixture_close(&f);
}

Test(api_query, explain_tells_the_plan_and_analyze_adds_it_to_the_answer)
{
    struct api_fixture f;
    api_fixture_open(&f, NULL);
    struct exchange e = api_exchange(&f, "GET /api/v1/query?query=sum(up)&explain=1", "", NULL);
    cr_expect_eq(e.status, 200);
    cr_expect_not_null(
        strstr(e.body, "{\"resultType\":\"vector\",\"result\":[],\"plan\":{\"steps\":1,\"expected\":{\"series\":2,"
                       "\"samples\":2,"),
        "%s", e.body);
    cr_expect_not_null(strstr(e.body, "\"operator\":\"aggregate\",\"expression\":\"sum(up)\",\"inputs\":[0]"), "%s",
                       e.body);
    cr_expect_null(strstr(e.body, "actual"), "%s", e.body);
    e = api_exchange(&f, "POST /api/v1/query", "Content-Type: application/x-www-form-urlencoded\r\n",
                     "query=sum(up)&analyze=1");
    cr_expect_eq(e.status, 200);
    cr_expect_not_null(strstr(e.body, "\"result\":[{\"metric\":{},\"value\":["), "%s", e.body);
    cr_expect_not_null(strstr(e.body, "\"actual\":{\"series\":1,\"points\":1,"), "%s", e.body);
    e = api_exchange(&f, "POST /api/v1/query_range", "Content-Type: application/x-www-form-urlencoded\r\n",
                     "query=rate(requests_total[1m])&start=1699999900&end=1700000000&step=50&explain=true");
    cr_expect_not_null(strstr(e.body, "{\"resultType\":\"matrix\",\"result\":[],\"plan\":{\"steps\":3,"), "%s", e.body);
    e = api_exchange(&f, "GET /api/v1/query?query=sum(up)&explain=0", "", NULL);
    cr_expect_null(strstr(e.body, "plan"), "%s", e.body);
    api_fixture_close(&f);
}
