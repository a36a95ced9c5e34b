/*
 * fuzz_http_coding.c - compressed request bodies: any bytes end in output within the limit or an error,
 * and where the decoder pauses makes no difference.
 *
 * Input: one byte that chooses the coding and the pause, then the body.
 */
#include "base/assert.h"
#include "base/buf.h"
#include "net/http_decode_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { BYTES_MAX = 200000 };

static enum err decode(enum http_coding coding, struct slice in, size_t pause, struct buf *out)
{
    struct mem_budget budget = {.name = "fuzz", .limit = BYTES_MAX + 1};
    struct http_decoder *d = http_decoder_new(coding, in, BYTES_MAX, &budget);
    bool done = false;
    enum err err = ERR_OK;
    for (size_t until = pause; err == ERR_OK && !done; until += pause)
        err = http_decoder_run(d, until, &done, NULL);
    if (err == ERR_OK)
        buf_slice(out, http_decoder_output(d));
    assert(err == ERR_OK || err == ERR_INVALID || err == ERR_LIMIT);
    assert(out->len <= BYTES_MAX);
    http_decoder_free(d);
    assert(budget.used == 0);
    return err;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const enum http_coding codings[] = {HTTP_GZIP, HTTP_DEFLATE, HTTP_ZSTD};
    struct buf whole = {0}, paused = {0};
    if (size < 1 || size > 100000)
        return 0;
    struct slice in = slice_of(data + 1, size - 1);
    enum http_coding coding = codings[data[0] % 3];
    enum err err = decode(coding, in, BYTES_MAX * 2, &whole);
    assert(err == decode(coding, in, 1 + data[0] * 37u, &paused));
    assert(slice_eq(buf_view(&whole), buf_view(&paused)));
    buf_deinit(&whole);
    buf_deinit(&paused);
    return 0;
}
