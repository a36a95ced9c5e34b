/* /federate: which form a client gets, names in it, and both forms. */
#include <criterion/criterion.h>
#include <string.h>

#include "api/federate.h"
#include "unit/api/api_fixture.h"

#define PROTOBUF "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited"

Test(federate, the_form_follows_the_accept_header)
{
    static const struct {
        const char *accept;
        bool protobuf;
        enum name_escape escape;
    } cases[] = {
        {"", false, ESCAPE_UNDERSCORES},
        {"*/*", false, ESCAPE_UNDERSCORES},
        {"text/plain", false, ESCAPE_UNDERSCORES},
        {"text/plain;version=0.0.4;escaping=dots", false, ESCAPE_DOTS},
        {"text/plain; version=0.0.4; escaping=values", false, ESCAPE_VALUES},
        {"text/plain;escaping=nothing", false, ESCAPE_UNDERSCORES},
        {"application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,text/plain;version=0.0.4;q=0.3", false,
         ESCAPE_NOT},
        {"text/plain;version=1.0.0;escaping=values;q=0.2,text/plain;version=0.0.4;escaping=dots;q=0.5", false,
         ESCAPE_DOTS},
        {PROTOBUF, true, ESCAPE_UNDERSCORES},
        {PROTOBUF ";escaping=allow-utf-8;q=0.7,text/plain;q=0.5", true, ESCAPE_NOT},
        {PROTOBUF ";q=0.4,text/plain;q=0.5", false, ESCAPE_UNDERSCORES},
        {"application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=text", false,
         ESCAPE_UNDERSCORES},
        {",;q=,;=;,", false, ESCAPE_UNDERSCORES},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct federate_format f = federate_negotiate(slice_str(cases[i].accept));
        cr_expect_eq(f.protobuf, cases[i].protobuf, "%s", cases[i].accept);
        cr_expect_eq(f.escape, cases[i].escape, "%s: %s", cases[i].accept, name_escape_text(f.escape));
    }
}

Test(federate, names_that_are_no_words_are_escaped_as_the_scheme_says)
{
    static const struct {
        const char *name, *by[4];
    } cases[] = {
        {"http_status", {"http_status", "http_status", "http_status", "http_status"}},
        {"http.status_x", {"http.status_x", "http_status_x", "http_dot_status__x", "U__http_2e_status__x"}},
        {"1\xc3\xa9:", {"1\xc3\xa9:", "__:", "____:", "U___31__e9_:"}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (unsigned e = 0; e < 4; e++) {
            struct buf out = {0};
            exposition_name(&out, slice_str(cases[i].name), (enum name_escape)e);
            cr_expect_str_eq(buf_cstr(&out), cases[i].by[e]);
            buf_deinit(&out);
        }
}

Test(federate, text_is_one_family_for_each_name)
{
    struct api_fixture f;
    api_fixture_open(&f, NULL);
    struct exchange e = api_exchange(&f, "GET /federate?match[]=up&match[]={__name__=~\"http.*|up|hist\"}",
                                     "Accept: text/plain;version=0.0.4;escaping=allow-utf-8\r\n", NULL);
    cr_expect_eq(e.status, 200);
    cr_expect(strstr(e.head, "Content-Type: text/plain; version=0.0.4; charset=utf-8; escaping=allow-utf-8\r\n"), "%s",
              e.head);
    cr_expect_str_eq(e.body, "# TYPE \"http.status\" untyped\n"
                             "{\"http.status\",code=\"200\",instance=\"\"} 7 1700000000000\n"
                             "# TYPE up untyped\n"
                             "up{instance=\"a\",job=\"x\"} 1 1700000000000\n"
                             "up{instance=\"b\",job=\"x\"} 0 1700000000000\n");
    e = api_exchange(&f, "GET /federate?match[]={\"http.status\"}", "Accept: text/plain;escaping=values\r\n", NULL);
    cr_expect_str_eq(
        e.body, "# TYPE U__http_2e_status untyped\nU__http_2e_status{code=\"200\",instance=\"\"} 7 1700000000000\n");
    e = api_exchange(&f, "GET /federate", "", NULL);
    cr_expect_eq(e.status, 200);
    cr_expect_str_eq(e.body, "");
    e = api_exchange(&f, "GET /federate?match[]=up{", "", NULL);
    cr_expect_eq(e.status, 400);
    api_fixture_close(&f);
}

Test(federate, protobuf_holds_native_histograms)
{
    static const char family[] = "\x0a\x04hist\x18\x04\x22";
    struct api_fixture f;
    struct http_reply reply;
    api_fixture_open(&f, NULL);
    int status = http_client_once(
        f.port, "GET /federate?match[]=hist HTTP/1.1\r\nHost: t\r\nConnection: close\r\nAccept: " PROTOBUF "\r\n\r\n",
        &reply);
    cr_assert_eq(status, 200);
    cr_assert(reply.body.len > 60 && reply.body.data[0] == reply.body.len - 1);
    cr_expect(memcmp(reply.body.data + 1, family, sizeof family - 1) == 0);
    http_reply_deinit(&reply);
    struct exchange e = api_exchange(&f, "GET /federate?match[]=hist", "Accept: " PROTOBUF "\r\n", NULL);
    cr_expect(strstr(e.head, "encoding=delimited; escaping=underscores\r\n"), "%s", e.head);
    api_fixture_close(&f);
}
