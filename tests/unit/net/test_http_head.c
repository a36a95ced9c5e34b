/* Request heads: what is accepted, what is refused and why, whatever way the bytes arrive. */
#include "net/http_head_internal.h"

#include <criterion/criterion.h>

#include "base/buf.h"
#include "lib/http_transcript.h"

/* Runs a stream in one piece and returns the transcript. */
static const char *transcript(struct buf *out, const char *text, size_t len)
{
    buf_reset(out);
    http_transcript(slice_of(text, len), NULL, 0, out);
    return buf_cstr(out);
}

static bool refuses(const char *text, const char *what)
{
    struct buf out = {0};
    bool same = strstr(transcript(&out, text, strlen(text)), what) != NULL;
    if (!same)
        cr_log_error("%s -> %s instead of %s", text, buf_cstr(&out), what);
    buf_deinit(&out);
    return same;
}

#define H "Host: x\r\n"
static const struct {
    const char *input, *outcome; /* outcome: part of the transcript */
} cases[] = {
    {"GET / HTTP/1.1\r\n" H "\r\n", "request 1 1.1 keep=1"},
    {"\r\n\r\nGET / HTTP/1.1\r\n" H "\r\n", "request 1 1.1"},
    {"GET / HTTP/1.2\r\n" H "\r\n", "request 1 1.1"},
    {"GET / HTTP/1.0\r\n\r\n", "request 1 1.0 keep=0"},
    {"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", "request 1 1.0 keep=1"},
    {"GET / HTTP/1.1\r\n" H "Connection: foo , CLOSE\r\n\r\n", "keep=0"},
    {"GET / HTTP/1.1\r\n" H "Connection: keep-alive, close\r\n\r\n", "keep=0"},
    {"FOO /x HTTP/1.1\r\n" H "\r\n", "request 0 1.1"},
    {"get /x HTTP/1.1\r\n" H "\r\n", "request 0 1.1"},
    {"GET /a%20b?q=%20 HTTP/1.1\r\n" H "\r\n", "[4:/a b] [5:q=%20]"},
    {"GET //a///b HTTP/1.1\r\n" H "\r\n", "[4:/a/b]"},
    {"GET /?a?b HTTP/1.1\r\n" H "\r\n", "[1:/] [3:a?b]"},
    {"GET /x?query=up{a=\"b\"} HTTP/1.1\r\n" H "\r\n", "[15:query=up{a=\"b\"}]"},
    {"GET /\xc3\xa9 HTTP/1.1\r\n" H "\r\n", "[3:/\xc3\xa9]"},
    {"GET http://x/y?z HTTP/1.1\r\n" H "\r\n", "[2:/y] [1:z]"},
    {"GET HTTP://X HTTP/1.1\r\n" H "\r\n", "[1:/]"},
    {"GET http://x?z HTTP/1.1\r\n" H "\r\n", "[1:/] [1:z]"},
    {"OPTIONS * HTTP/1.1\r\n" H "\r\n", "request 32 1.1"},
    {"GET / HTTP/1.1\r\n" H "A:\r\nB: \t c d \t\r\n\r\n", "[1:A] [0:] [1:B] [3:c d]"},
    {"GET / HTTP/1.1\r\n" H "A: caf\xc3\xa9\r\n\r\n", "[1:A] [5:caf\xc3\xa9]"},
    {"GET / HTTP/1.1\r\nHost:\r\n\r\n", "request 1 1.1"},
    {"GET / HTTP/1.1\r\nHost: [::1]:8428\r\n\r\n", "request 1 1.1"},
    {"GET /..%2f HTTP/1.1\r\n" H "\r\n", "dots=1"},
    {"GET /a/%2e HTTP/1.1\r\n" H "\r\n", "dots=1"},
    {"GET /..;/x HTTP/1.1\r\n" H "\r\n", "dots=0 [6:/..;/x]"},
    {"GET /a..b/.c HTTP/1.1\r\n" H "\r\n", "dots=0"},
    {"POST / HTTP/1.1\r\n" H "Content-Length: 3\r\n\r\nabcGET / HTTP/1.1\r\n" H "\r\n", "[3:abc] 1 params \nrequest 1"},
    {"POST / HTTP/1.1\r\n" H "Content-Length: 0005\r\n\r\nabcde", "[5:abcde]"},
    {"POST / HTTP/1.1\r\n" H "Expect: 100-Continue\r\nContent-Length: 1\r\n\r\nx", "expect=1"},
    {"POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\nx", "expect=0"},
    {"POST / HTTP/1.1\r\n" H "Content-Length: 9\r\n\r\nabc", "ends in body"},
    {"GET / HTTP/1.1\r\n" H, "ends in head"},
    {"\r\n", "ends in head"},

    {"\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\nGET / HTTP/1.1\r\n" H "\r\n", "refused 400"},
    {"\n", "refused 400 line does not end"},
    {"GET / HTTP/1.1\n" H "\r\n", "refused 400 line does not end"},
    {"GET / HTTP/1.1\r\nHost: x\n\r\n", "refused 400 line does not end"},
    {"GET / HTTP/1.1\r\nHost: x\r\n\n", "refused 400 line does not end"},
    {"GET / HTTP/1.1\r\nHost: x\ry\r\n\r\n", "refused 400 control"},
    {"\x16\x03\x01", "refused 400 malformed request line"},
    {" / HTTP/1.1\r\n" H "\r\n", "refused 400 malformed request line"},
    {"GET  HTTP/1.1\r\n" H "\r\n", "refused 400 malformed request line"},
    {"GET /\r\n" H "\r\n", "refused 400 malformed request line"},
    {"GET /  HTTP/1.1\r\n" H "\r\n", "refused 400 malformed HTTP version"},
    {"GET / HTTP/1.1 \r\n" H "\r\n", "refused 400 malformed HTTP version"},
    {"GET\t/ HTTP/1.1\r\n" H "\r\n", "refused 400"},
    {"GET / http/1.1\r\n" H "\r\n", "refused 400 malformed HTTP version"},
    {"GET / HTTP/0.9\r\n" H "\r\n", "refused 505"},
    {"GET / HTTP/3.0\r\n" H "\r\n", "refused 505"},
    {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "refused 400 HTTP/2"},
    {"G(T / HTTP/1.1\r\n" H "\r\n", "refused 400 malformed method"},
    {"ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFG / HTTP/1.1\r\n" H "\r\n", "refused 400 malformed method"},
    {"CONNECT x:80 HTTP/1.1\r\n" H "\r\n", "refused 405"},
    {"GET x HTTP/1.1\r\n" H "\r\n", "refused 400 malformed request target"},
    {"GET x:80 HTTP/1.1\r\n" H "\r\n", "refused 400 malformed request target"},
    {"GET * HTTP/1.1\r\n" H "\r\n", "refused 400 malformed request target"},
    {"GET /a\x01 HTTP/1.1\r\n" H "\r\n", "refused 400 malformed request target"},
    {"GET /a#b HTTP/1.1\r\n" H "\r\n", "refused 400 malformed request target"},
    {"GET http:///x HTTP/1.1\r\n" H "\r\n", "refused 400 malformed request target"},
    {"GET http://u@x/ HTTP/1.1\r\n" H "\r\n", "refused 400 malformed request target"},
    {"GET http://evil/ HTTP/1.1\r\n" H "\r\n", "refused 400 Host is not"},
    {"GET ftp://x/ HTTP/1.1\r\n" H "\r\n", "refused 400 malformed request target"},
    {"GET /%zz HTTP/1.1\r\n" H "\r\n", "refused 400 bad percent"},
    {"GET /% HTTP/1.1\r\n" H "\r\n", "refused 400 bad percent"},
    {"GET /%4 HTTP/1.1\r\n" H "\r\n", "refused 400 bad percent"},
    {"GET /%00 HTTP/1.1\r\n" H "\r\n", "refused 400 bad percent"},
    {"GET /%c0%ae HTTP/1.1\r\n" H "\r\n", "refused 400 bad percent"},
    {"GET / HTTP/1.1\r\nno colon\r\n" H "\r\n", "refused 400 header line without colon"},
    {"GET / HTTP/1.1\r\n" H "A: b\r\n c\r\n\r\n", "refused 400 line folding"},
    {"GET / HTTP/1.1\r\n " H "\r\n", "refused 400 line folding"},
    {"GET / HTTP/1.1\r\nHost : x\r\n\r\n", "refused 400 malformed header name"},
    {"GET / HTTP/1.1\r\n: x\r\n" H "\r\n", "refused 400 malformed header name"},
    {"GET / HTTP/1.1\r\n" H "A: b\x01\r\n\r\n", "refused 400 control"},
    {"GET / HTTP/1.1\r\n" H "A: b\x7f\r\n\r\n", "refused 400 control"},
    {"GET / HTTP/1.1\r\n\r\n", "refused 400 missing Host"},
    {"GET / HTTP/1.1\r\n" H H "\r\n", "refused 400 more than one Host"},
    {"GET / HTTP/1.1\r\nHost: x y\r\n\r\n", "refused 400 malformed Host"},
    {"GET / HTTP/1.1\r\nHost: x/y\r\n\r\n", "refused 400 malformed Host"},
    {"POST / HTTP/1.1\r\n" H "Content-Length: -1\r\n\r\n", "refused 400 malformed Content-Length"},
    {"POST / HTTP/1.1\r\n" H "Content-Length: +5\r\n\r\n", "refused 400 malformed Content-Length"},
    {"POST / HTTP/1.1\r\n" H "Content-Length: 5,5\r\n\r\n", "refused 400 malformed Content-Length"},
    {"POST / HTTP/1.1\r\n" H "Content-Length: 0x10\r\n\r\n", "refused 400 malformed Content-Length"},
    {"POST / HTTP/1.1\r\n" H "Content-Length: 5 5\r\n\r\n", "refused 400 malformed Content-Length"},
    {"POST / HTTP/1.1\r\n" H "Content-Length:\r\n\r\n", "refused 400 malformed Content-Length"},
    {"POST / HTTP/1.1\r\n" H "Content-Length: 18446744073709551616\r\n\r\n", "refused 400 malformed Content-Length"},
    {"POST / HTTP/1.1\r\n" H "Content-Length: 99999\r\n\r\n", "refused 413"},
    {"POST / HTTP/1.1\r\n" H "Content-Length: 5\r\nContent-Length: 6\r\n\r\n", "refused 400 more than one"},
    {"POST / HTTP/1.1\r\n" H "Content-Length: 5\r\nContent-Length: 5\r\n\r\n", "refused 400 more than one"},
    {"POST / HTTP/1.1\r\n" H "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", "refused 400 both"},
    {"POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n", "refused 400 both"},
    {"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", "refused 400 Transfer-Encoding in HTTP/1.0"},
    {"POST / HTTP/1.1\r\n" H "Transfer-Encoding: xchunked\r\n\r\n", "refused 501"},
    {"POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked, gzip\r\n\r\n", "refused 501"},
    {"POST / HTTP/1.1\r\n" H "Transfer-Encoding: gzip, chunked\r\n\r\n", "refused 501"},
    {"POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", "refused 501"},
    {"POST / HTTP/1.1\r\n" H "Transfer-Encoding:\r\n\r\n", "refused 501"},
    {"GET / HTTP/1.1\r\n" H "Expect: banana\r\n\r\n", "refused 417"},
    {"GET / HTTP/1.1\r\n" H "Content-Encoding: gzip\r\nContent-Encoding: gzip\r\n\r\n", "refused 415"},
};

Test(http_head, understands_or_refuses_every_case_of_the_table)
{
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        cr_expect(refuses(cases[i].input, cases[i].outcome), "case %zu", i);
}

Test(http_head, understands_the_same_however_the_bytes_are_cut)
{
    struct buf whole = {0}, cut = {0};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t len = strlen(cases[i].input), all[512];
        transcript(&whole, cases[i].input, len);
        struct slice in = slice_of(cases[i].input, len);
        for (size_t a = 0; a < len; a++)
            all[a] = a + 1;
        buf_reset(&cut);
        http_transcript(in, all, len, &cut);
        cr_expect(slice_eq(buf_view(&whole), buf_view(&cut)), "case %zu byte by byte: %s", i, buf_cstr(&cut));
        for (size_t a = 0; a < len; a++) {
            buf_reset(&cut);
            http_transcript(in, &all[a], 1, &cut);
            cr_expect(slice_eq(buf_view(&whole), buf_view(&cut)), "case %zu cut at %zu", i, a + 1);
        }
    }
    buf_deinit(&whole);
    buf_deinit(&cut);
}

Test(http_head, refuses_a_nul_anywhere)
{
    static const char head[] = "GET /a HTTP/1.1\r\nHost: x\r\nA: b\r\n\r\n";
    struct buf out = {0};
    for (size_t i = 0; i < sizeof head - 1; i++) {
        char bytes[sizeof head];
        memcpy(bytes, head, sizeof head);
        bytes[i] = 0;
        cr_expect(strncmp(transcript(&out, bytes, sizeof head - 1), "request ", 8) != 0, "at %zu", i);
    }
    buf_deinit(&out);
}

Test(http_head, is_bounded_in_bytes_and_fields)
{
    struct buf in = {0}, out = {0};
    buf_str(&in, "GET /");
    for (int i = 0; i < 3000; i++)
        buf_str(&in, "a");
    cr_expect(strstr(transcript(&out, buf_cstr(&in), in.len), "refused 414"));

    buf_reset(&in);
    buf_str(&in, "GET / HTTP/1.1\r\nHost: x\r\nA: ");
    for (int i = 0; i < 3000; i++)
        buf_str(&in, "a");
    cr_expect(strstr(transcript(&out, buf_cstr(&in), in.len), "refused 431 header fields too large"));

    for (int fields = 99; fields <= 101; fields++) {
        buf_reset(&in);
        buf_str(&in, "GET / HTTP/1.1\r\nHost: x\r\n");
        for (int i = 1; i < fields; i++)
            buf_str(&in, "A: b\r\n");
        buf_str(&in, "\r\n");
        const char *want = fields <= HTTP_HEADERS_MAX ? "request" : "refused 431 too many header fields";
        cr_expect(strstr(transcript(&out, buf_cstr(&in), in.len), want), "%d fields", fields);
    }
    buf_deinit(&in);
    buf_deinit(&out);
}
