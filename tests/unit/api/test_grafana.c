/*
 * What Grafana's Prometheus data source sends, request by request, and what it reads from the answers.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "unit/api/api_fixture.h"

struct grafana_case {
    const char *why, *target, *form;
    const char *must[4]; /* texts that the body must hold */
};

static const struct grafana_case cases[] = {
    {"save & test",
     "POST /api/v1/query",
     "query=1%2B1&time=4",
     {"\"status\":\"success\"", "\"resultType\":\"scalar\"", "[4,\"2\"]"}},
    {"flavour", "GET /api/v1/status/buildinfo", NULL, {"\"status\":\"success\"", "\"version\":\"3.15.0\""}},
    {"recording rules", "GET /api/v1/rules", NULL, {"\"data\":{\"groups\":[]}"}},
    {"exemplars, times in milliseconds",
     "GET /api/v1/query_exemplars?query=test&start=1699998200000&end=1700000000000",
     NULL,
     {"\"status\":\"success\"", "\"data\":[]"}},
    {"metric names",
     "GET /api/v1/label/__name__/values?start=1699996400&end=1700000000&limit=40000",
     NULL,
     {"\"data\":[\"hist\",\"http.status\",\"requests_total\",\"up\"]"}},
    {"metric names that match",
     "GET /api/v1/label/__name__/values?start=1699996400&end=1700000000&limit=40000&match[]="
     "%7B__name__%3D~%22.*req.*%22%7D",
     NULL,
     {"\"data\":[\"requests_total\"]"}},
    {"label names",
     "POST /api/v1/labels",
     "start=1699996400&end=1700000000&limit=40000&match%5B%5D=up",
     {"\"data\":[\"__name__\",\"instance\",\"job\"]"}},
    {"label names, old way", "GET /api/v1/labels?start=1699996400&end=1700000000", NULL, {"\"instance\""}},
    {"label values",
     "GET /api/v1/label/instance/values?start=1699996400&end=1700000000&match[]=up",
     NULL,
     {"\"data\":[\"a\",\"b\"]"}},
    {"label values of a name that is no word",
     "GET /api/v1/label/U__a_2e_b/values?start=1699996400&end=1700000000",
     NULL,
     {"\"data\":[]"}},
    {"series",
     "POST /api/v1/series",
     "match%5B%5D=%7B__name__%21%3D%22%22%7D&start=1699996400&end=1700000000&limit=40000",
     {"{\"__name__\":\"up\",\"instance\":\"a\",\"job\":\"x\"}"}},
    {"metadata", "GET /api/v1/metadata?limit=40000", NULL, {"\"status\":\"success\",\"data\":{"}},
    {"range panel",
     "POST /api/v1/query_range",
     "query=sum%20by%20(path)%20(rate(requests_total%5B2m%5D))&start=1699999700&end=1700000000&step=60",
     {"\"resultType\":\"matrix\"", "\"metric\":{\"path\":\"/a\"}", "\"values\":[[1699999700,\"0.9999999999999999\"]"}},
    {"range panel with statistics",
     "POST /api/v1/query_range",
     "query=up&start=1699999700.5&end=1700000000.25&step=15&stats=all",
     {"\"stats\":{", "\"totalQueryableSamples\":"}},
    {"instant panel", "POST /api/v1/query", "query=up&time=1700000000.123", {"\"value\":[1700000000.123,\"1\"]"}},
    {"native histogram heat map",
     "POST /api/v1/query_range",
     "query=hist&start=1699999985&end=1700000000&step=15",
     {"\"histograms\":[[1699999985,{\"count\":\"4\",\"sum\":\"5\",\"buckets\":[["}},
    {"annotations",
     "POST /api/v1/query_range",
     "query=up%20%3D%3D%200&start=1699999700&end=1700000000&step=60",
     {"\"metric\":{\"__name__\":\"up\",\"instance\":\"b\",\"job\":\"x\"}"}},
    {"variable query_result()",
     "POST /api/v1/query",
     "query=count(up)&time=1700000000",
     {"\"value\":[1700000000,\"2\"]"}},
    {"alert list", "GET /api/v1/alerts", NULL, {"\"data\":{\"alerts\":[]}"}},
    {"alert rules of the UI",
     "GET /api/v1/rules?type=alert&exclude_alerts=true&group_limit=40",
     NULL,
     {"\"groups\":[]"}},
};

Test(api_grafana, every_request_of_the_data_source_gets_what_it_reads)
{
    struct api_fixture f;
    api_fixture_open(&f, NULL);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct grafana_case *c = &cases[i];
        struct exchange e = api_exchange(&f, c->target, "FromAlert: false\r\nX-Dashboard-UID: abc\r\n", c->form);
        cr_expect_eq(e.status, 200, "%s: %d %s", c->why, e.status, e.body);
        cr_expect(strstr(e.head, "Content-Type: application/json\r\n"), "%s: %s", c->why, e.head);
        for (size_t m = 0; m < sizeof c->must / sizeof *c->must && c->must[m]; m++)
            cr_expect(strstr(e.body, c->must[m]), "%s: no %s in %s", c->why, c->must[m], e.body);
    }
    api_fixture_close(&f);
}
