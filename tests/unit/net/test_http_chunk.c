/* The chunked transfer coding: data comes out, framing is bounded and strict. */
#include "net/http_chunk_internal.h"

#include <criterion/criterion.h>

#include "base/buf.h"
#include "lib/http_transcript.h"

#define HEAD "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: Chunked\r\n\r\n"

static const struct {
    const char *input, *outcome;
} cases[] = {
    {"0\r\n\r\n", "[0:] 0 params \nends in head, 0 bytes"},
    {"3\r\nabc\r\n0\r\n\r\n", "[3:abc] 1 params \nends in head, 0 bytes"},
    {"3\r\nabc\r\n00002\r\nde\r\n000\r\n\r\nGET", "[5:abcde] 1 params \nends in head, 3 bytes"},
    {"a\r\n0123456789\r\nB;x=y;z=\"w\"\r\n0123456789a\r\n0;last\r\n\r\n", "[21:01234567890123456789a]"},
    {"1\r\na\r\n0\r\nX-Trailer: v\r\nY: w\r\n\r\n", "[1:a] 1 params \nends in head, 0 bytes"},
    {"3\r\nab", "ends in body"},
    {"3\r\nabc\r\n0\r\n", "ends in body"},

    {"\r\n", "refused 400 malformed chunk size"},
    {"g\r\n", "refused 400 malformed chunk size"},
    {"-1\r\n", "refused 400 malformed chunk size"},
    {"0x1\r\na\r\n", "refused 400 malformed chunk size"},
    {" 1\r\na\r\n", "refused 400 malformed chunk size"},
    {"1 \r\na\r\n", "refused 400 malformed chunk size"},
    {"FFFFFFFFFFFFFFFFF\r\n", "refused 400 malformed chunk size"},
    {"FFFFFFFFFFFFFFFF\r\n", "refused 413"},
    {"1001\r\n", "refused 413"},
    {"1000\r\n", "ends in body"},
    {"1\na\r\n0\r\n\r\n", "refused 400 chunk line"},
    {"1;a\nb\r\n", "refused 400 chunk line"},
    {"1;a\x01\r\na\r\n", "refused 400 malformed chunk size"},
    {"1;a\rb\r\na\r\n", "refused 400 malformed chunk size"},
    {"1\r\nab\r\n", "refused 400 chunk data not followed"},
    {"1\r\na\n0\r\n\r\n", "refused 400 chunk data not followed"},
    {"1\r\na\rb", "refused 400 chunk data not followed"},
    {"0\r\nbad\r\n\r\n", "refused 400 header line without colon"},
    {"0\r\nA : b\r\n\r\n", "refused 400 malformed header name"},
    {"0\r\n\n", "refused 400 chunk line"},
};

static void run(struct buf *out, const char *body, const size_t *cuts, size_t count)
{
    struct buf in = {0};
    buf_str(&in, HEAD);
    buf_str(&in, body);
    buf_reset(out);
    http_transcript(buf_view(&in), cuts, count, out);
    buf_deinit(&in);
}

Test(http_chunk, decodes_or_refuses_every_case_in_every_cut)
{
    struct buf whole = {0}, cut = {0};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t len = sizeof HEAD - 1 + strlen(cases[i].input), all[512];
        run(&whole, cases[i].input, NULL, 0);
        cr_expect(strstr(buf_cstr(&whole), cases[i].outcome), "case %zu: %s", i, buf_cstr(&whole));
        for (size_t a = 0; a < len; a++)
            all[a] = a + 1;
        run(&cut, cases[i].input, all, len);
        cr_expect(slice_eq(buf_view(&whole), buf_view(&cut)), "case %zu byte by byte: %s", i, buf_cstr(&cut));
        for (size_t a = sizeof HEAD - 1; a < len; a++) {
            run(&cut, cases[i].input, &all[a], 1);
            cr_expect(slice_eq(buf_view(&whole), buf_view(&cut)), "case %zu cut at %zu", i, a);
        }
    }
    buf_deinit(&whole);
    buf_deinit(&cut);
}

static void repeat(struct buf *b, const char *text, size_t count)
{
    for (size_t i = 0; i < count; i++)
        buf_str(b, text);
}

Test(http_chunk, bounds_extensions_trailers_and_framing_as_a_whole)
{
    struct buf in = {0}, out = {0};
    buf_str(&in, "1;");
    repeat(&in, "x", 5000);
    run(&out, buf_cstr(&in), NULL, 0);
    cr_expect(strstr(buf_cstr(&out), "refused 400 chunk extension too long"));

    buf_reset(&in);
    buf_str(&in, "0\r\n");
    repeat(&in, "A: bbbbbbbbbbbbbbbb\r\n", 500);
    run(&out, buf_cstr(&in), NULL, 0);
    cr_expect(strstr(buf_cstr(&out), "refused 400 trailer fields too large"));

    buf_reset(&in);
    repeat(&in, "1;xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\r\na\r\n", 1000);
    run(&out, buf_cstr(&in), NULL, 0);
    cr_expect(strstr(buf_cstr(&out), "refused 400 too much chunk framing"));

    buf_reset(&in);
    repeat(&in, "1\r\na\r\n", 3000);
    buf_str(&in, "0\r\n\r\n");
    run(&out, buf_cstr(&in), NULL, 0);
    cr_expect(strstr(buf_cstr(&out), "[3000:aaa"), "one-byte chunks are fine");
    buf_deinit(&in);
    buf_deinit(&out);
}
