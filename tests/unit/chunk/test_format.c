/* The examples in docs/formats/chunk.md are what the encoder writes, and they decode. */
#include <criterion/criterion.h>

#include "base/fs.h"
#include "chunk/chunk.h"
#include "model/value.h"

static void to_hex(const struct buf *b, struct buf *out)
{
    buf_reset(out);
    buf_u8(out, '`');
    for (size_t i = 0; i < b->len; i++)
        buf_printf(out, "%s%02x", i ? " " : "", b->data[i]);
    buf_u8(out, '`');
}

static void expect_documented(const char *doc, const struct buf *bytes)
{
    struct buf hex = {0};
    to_hex(bytes, &hex);
    cr_expect(strstr(doc, buf_cstr(&hex)), "%s is not in docs/formats/chunk.md", buf_cstr(&hex));
    buf_deinit(&hex);
}

static void expect_values(const char *doc, const double *values, uint32_t count)
{
    struct buf b = {0};
    double out[64];
    chunk_encode_values(values, count, NULL, &b);
    expect_documented(doc, &b);
    cr_assert_eq(chunk_decode_values(buf_view(&b), count, out), ERR_OK);
    cr_expect_arr_eq(out, values, count * sizeof *values);
    buf_deinit(&b);
}

Test(chunk_format, the_documented_examples_hold)
{
    struct buf text = {0}, b = {0};
    struct errmsg why;
    cr_assert_eq(fs_read_file(fs_posix(), "docs/formats/chunk.md", 1 << 20, &text, &why), ERR_OK, "%s", why.text);
    const char *doc = buf_cstr(&text);
    expect_values(doc, (double[]){1, 1, 1}, 3);
    expect_values(doc, (double[]){10, 12.5, 40}, 3);
    double ramp[32], runs[25];
    for (int i = 0; i < 31; i++)
        ramp[i] = 1000 + 15 * i;
    ramp[31] = f64_from_bits(STALE_NAN_BITS);
    expect_values(doc, ramp, 32);
    expect_values(doc, (double[]){3 * 0.1, 7 * 0.1, 11 * 0.1}, 3);
    expect_values(doc, (double[]){0.30000000000000004, 0.7000000000000001, 1.1}, 3);
    uint32_t n = 0;
    for (uint32_t k = 0; k < 5; k++)
        for (uint32_t i = 0; i < 3 + k; i++)
            runs[n++] = (double)(k * k);
    expect_values(doc, runs, n);
    expect_values(doc, (double[]){-0.0, 1}, 2);
    const int64_t times[] = {1700000000000, 1700000015001, 1700000030000, 1700000045000};
    int64_t back[4];
    times_encode(times, 4, &b);
    expect_documented(doc, &b);
    cr_assert_eq(times_decode(buf_view(&b), 4, back), ERR_OK);
    cr_expect_arr_eq(back, times, sizeof times);
    buf_deinit(&b);
    buf_deinit(&text);
}
