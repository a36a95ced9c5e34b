/* Content codings: which one, there and back, and what a hostile body costs. */
#include <criterion/criterion.h>
#include <zlib.h>
#include <zstd.h>

#include "net/http_decode_internal.h"

Test(http_coding, chooses_by_weight_then_by_the_clients_order)
{
    static const struct {
        const char *accept;
        enum http_coding coding;
    } cases[] = {
        {"", HTTP_IDENTITY},
        {"gzip", HTTP_GZIP},
        {"GZIP", HTTP_GZIP},
        {"x-gzip", HTTP_GZIP},
        {"deflate, gzip", HTTP_DEFLATE},
        {"gzip, deflate, br", HTTP_GZIP},
        {"br, zstd, gzip", HTTP_ZSTD},
        {"br", HTTP_IDENTITY},
        {"gzip;q=0", HTTP_IDENTITY},
        {"gzip;q=0, *;q=9x", HTTP_IDENTITY},
        {"gzip; q=0.5, zstd; q=0.8", HTTP_ZSTD},
        {"gzip;q=0.5,deflate;q=0.5", HTTP_GZIP},
        {"gzip;q=0.501,deflate;q=0.5", HTTP_GZIP},
        {"gzip;q=1.000", HTTP_GZIP},
        {"gzip;q=1.001", HTTP_IDENTITY},
        {"gzip;q=2", HTTP_IDENTITY},
        {"gzip;q=", HTTP_IDENTITY},
        {"gzip;q=-1", HTTP_IDENTITY},
        {"gzip;q=0.0001", HTTP_IDENTITY},
        {"*", HTTP_GZIP},
        {"*;q=0", HTTP_IDENTITY},
        {"gzip;q=0, *", HTTP_IDENTITY},
        {"deflate;q=0.3, *;q=0.7", HTTP_GZIP},
        {"identity, gzip;q=0.5", HTTP_IDENTITY},
        {"identity;q=0.5, gzip", HTTP_GZIP},
        {",,gzip,,", HTTP_GZIP},
        {";q=1,gzip", HTTP_GZIP},
        {"gzip;foo=bar;q=0.1, deflate;q=0.2", HTTP_DEFLATE},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        cr_expect_eq(http_coding_choose(slice_str(cases[i].accept)), cases[i].coding, "%s", cases[i].accept);
}

static void sample(struct buf *out, size_t bytes)
{
    for (unsigned i = 0; out->len < bytes; i++)
        buf_printf(out, "{\"metric\":\"m%u\",\"value\":[%u,\"%u\"]},", i * 2654435761u % 1000, i, i * 7919u);
    out->len = bytes;
}

static void encode(enum http_coding coding, struct slice in, size_t step, struct buf *out)
{
    struct http_encoder *e = http_encoder_new(coding);
    for (size_t at = 0; at < in.len; at += step) {
        size_t n = in.len - at < step ? in.len - at : step;
        cr_assert(http_encoder_feed(e, slice_of(in.data + at, n), false, out));
    }
    cr_assert(http_encoder_feed(e, (struct slice){0}, true, out));
    http_encoder_free(e);
}

/* Decodes in steps of `pause` output bytes. */
static enum err decode(enum http_coding coding, struct slice in, uint64_t max, size_t pause, struct buf *out,
                       struct errmsg *why)
{
    struct mem_budget budget = {.name = "test", .limit = 64 << 20};
    struct http_decoder *d = http_decoder_new(coding, in, max, &budget);
    bool done = false;
    enum err err = ERR_OK;
    for (size_t until = pause; err == ERR_OK && !done; until += pause)
        err = http_decoder_run(d, until, &done, why);
    if (err == ERR_OK)
        buf_slice(out, http_decoder_output(d));
    cr_expect(budget.peak <= (int64_t)max + 1, "peak %ld", (long)budget.peak);
    http_decoder_free(d);
    cr_expect_eq(budget.used, 0);
    return err;
}

Test(http_coding, gives_back_what_was_encoded)
{
    static const enum http_coding codings[] = {HTTP_GZIP, HTTP_DEFLATE, HTTP_ZSTD};
    static const size_t sizes[] = {1, 1000, 65536, 300000};
    for (size_t c = 0; c < 3; c++)
        for (size_t s = 0; s < 4; s++) {
            struct buf in = {0}, encoded = {0}, out = {0};
            struct errmsg why = {{0}};
            sample(&in, sizes[s]);
            encode(codings[c], buf_view(&in), 7777, &encoded);
            cr_expect(sizes[s] < 1000 || encoded.len < in.len / 2);
            enum err err = decode(codings[c], buf_view(&encoded), sizes[s], 10000, &out, &why);
            cr_expect_eq(err, ERR_OK, "%s", why.text);
            cr_expect(slice_eq(buf_view(&in), buf_view(&out)));
            cr_expect_eq(decode(codings[c], buf_view(&encoded), sizes[s] - 1, SIZE_MAX / 2, &out, &why), ERR_LIMIT);
            buf_deinit(&in);
            buf_deinit(&encoded);
            buf_deinit(&out);
        }
}

Test(http_coding, reads_raw_deflate_and_members_and_frames_in_a_row)
{
    struct buf in = {0}, encoded = {0}, out = {0};
    struct errmsg why = {{0}};
    sample(&in, 5000);
    static const enum http_coding joined[] = {HTTP_GZIP, HTTP_ZSTD};
    for (size_t c = 0; c < 2; c++) {
        buf_reset(&encoded);
        buf_reset(&out);
        encode(joined[c], slice_of(in.data, 2000), 500, &encoded);
        encode(joined[c], slice_of(in.data + 2000, 3000), 3000, &encoded);
        cr_expect_eq(decode(joined[c], buf_view(&encoded), 5000, SIZE_MAX / 2, &out, &why), ERR_OK, "%s", why.text);
        cr_expect(slice_eq(buf_view(&in), buf_view(&out)));
    }
    uint8_t raw[8192];
    z_stream z = {0};
    deflateInit2(&z, 6, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY);
    z.next_in = in.data;
    z.avail_in = (unsigned)in.len;
    z.next_out = raw;
    z.avail_out = sizeof raw;
    cr_assert_eq(deflate(&z, Z_FINISH), Z_STREAM_END);
    buf_reset(&out);
    cr_expect_eq(decode(HTTP_DEFLATE, slice_of(raw, z.total_out), 5000, 100, &out, &why), ERR_OK, "%s", why.text);
    cr_expect(slice_eq(buf_view(&in), buf_view(&out)));
    deflateEnd(&z);
    buf_deinit(&in);
    buf_deinit(&encoded);
    buf_deinit(&out);
}

Test(http_coding, refuses_every_truncation_and_survives_every_flipped_byte)
{
    static const enum http_coding codings[] = {HTTP_GZIP, HTTP_DEFLATE, HTTP_ZSTD};
    for (size_t c = 0; c < 3; c++) {
        struct buf in = {0}, encoded = {0}, out = {0};
        struct errmsg why = {{0}};
        sample(&in, 600);
        encode(codings[c], buf_view(&in), 600, &encoded);
        for (size_t n = 0; n < encoded.len; n++)
            cr_expect_eq(decode(codings[c], slice_of(encoded.data, n), 600, SIZE_MAX / 2, &out, &why), ERR_INVALID,
                         "%s cut to %zu", http_coding_name(codings[c]), n);
        for (size_t n = 0; n < encoded.len; n++) {
            encoded.data[n] ^= 0x55;
            buf_reset(&out);
            enum err err = decode(codings[c], buf_view(&encoded), 600, SIZE_MAX / 2, &out, &why);
            cr_expect(err == ERR_OK || err == ERR_INVALID || err == ERR_LIMIT);
            encoded.data[n] ^= 0x55;
        }
        buf_append(&encoded, "garbage", 7);
        cr_expect_eq(decode(codings[c], buf_view(&encoded), 600, SIZE_MAX / 2, &out, &why), ERR_INVALID);
        buf_deinit(&in);
        buf_deinit(&encoded);
        buf_deinit(&out);
    }
}

Test(http_coding, stops_a_bomb_at_the_limit)
{
    struct buf zeros = {0}, out = {0};
    struct errmsg why = {{0}};
    memset(buf_reserve(&zeros, 32 << 20), 0, 32 << 20);
    zeros.len = 32 << 20;
    static const enum http_coding codings[] = {HTTP_GZIP, HTTP_DEFLATE, HTTP_ZSTD};
    for (size_t c = 0; c < 3; c++) {
        struct buf bomb = {0};
        encode(codings[c], buf_view(&zeros), 1 << 20, &bomb);
        cr_expect(bomb.len < 200000);
        cr_expect_eq(decode(codings[c], buf_view(&bomb), 1 << 20, SIZE_MAX / 2, &out, &why), ERR_LIMIT);
        cr_expect_str_eq(why.text, "decoded body is larger than 1048576 bytes");
        buf_deinit(&bomb);
    }
    buf_deinit(&zeros);
}

Test(http_coding, refuses_zstd_windows_and_dictionaries_that_it_does_not_serve)
{
    struct errmsg why = {{0}};
    struct buf out = {0};
    static const uint8_t window[] = {0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xa0, 0x01, 0x00, 0x00};           /* 1 GiB */
    static const uint8_t size[] = {0x28, 0xb5, 0x2f, 0xfd, 0xe0, 0, 0, 0, 0, 0, 0, 0, 0x40, 1, 0, 0}; /* 4 EiB */
    static const uint8_t dictionary[] = {0x28, 0xb5, 0x2f, 0xfd, 0x21, 0x07, 0x05, 0x01, 0x00, 0x00};
    cr_expect_eq(decode(HTTP_ZSTD, slice_of(window, sizeof window), 1000, 1000, &out, &why), ERR_INVALID);
    cr_expect_eq(decode(HTTP_ZSTD, slice_of(size, sizeof size), 1000, 1000, &out, &why), ERR_INVALID);
    cr_expect_eq(decode(HTTP_ZSTD, slice_of(dictionary, sizeof dictionary), 1000, 1000, &out, &why), ERR_INVALID);
}

Test(http_coding, refuses_a_gzip_header_without_end)
{
    struct errmsg why = {{0}};
    struct buf in = {0}, out = {0};
    static const uint8_t head[] = {0x1f, 0x8b, 8, 8 /* FNAME */, 0, 0, 0, 0, 0, 3};
    buf_append(&in, head, sizeof head);
    memset(buf_reserve(&in, 1 << 20), 'n', 1 << 20);
    in.len += 1 << 20;
    cr_expect_eq(decode(HTTP_GZIP, buf_view(&in), 1000, 1000, &out, &why), ERR_INVALID);
    cr_expect_str_eq(why.text, "gzip header is longer than 65536 bytes");
    buf_deinit(&in);
}
