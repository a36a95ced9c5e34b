/* The whole server over real sockets: what a well-behaved client sees. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include "lib/http_client.h"
#include "lib/http_fixture.h"

/* Sends text and expects this status and body on an open connection. */
static void expect(struct http_client *c, const char *text, int status, const char *body)
{
    struct http_reply r;
    cr_assert(http_client_text(c, text));
    cr_assert(http_client_reply(c, strncmp(text, "HEAD", 4) == 0, &r), "no answer to %s", text);
    cr_expect_eq(r.status, status, "%s -> %d", text, r.status);
    cr_expect(slice_eq_str(buf_view(&r.body), body), "%s -> %s", text, buf_cstr(&r.body));
    http_reply_deinit(&r);
}

/* The same on a connection of its own. */
static void expect_once(unsigned port, const char *text, int status, const char *body)
{
    struct http_client c;
    cr_assert(http_client_open(&c, port));
    expect(&c, text, status, body);
    http_client_close(&c);
}

#define GET(path) "GET " path " HTTP/1.1\r\nHost: x\r\n\r\n"

Test(http_server, keeps_the_connection_and_answers_one_request_after_the_other)
{
    struct http_fixture f;
    struct http_client c;
    http_fixture_start(&f, NULL);
    cr_assert(http_client_open(&c, f.port));
    for (int i = 0; i < 3; i++) {
        expect(&c, GET("/hello"), 200, "hello");
        expect(&c, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc", 200, "abc");
        expect(&c,
               "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2;x\r\nab\r\n1\r\nc\r\n0\r\nT: "
               "v\r\n\r\n",
               200, "abc");
        expect(&c, "POST /deferred HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc", 200, "abc");
        expect(&c, GET("/label/job/values"), 200, "job");
        expect(&c, GET("/empty"), 204, "");
        expect(&c, GET("/nowhere"), 404, "404 page not found\n");
        expect(&c, GET("/echo"), 405, "Method Not Allowed\n");
        expect(&c, "OPTIONS /params HTTP/1.1\r\nHost: x\r\n\r\n", 204, "");
        expect(&c, "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", 204, "");
    }
    http_client_close(&c);
    cr_expect_eq(atomic_load(&http_server_stats(f.server)->requests), 30);
    cr_expect_eq(atomic_load(&http_server_stats(f.server)->connections), 1);
    http_fixture_stop(&f);
}

Test(http_server, writes_the_head_that_the_answer_needs)
{
    struct http_fixture f;
    struct http_client c;
    struct http_reply r;
    http_fixture_start(&f, NULL);
    cr_assert(http_client_open(&c, f.port));
    cr_assert(http_client_text(
        &c, "HEAD /hello HTTP/1.1\r\nHost: x\r\n\r\nHEAD /fixed?bytes=70000 HTTP/1.1\r\nHost: x\r\n\r\n"
            "HEAD /stream?bytes=100 HTTP/1.1\r\nHost: x\r\n\r\nHEAD /stream?bytes=99999 HTTP/1.1\r\n"
            "Host: x\r\n\r\n" GET("/empty") "FOO /params HTTP/1.1\r\nHost: x\r\n\r\n"));
    cr_assert(http_client_reply(&c, true, &r));
    cr_expect(slice_eq_str(http_reply_field(&r, "Content-Length"), "5"));
    cr_expect(slice_eq_str(http_reply_field(&r, "Content-Type"), "application/json"));
    cr_expect_eq(http_reply_field(&r, "Date").len, 29);
    cr_expect_eq(http_reply_field(&r, "Connection").len, 0);
    cr_assert(http_client_reply(&c, true, &r));
    cr_expect(slice_eq_str(http_reply_field(&r, "Content-Length"), "70000"));
    cr_expect(slice_eq_str(http_reply_field(&r, "Content-Type"), "text/plain; charset=utf-8"));
    cr_assert(http_client_reply(&c, true, &r));
    cr_expect(slice_eq_str(http_reply_field(&r, "Content-Length"), "100"));
    cr_assert(http_client_reply(&c, true, &r));
    cr_expect(slice_eq_str(http_reply_field(&r, "Transfer-Encoding"), "chunked"));
    cr_assert(http_client_reply(&c, false, &r));
    cr_expect_eq(r.status, 204);
    cr_expect_eq(http_reply_field(&r, "Content-Length").len, 0);
    cr_expect(slice_eq_str(http_reply_field(&r, "X-Evil"), "a  Set-Cookie: b"), "no header injection");
    cr_assert(http_client_reply(&c, false, &r));
    cr_expect_eq(r.status, 405);
    cr_expect(slice_eq_str(http_reply_field(&r, "Allow"), "GET, OPTIONS, POST"));
    http_reply_deinit(&r);
    http_client_close(&c);
    http_fixture_stop(&f);
}

Test(http_server, speaks_http_1_0)
{
    struct http_fixture f;
    struct http_client c;
    struct http_reply r;
    http_fixture_start(&f, NULL);
    cr_assert(http_client_open(&c, f.port));
    cr_assert(http_client_text(&c, "GET /hello HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"));
    cr_assert(http_client_reply(&c, false, &r));
    cr_expect(slice_eq_str(http_reply_field(&r, "Connection"), "keep-alive"));
    http_reply_deinit(&r);
    cr_assert(http_client_text(&c, "GET /stream?bytes=100000 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"));
    cr_assert(http_client_reply(&c, false, &r));
    cr_expect(r.close && !r.chunked, "the end of the connection ends the body");
    cr_expect_eq(r.body.len, 100000);
    http_reply_deinit(&r);
    http_client_close(&c);

    cr_assert(http_client_open(&c, f.port));
    expect(&c, "GET /hello HTTP/1.0\r\n\r\n", 200, "hello");
    cr_expect(http_client_at_end(&c));
    http_client_close(&c);
    http_fixture_stop(&f);
}

Test(http_server, closes_when_asked)
{
    struct http_fixture f;
    struct http_client c;
    http_fixture_start(&f, NULL);
    cr_assert(http_client_open(&c, f.port));
    expect(&c, "GET /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 200, "hello");
    cr_expect(http_client_at_end(&c));
    http_client_close(&c);
    http_fixture_stop(&f);
}

Test(http_server, answers_pipelined_requests_in_order)
{
    enum { COUNT = 1000 };
    struct http_fixture f;
    struct http_client c;
    struct http_reply r;
    struct buf in = {0};
    char want[16];
    http_fixture_start(&f, NULL);
    cr_assert(http_client_open(&c, f.port));
    for (int i = 0; i < COUNT; i++)
        buf_printf(&in, "GET /%s/%d/values HTTP/1.1\r\nHost: x\r\n\r\n", i % 7 ? "label" : "nowhere", i);
    buf_str(&in, GET("/stream?bytes=300000") GET("/hello"));
    cr_assert(http_client_send(&c, in.data, in.len));
    for (int i = 0; i < COUNT; i++) {
        cr_assert(http_client_reply(&c, false, &r), "answer %d", i);
        cr_expect_eq(r.status, i % 7 ? 200 : 404);
        snprintf(want, sizeof want, "%d", i);
        cr_expect(i % 7 == 0 || slice_eq_str(buf_view(&r.body), want), "answer %d", i);
        http_reply_deinit(&r);
    }
    cr_assert(http_client_reply(&c, false, &r));
    cr_expect_eq(r.body.len, 300000);
    http_reply_deinit(&r);
    cr_assert(http_client_reply(&c, false, &r));
    http_reply_deinit(&r);
    buf_deinit(&in);
    http_client_close(&c);
    http_fixture_stop(&f);
}

Test(http_server, reads_a_request_that_arrives_byte_by_byte)
{
    static const char text[] =
        "POST /echo?x=1 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
    struct http_fixture f;
    struct http_client c;
    struct http_reply r;
    http_fixture_start(&f, NULL);
    cr_assert(http_client_open(&c, f.port));
    for (size_t i = 0; i < sizeof text - 1; i++)
        cr_assert(http_client_send(&c, text + i, 1));
    cr_assert(http_client_reply(&c, false, &r));
    cr_expect(slice_eq_str(buf_view(&r.body), "abc"));
    http_reply_deinit(&r);
    http_client_close(&c);
    http_fixture_stop(&f);
}

Test(http_server, takes_bodies_of_every_size_up_to_the_limit)
{
    static const size_t sizes[] = {1, 60000, 65000, 65536, 65537, 300000, 1 << 20, 5000000, 32 << 20};
    struct http_fixture f;
    struct http_client c;
    struct http_reply r;
    struct buf body = {0};
    char head[128];
    http_fixture_start(&f, NULL);
    cr_assert(http_client_open(&c, f.port));
    for (unsigned i = 0; body.len < (32 << 20); i++)
        buf_le32(&body, i * 2654435761u);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        snprintf(head, sizeof head, "POST /deferred HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n\r\n", sizes[i]);
        cr_assert(http_client_text(&c, head) && http_client_send(&c, body.data, sizes[i]));
        cr_assert(http_client_reply(&c, false, &r), "%zu", sizes[i]);
        cr_expect(slice_eq(buf_view(&r.body), slice_of(body.data, sizes[i])), "%zu", sizes[i]);
        http_reply_deinit(&r);
    }
    cr_assert(http_client_text(&c, "POST /deferred HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"));
    for (size_t at = 0; at < 3000000; at += 30000) {
        snprintf(head, sizeof head, "%x\r\n", 30000);
        cr_assert(http_client_text(&c, head) && http_client_send(&c, body.data + at, 30000) &&
                  http_client_text(&c, "\r\n"));
    }
    cr_assert(http_client_text(&c, "0\r\n\r\n") && http_client_reply(&c, false, &r));
    cr_expect(slice_eq(buf_view(&r.body), slice_of(body.data, 3000000)));
    http_reply_deinit(&r);
    buf_deinit(&body);
    http_client_close(&c);
    http_fixture_stop(&f);
}

Test(http_server, asks_for_the_body_only_when_the_client_waits_and_the_body_is_welcome)
{
    struct http_fixture f;
    struct http_client c;
    struct http_reply r;
    http_fixture_start(&f, NULL);
    cr_assert(http_client_open(&c, f.port));
    cr_assert(
        http_client_text(&c, "POST /echo HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n"));
    cr_assert(http_client_reply(&c, true, &r));
    cr_expect_eq(r.status, 100);
    expect(&c, "abc", 200, "abc");
    expect(&c, "POST /echo HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabc", 200, "abc");
    expect(&c, "POST /echo HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 0\r\n\r\n", 200, "");
    expect(&c, "POST /small HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 101\r\n\r\n", 413,
           "body too large\n");
    cr_expect(http_client_at_end(&c));
    http_client_close(&c);
    http_fixture_stop(&f);
}

Test(http_server, merges_form_and_query_parameters_body_first)
{
    struct http_fixture f;
    http_fixture_start(&f, NULL);
#define FORM(type, query, length, body)                                                                                \
    "POST /params" query " HTTP/1.1\r\nHost: x\r\nContent-Type: " type "\r\nContent-Length: " length "\r\n\r\n" body
    expect_once(f.port, GET("/params?a=1&a=2"), 200, "yes 1 2 2");
    expect_once(f.port, GET("/params?b=1"), 200, "no  0 ");
    expect_once(f.port, FORM("application/x-www-form-urlencoded", "?a=q", "7", "a=b&b=1"), 200, "yes b 2 q");
    expect_once(f.port, FORM("Application/X-WWW-Form-urlencoded ; charset=utf-8", "?a=q", "3", "a=b"), 200,
                "yes b 2 q");
    expect_once(f.port, FORM("text/plain", "?a=q", "3", "a=b"), 200, "yes q 1 q");
    expect_once(f.port, GET("/params?a=%zz"), 400, "invalid URL escape \"%zz\"");
    expect_once(f.port, FORM("application/x-www-form-urlencoded", "?a=%zz", "4", "a=b;"), 400,
                "invalid semicolon separator in query");
    http_fixture_stop(&f);
}

static void inflate_all(struct slice in, int window, struct buf *out)
{
    z_stream z = {0};
    uint8_t *input = mem_alloc(in.len);
    memcpy(input, in.data, in.len);
    cr_assert_eq(inflateInit2(&z, window), Z_OK);
    z.next_in = input;
    z.avail_in = (unsigned)in.len;
    z.next_out = buf_reserve(out, 4 << 20);
    z.avail_out = 4 << 20;
    cr_expect_eq(inflate(&z, Z_FINISH), Z_STREAM_END);
    out->len = z.total_out;
    inflateEnd(&z);
    mem_free(input);
}

static void expect_compressed(unsigned port, const char *path, size_t bytes, const char *accept, const char *coding)
{
    struct http_client c;
    struct http_reply plain, r;
    char text[256];
    struct buf out = {0};
    cr_assert(http_client_open(&c, port));
    snprintf(text, sizeof text, "GET %s?bytes=%zu HTTP/1.1\r\nHost: x\r\n\r\n", path, bytes);
    cr_assert(http_client_text(&c, text) && http_client_reply(&c, false, &plain));
    cr_expect_eq(plain.body.len, bytes);
    snprintf(text, sizeof text, "GET %s?bytes=%zu HTTP/1.1\r\nHost: x\r\nAccept-Encoding: %s\r\n\r\n", path, bytes,
             accept);
    cr_assert(http_client_text(&c, text) && http_client_reply(&c, false, &r));
    cr_expect(slice_eq_str(http_reply_field(&r, "Content-Encoding"), coding), "%s %zu %s", path, bytes, accept);
    if (strcmp(coding, "gzip") == 0)
        inflate_all(buf_view(&r.body), MAX_WBITS + 16, &out);
    else if (strcmp(coding, "deflate") == 0)
        inflate_all(buf_view(&r.body), MAX_WBITS, &out);
    else if (strcmp(coding, "zstd") == 0) {
        ZSTD_DCtx *d = ZSTD_createDCtx();
        ZSTD_inBuffer from = {r.body.data, r.body.len, 0};
        ZSTD_outBuffer to = {buf_reserve(&out, 4 << 20), 4 << 20, 0};
        cr_expect_eq(ZSTD_decompressStream(d, &to, &from), 0);
        out.len = to.pos;
        ZSTD_freeDCtx(d);
    } else
        buf_slice(&out, buf_view(&r.body));
    cr_expect(slice_eq(buf_view(&plain.body), buf_view(&out)), "%s %zu %s", path, bytes, accept);
    cr_expect(*coding == 0 || r.body.len < bytes / 2);
    http_reply_deinit(&plain);
    http_reply_deinit(&r);
    buf_deinit(&out);
    http_client_close(&c);
}

Test(http_server, compresses_what_is_worth_it)
{
    struct http_fixture f;
    http_fixture_start(&f, NULL);
    static const char *const paths[] = {"/fixed", "/worker", "/stream"};
    static const size_t sizes[] = {1400, 30000, 70000, 3000000};
    for (size_t p = 0; p < 3; p++) {
        expect_compressed(f.port, paths[p], 1399, "gzip", "");
        for (size_t s = 0; s < 4; s++) {
            expect_compressed(f.port, paths[p], sizes[s], "gzip", "gzip");
            expect_compressed(f.port, paths[p], sizes[s], "deflate", "deflate");
            expect_compressed(f.port, paths[p], sizes[s], "zstd", "zstd");
            expect_compressed(f.port, paths[p], sizes[s], "br", "");
        }
    }
    expect_compressed(f.port, "/image", 5000, "gzip", "");
    expect_compressed(f.port, "/uncompressed", 5000, "gzip", "");
    http_fixture_stop(&f);
}

Test(http_server, undoes_the_encoding_of_bodies)
{
    struct http_fixture f;
    struct http_client c;
    struct http_reply r;
    static uint8_t text[2000000], packed[100000];
    http_fixture_start(&f, NULL);
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (uint8_t)(i / 100);
    static const size_t sizes[] = {10, 1000, 2000000}; /* the last is too much for a loop */
    static const char *const codings[] = {"gzip", "deflate", "zstd"};
    static const char *const paths[] = {"/echo", "/deferred", "/raw"};
    for (size_t i = 0; i < 27; i++) {
        const char *coding = codings[i % 3], *path = paths[i / 3 % 3];
        size_t bytes = sizes[i / 9], n;
        if (i % 3 == 2) {
            n = ZSTD_compress(packed, sizeof packed, text, bytes, 1);
        } else {
            z_stream z = {.next_in = text, .avail_in = (unsigned)bytes, .next_out = packed, .avail_out = sizeof packed};
            cr_assert_eq(deflateInit2(&z, 1, Z_DEFLATED, i % 3 ? MAX_WBITS : MAX_WBITS + 16, 8, 0), Z_OK);
            cr_assert_eq(deflate(&z, Z_FINISH), Z_STREAM_END);
            n = z.total_out;
            deflateEnd(&z);
        }
        char head[200];
        snprintf(head, sizeof head,
                 "POST %s HTTP/1.1\r\nHost: x\r\nContent-Encoding: %s\r\nContent-Length: %zu\r\n\r\n", path, coding, n);
        cr_assert(http_client_open(&c, f.port));
        cr_assert(http_client_text(&c, head) && http_client_send(&c, packed, n) && http_client_reply(&c, false, &r));
        struct slice want = i / 3 % 3 == 2 ? slice_of(packed, n) : slice_of(text, bytes);
        cr_expect(slice_eq(buf_view(&r.body), want), "%s %s %zu", path, coding, bytes);
        http_reply_deinit(&r);
        http_client_close(&c);
    }
    http_fixture_stop(&f);
}

Test(http_server, refuses_encodings_it_does_not_undo)
{
    struct http_fixture f;
    struct http_client c;
    struct http_reply r;
    http_fixture_start(&f, NULL);
#define ENCODED(path, coding)                                                                                          \
    "POST " path " HTTP/1.1\r\nHost: x\r\nContent-Encoding: " coding "\r\nContent-Length: 3\r\n\r\nabc"
    cr_assert(http_client_open(&c, f.port));
    cr_assert(http_client_text(&c, ENCODED("/echo", "br")) && http_client_reply(&c, false, &r));
    cr_expect_eq(r.status, 415);
    cr_expect(slice_eq_str(http_reply_field(&r, "Accept-Encoding"), "gzip, deflate, zstd"));
    http_reply_deinit(&r);
    http_client_close(&c);
    expect_once(f.port, ENCODED("/echo", "gzip, gzip"), 415, "Content-Encoding not supported\n");
    expect_once(f.port, ENCODED("/plain", "gzip"), 415, "Content-Encoding not supported\n");
    expect_once(f.port, ENCODED("/plain", "identity"), 200, "abc");
    expect_once(f.port, ENCODED("/echo", "gzip"), 400, "damaged gzip body: incorrect header check\n");
    expect_once(f.port, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Encoding: gzip\r\nContent-Length: 0\r\n\r\n", 200,
                "");
    http_fixture_stop(&f);
}

Test(http_server, spreads_connections_evenly_over_the_loops)
{
    struct http_fixture f;
    struct http_options o;
    struct http_client c[8];
    struct http_reply r;
    http_fixture_options(&f, &o);
    o.loops = 4;
    http_fixture_start(&f, &o);
    for (int i = 0; i < 8; i++) {
        cr_assert(http_client_open(&c[i], f.port));
        cr_assert(http_client_text(&c[i], GET("/park")));
        cr_assert(http_fixture_wait(&f.parked, i + 1));
    }
    int per_loop[4] = {0};
    for (int i = 0; i < 8; i++)
        per_loop[atomic_load(&f.parked_requests[i])->loop]++;
    for (int i = 0; i < 4; i++)
        cr_expect_eq(per_loop[i], 2);
    http_fixture_wake(&f);
    for (int i = 0; i < 8; i++) {
        cr_expect(http_client_reply(&c[i], false, &r) && slice_eq_str(buf_view(&r.body), "woken"));
        http_reply_deinit(&r);
        http_client_close(&c[i]);
    }
    http_fixture_stop(&f);
}

Test(http_server, dates_its_answers)
{
    static const struct {
        int64_t ms;
        const char *date;
    } cases[] = {
        {0, "Thu, 01 Jan 1970 00:00:00 GMT"},
        {784111777999, "Sun, 06 Nov 1994 08:49:37 GMT"},
        {951827696000, "Tue, 29 Feb 2000 12:34:56 GMT"},
        {951868800000, "Wed, 01 Mar 2000 00:00:00 GMT"},
        {1735689599000, "Tue, 31 Dec 2024 23:59:59 GMT"},
        {4107542400000, "Mon, 01 Mar 2100 00:00:00 GMT"},
    };
    struct http_fixture f;
    struct http_options o;
    struct http_client c;
    struct http_reply r;
    struct clock_fake clock;
    clock_fake_init(&clock, 0);
    http_fixture_options(&f, &o);
    o.clock = &clock.base;
    http_fixture_start(&f, &o);
    cr_assert(http_client_open(&c, f.port));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        atomic_store(&clock.ms, cases[i].ms);
        cr_assert(http_client_text(&c, GET("/hello")) && http_client_reply(&c, false, &r));
        cr_expect(slice_eq_str(http_reply_field(&r, "Date"), cases[i].date), "%.*s", SLICE_ARG(r.head));
        http_reply_deinit(&r);
    }
    http_client_close(&c);
    http_fixture_stop(&f);
}

/* Answers OPTIONS and what has no "key" parameter; looks at the form before its encoding is undone. */
static bool gate(struct http_request *r, void *ctx)
{
    bool present;
    (void)ctx;
    http_param_get(r, "key", &present);
    if (r->method != HTTP_OPTIONS && present)
        return false;
    http_header(r, "X-Gate", "shut");
    http_respond(r, r->method == HTTP_OPTIONS ? 204 : 401, (struct slice){0});
    return true;
}

Test(http_server, asks_the_before_hook_first)
{
    struct http_fixture f;
    struct http_options o;
    struct http_client c;
    struct http_reply r;
    static uint8_t form[] = "a=from+the+form";
    uint8_t packed[200];
    char head[300];
    http_fixture_options(&f, &o);
    o.before = gate;
    http_fixture_start(&f, &o);
    cr_assert(http_client_open(&c, f.port));
    expect(&c, GET("/hello?key=1"), 200, "hello");
    expect(&c, GET("/hello"), 401, "");
    expect(&c, GET("/nowhere"), 401, "");
    expect(&c, GET("/nowhere?key=1"), 404, "404 page not found\n");
    expect(&c, "OPTIONS /nowhere HTTP/1.1\r\nHost: x\r\n\r\n", 204, "");
    size_t n = ZSTD_compress(packed, sizeof packed, form, sizeof form - 1, 1);
    snprintf(head, sizeof head,
             "POST /params?key=1 HTTP/1.1\r\nHost: x\r\nContent-Encoding: zstd\r\nContent-Type: "
             "application/x-www-form-urlencoded\r\nContent-Length: %zu\r\n\r\n",
             n);
    cr_assert(http_client_text(&c, head) && http_client_send(&c, packed, n) && http_client_reply(&c, false, &r));
    cr_expect(slice_eq_str(buf_view(&r.body), "yes from the form 1 from the form"), "%s", buf_cstr(&r.body));
    http_reply_deinit(&r);
    cr_expect(http_fixture_wait(&f.answered, 6));
    http_client_close(&c);
    http_fixture_stop(&f);
}
