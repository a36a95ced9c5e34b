/* What surrounds the endpoints: aliases, methods, CORS, readiness, probes, own metrics, remote write refusals. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "unit/api/api_fixture.h"

#define EXPECT_STATUS(f, expected, target, headers, form)                                                              \
    do {                                                                                                               \
        struct exchange e_ = api_exchange(f, target, headers, form);                                                   \
        cr_expect_eq(e_.status, expected, "%s: %d %s", target, e_.status, e_.body);                                    \
    } while (0)

static bool head_has(const struct exchange *e, const char *line)
{
    return strstr(e->head, line) != NULL;
}

Test(api_http, every_path_also_lives_under_prometheus_and_the_route_prefix)
{
    struct api_fixture f;
    api_fixture_open(&f, NULL);
    EXPECT_STATUS(&f, 200, "GET /prometheus/api/v1/labels", "", NULL);
    EXPECT_STATUS(&f, 200, "GET /select/0/prometheus/api/v1/labels", "", NULL);
    EXPECT_STATUS(&f, 200, "GET /prometheus/-/healthy", "", NULL);
    EXPECT_STATUS(&f, 200, "GET /prometheus/api/v1/label/job/values", "", NULL);
    EXPECT_STATUS(&f, 404, "GET /prometheusapi/v1/labels", "", NULL);
    api_fixture_close(&f);
    api_fixture_open(&f, (const char *const[]){"web.route-prefix=/tsdb", NULL});
    EXPECT_STATUS(&f, 200, "GET /tsdb/api/v1/labels", "", NULL);
    EXPECT_STATUS(&f, 200, "GET /tsdb/prometheus/api/v1/labels", "", NULL);
    EXPECT_STATUS(&f, 404, "GET /api/v1/labels", "", NULL);
    struct exchange e = api_exchange(&f, "GET /", "", NULL);
    cr_expect(e.status == 302 && head_has(&e, "Location: /tsdb\r\n"));
    api_fixture_close(&f);
    static const char *const settings[][3] = {{"web.route-prefix=a/b/", NULL, "/a/b"},
                                              {"web.external-url=https://host:1/x/y/", NULL, "/x/y"},
                                              {"web.external-url=https://host:1/x?q", NULL, "/x"},
                                              {"web.external-url=/x/", NULL, "/x"},
                                              {"web.external-url=https://host:1", NULL, ""},
                                              {"web.external-url=https://host/x", "web.route-prefix=/", ""},
                                              {"web.external-url=https://host/x", "web.route-prefix=/y", "/y"}};
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
        char line[64];
        api_fixture_open(&f, (const char *const[]){settings[i][0], settings[i][1], NULL});
        snprintf(line, sizeof line, "GET %s/api/v1/labels", settings[i][2]);
        EXPECT_STATUS(&f, 200, line, "", NULL);
        api_fixture_close(&f);
    }
}

Test(api_http, unknown_paths_are_404_and_wrong_methods_405)
{
    struct api_fixture f;
    api_fixture_open(&f, NULL);
    EXPECT_STATUS(&f, 404, "GET /api/v1/nope", "", NULL);
    EXPECT_STATUS(&f, 404, "GET /nope", "", NULL);
    EXPECT_STATUS(&f, 405, "DELETE /api/v1/query", "", NULL);
    EXPECT_STATUS(&f, 405, "GET /api/v1/write", "", NULL);
    EXPECT_STATUS(&f, 405, "GET /api/v1/admin/tsdb/snapshot", "", NULL);
    EXPECT_STATUS(&f, 405, "GET /-/quit", "", NULL);
    struct exchange e = api_exchange(&f, "POST /api/v1/rules", "", "");
    cr_expect(e.status == 405 && head_has(&e, "Allow: "), "%s", e.head);
    api_fixture_close(&f);
}

Test(api_http, cors_answers_origins_that_match)
{
    struct api_fixture f;
    api_fixture_open(&f, NULL);
    struct exchange e = api_exchange(&f, "GET /api/v1/labels", "Origin: http://a\r\n", NULL);
    cr_expect(head_has(&e, "Access-Control-Allow-Origin: http://a\r\n"), "%s", e.head);
    cr_expect(head_has(&e, "Access-Control-Allow-Headers: Accept, Authorization, Content-Type, Origin\r\n"));
    cr_expect(head_has(&e, "Access-Control-Allow-Methods: GET, POST, OPTIONS\r\n"));
    cr_expect(head_has(&e, "Access-Control-Expose-Headers: Date\r\n"));
    cr_expect(head_has(&e, "Vary: Origin\r\n"));
    e = api_exchange(&f, "GET /api/v1/labels", "", NULL);
    cr_expect_not(head_has(&e, "Access-Control"));
    cr_expect(head_has(&e, "Vary: Origin\r\n"));
    e = api_exchange(&f, "OPTIONS /api/v1/anything", "Origin: http://a\r\n", NULL);
    cr_expect_eq(e.status, 204);
    cr_expect(head_has(&e, "Access-Control-Allow-Origin: http://a\r\n"));
    api_fixture_close(&f);
    api_fixture_open(&f, (const char *const[]){"web.cors.origin=https?://(a|b)", NULL});
    e = api_exchange(&f, "GET /api/v1/labels", "Origin: http://c\r\n", NULL);
    cr_expect_not(head_has(&e, "Access-Control-Allow-Origin"));
    cr_expect(head_has(&e, "Access-Control-Expose-Headers: Date\r\n"), "as Prometheus, all but the permission");
    e = api_exchange(&f, "GET /api/v1/nope", "Origin: https://b\r\n", NULL);
    cr_expect_not(head_has(&e, "Access-Control") || head_has(&e, "Vary: Origin"));
    e = api_exchange(&f, "GET /api/v1/labels", "Origin: https://b\r\n", NULL);
    cr_expect(head_has(&e, "Access-Control-Allow-Origin: https://b\r\n"));
    api_fixture_close(&f);
}

Test(api_http, settings_that_cannot_be_used_are_refused)
{
    static const char *const bad[][2] = {{"web.cors.origin", "("},
                                         {"web.route-prefix", "/a b"},
                                         {"web.route-prefix", "/a//b"},
                                         {"web.external-url", "http://a/b%20c"}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct config *c = config_new();
        struct metrics *m = metrics_new();
        struct errmsg why = {0};
        struct api *api;
        cr_assert_eq(config_set(c, bad[i][0], bad[i][1], &why), ERR_OK);
        struct api_options o = {.config = c, .metrics = m, .clock = clock_system(), .version = "", .revision = ""};
        cr_expect_eq(api_new(&o, &api, &why), ERR_INVALID);
        cr_expect(strstr(why.text, bad[i][0]) == why.text, "%s", why.text);
        metrics_free(m);
        config_free(c);
    }
}

Test(api_http, the_api_is_shut_until_ready_and_again_when_stopping)
{
    struct api_fixture f;
    api_fixture_open(&f, NULL);
    api_set_state(f.api, API_STARTING);
    struct exchange e = api_exchange(&f, "GET /api/v1/query?query=1", "", NULL);
    cr_expect(e.status == 503 && head_has(&e, "X-Prometheus-Stopping: false\r\n"), "%s", e.head);
    cr_expect_str_eq(e.body, "Service Unavailable");
    EXPECT_STATUS(&f, 503, "POST /api/v1/write", "Content-Type: application/x-protobuf\r\n", "x");
    EXPECT_STATUS(&f, 503, "GET /-/ready", "", NULL);
    EXPECT_STATUS(&f, 503, "GET /federate?match[]=up", "", NULL);
    EXPECT_STATUS(&f, 200, "GET /-/healthy", "", NULL);
    EXPECT_STATUS(&f, 200, "GET /health", "", NULL);
    EXPECT_STATUS(&f, 200, "GET /metrics", "", NULL);
    EXPECT_STATUS(&f, 200, "GET /api/v1/status/walreplay", "", NULL);
    api_set_state(f.api, API_REPLAYING);
    EXPECT_STATUS(&f, 503, "GET /-/ready", "", NULL);
    EXPECT_STATUS(&f, 200, "GET /api/v1/query?query=1", "", NULL);
    EXPECT_STATUS(&f, 503, "GET /federate?match[]=up", "", NULL); /* could not say that it is incomplete */
    EXPECT_STATUS(&f, 503, "POST /api/v1/read", "", "x");
    EXPECT_STATUS(&f, 503, "GET /api/v1/export?match[]=up", "", NULL);
    api_set_state(f.api, API_READY);
    EXPECT_STATUS(&f, 200, "GET /-/ready", "", NULL);
    EXPECT_STATUS(&f, 200, "GET /api/v1/query?query=1", "", NULL);
    api_set_state(f.api, API_STOPPING);
    e = api_exchange(&f, "GET /api/v1/query?query=1", "", NULL);
    cr_expect(e.status == 503 && head_has(&e, "X-Prometheus-Stopping: true\r\n"), "%s", e.head);
    api_fixture_close(&f);
}

Test(api_http, probes_answer_in_the_words_of_their_server)
{
    struct api_fixture f;
    api_fixture_open(&f, NULL);
    struct exchange e = api_exchange(&f, "GET /-/healthy", "", NULL);
    cr_expect_str_eq(e.body, "Gnomon is Healthy.\n");
    e = api_exchange(&f, "GET /-/ready", "", NULL);
    cr_expect_str_eq(e.body, "Gnomon is Ready.\n");
    e = api_exchange(&f, "GET /health", "", NULL);
    cr_expect_str_eq(e.body, "OK");
    EXPECT_STATUS(&f, 200, "HEAD /-/healthy", "", NULL);
    EXPECT_STATUS(&f, 204, "GET /ping", "", NULL);
    EXPECT_STATUS(&f, 200, "GET /ping?verbose=true", "", NULL);
    e = api_exchange(&f, "GET /", "", NULL);
    cr_expect(e.status == 200 && strstr(e.body, "<h1>Gnomon</h1>") && head_has(&e, "Content-Type: text/html"));
    api_fixture_close(&f);
}

static void note_quit(void *ctx)
{
    *(int *)ctx += 1;
}

Test(api_http, lifecycle_calls_need_their_switch)
{
    struct api_fixture f;
    api_fixture_open(&f, NULL);
    struct exchange e = api_exchange(&f, "POST /-/quit", "", "");
    cr_expect(e.status == 403 && !strcmp(e.body, "Lifecycle API is not enabled."));
    EXPECT_STATUS(&f, 403, "POST /-/reload", "", "");
    api_fixture_close(&f);
    (void)note_quit;
    api_fixture_open(&f, (const char *const[]){"web.enable-lifecycle=true", NULL});
    EXPECT_STATUS(&f, 200, "PUT /-/reload", "", "");
    api_fixture_close(&f);
}

Test(api_http, own_metrics_count_answers_by_handler_and_status)
{
    struct api_fixture f;
    api_fixture_open(&f, NULL);
    EXPECT_STATUS(&f, 200, "GET /prometheus/api/v1/label/job/values", "", NULL);
    EXPECT_STATUS(&f, 400, "GET /api/v1/query?time=x", "", NULL);
    EXPECT_STATUS(&f, 404, "GET /nope", "", NULL);
    struct exchange e = api_exchange(&f, "GET /metrics", "", NULL);
    cr_expect(head_has(&e, "Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n"), "%s", e.head);
    static const char *const lines[] = {
        "prometheus_http_requests_total{handler=\"/api/v1/label/:name/values\",code=\"200\"} 1\n",
        "prometheus_http_requests_total{handler=\"/api/v1/query\",code=\"400\"} 1\n",
        "prometheus_http_requests_total{handler=\"other\",code=\"404\"} 1\n",
        "vm_http_request_errors_total{path=\"/api/v1/query\"} 1\n",
        "vm_app_version{version=\"victoria-metrics-compatible-gnomon-1.2.3\",short_version=\"1.2.3\"} 1\n",
        "gnomon_build_info{version=\"1.2.3\",revision=\"abcdef\"} 1\n",
        "prometheus_engine_queries_concurrent_max 20\n",
        "flag{name=\"query.timeout\",value=\"2m\",is_set=\"false\"} 1\n",
    };
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        cr_expect(strstr(e.body, lines[i]), "%s", lines[i]);
    e = api_exchange(&f, "GET /metrics", "Accept: application/openmetrics-text;version=1.0.0\r\n", NULL);
    cr_expect(head_has(&e, "Content-Type: application/openmetrics-text; version=1.0.0; charset=utf-8\r\n"));
    size_t n = strlen(e.body);
    cr_expect(n > 6 && !strcmp(e.body + n - 6, "# EOF\n"));
    api_fixture_close(&f);
}

Test(api_write, types_and_encodings_that_are_not_taken_are_415_with_their_name)
{
    static const struct {
        const char *headers, *text;
    } cases[] = {
        {"Content-Type: image/png\r\n",
         "expected application/x-protobuf as the first (media) part, got image/png content-type\n"},
        {"Content-Type: application/json\r\n",
         "expected application/x-protobuf as the first (media) part, got application/json content-type\n"},
        {"Content-Type: ;;\r\n", "expected application/x-protobuf as the first (media) part, got ;; content-type\n"},
        {"Content-Type: application/x-protobuf;proto=io.prometheus.write.v3.Request\r\n",
         "got application/x-protobuf;proto=io.prometheus.write.v3.Request content type; remote write protobuf message "
         "io.prometheus.write.v3.Request is not accepted by this server, supported: "
         "io.prometheus.write.v2.Request,prometheus.WriteRequest\n"},
        {"Content-Type: application/x-protobuf;proto\r\n",
         "as per https://www.rfc-editor.org/rfc/rfc9110#parameter expected parameters to be key-values, got proto in "
         "application/x-protobuf;proto content-type\n"},
        {"Content-Type: application/x-protobuf\r\nContent-Encoding: gzip\r\n",
         "gzip encoding (compression) is not accepted by this server; only snappy is acceptable\n"},
        {"Content-Type: application/x-protobuf\r\nContent-Encoding: deflate\r\n",
         "deflate encoding (compression) is not accepted by this server; only snappy is acceptable\n"},
    };
    struct api_fixture f;
    api_fixture_open(&f, NULL);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct exchange e = api_exchange(&f, "POST /api/v1/write", cases[i].headers, "x");
        cr_expect_eq(e.status, 415, "%s: %d", cases[i].headers, e.status);
        cr_expect_str_eq(e.body, cases[i].text);
    }
    struct exchange e = api_exchange(&f, "POST /api/v1/push", "Content-Type: application/x-protobuf\r\n", "x");
    cr_expect(e.status == 503 && head_has(&e, "Retry-After: 1\r\n"), "no store yet: the sender comes again");
    api_fixture_close(&f);
}

Test(api_federate, shows_the_newest_samples_by_family)
{
    struct api_fixture f;
    api_fixture_open(&f, NULL);
    struct exchange e =
        api_exchange(&f, "GET /federate?match[]=up&match[]={__name__=~%22up|requests_total|http.*%22}", "", NULL);
    cr_expect_str_eq(e.body, "# TYPE http_status untyped\n"
                             "http_status{code=\"200\",instance=\"\"} 7 1700000000000\n"
                             "# TYPE requests_total untyped\n"
                             "requests_total{path=\"/<b>\",instance=\"\"} 160 1700000000000\n"
                             "requests_total{path=\"/a\",instance=\"\"} 600 1700000000000\n"
                             "# TYPE up untyped\n"
                             "up{instance=\"a\",job=\"x\"} 1 1700000000000\n"
                             "up{instance=\"b\",job=\"x\"} 0 1700000000000\n");
    cr_expect(head_has(&e, "Content-Type: text/plain; version=0.0.4; charset=utf-8; escaping=underscores\r\n"));
    e = api_exchange(&f, "GET /federate?match[]={code=%22200%22}",
                     "Accept: text/plain;version=1.0.0;escaping=allow-utf-8\r\n", NULL);
    cr_expect_str_eq(e.body, "# TYPE \"http.status\" untyped\n"
                             "{\"http.status\",code=\"200\",instance=\"\"} 7 1700000000000\n");
    e = api_exchange(&f, "GET /federate", "", NULL);
    cr_expect(e.status == 200 && !*e.body);
    e = api_exchange(&f, "GET /federate?match[]=up[", "", NULL);
    cr_expect(e.status == 400 && !strcmp(e.body, "1:3: parse error: unexpected \"[\"\n"), "%s", e.body);
    api_fixture_close(&f);
}
