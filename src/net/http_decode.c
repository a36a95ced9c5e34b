/* http_decode.c - compressed request bodies; the contract is in http_decode_internal.h. */
#include "net/http_decode_internal.h"

#include <zlib.h>
#include <zstd.h>

#include "base/assert.h"
#include "net/http_head_internal.h"

enum {
    OUT_BYTES_MIN = 64 << 10,
    IN_STEP_BYTES = 64 << 10,
    GZIP_WRAPPER = 16,
    ZSTD_WINDOW_LOG_MAX = 23, /* 8 MiB */
};

struct http_decoder {
    enum http_coding coding;
    struct slice in; /* what is left of it */
    uint8_t *out;
    size_t out_len, out_capacity;
    uint64_t bytes_max;
    struct mem_budget *budget;
    bool ended; /* the stream is complete so far; more input would be another member or frame */
    z_stream z;
    gz_header gzip; /* done: the header of the current member has been read */
    ZSTD_DCtx *zstd;
};

enum err http_coding_parse(struct slice content_encoding, enum http_coding *out)
{
    if (http_token_eq(content_encoding, "gzip") || http_token_eq(content_encoding, "x-gzip"))
        *out = HTTP_GZIP;
    else if (http_token_eq(content_encoding, "deflate"))
        *out = HTTP_DEFLATE;
    else if (http_token_eq(content_encoding, "zstd"))
        *out = HTTP_ZSTD;
    else
        return ERR_UNSUPPORTED;
    return ERR_OK;
}

/* RFC 9110 means the zlib format, some clients send raw deflate; the first two bytes tell which. */
static bool has_zlib_header(struct slice in)
{
    return in.len >= 2 && (in.data[0] & 15) == Z_DEFLATED && (in.data[0] * 256 + in.data[1]) % 31 == 0;
}

/* Watches for the end of a member's header: a file name in it could otherwise go on for ever. */
static void member_begin(struct http_decoder *d)
{
    d->gzip = (gz_header){0};
    if (d->coding == HTTP_GZIP)
        inflateGetHeader(&d->z, &d->gzip);
}

struct http_decoder *http_decoder_new(enum http_coding coding, struct slice in, uint64_t bytes_max,
                                      struct mem_budget *budget)
{
    struct http_decoder *d = MEM_NEW(struct http_decoder);
    d->coding = coding;
    d->in = in;
    d->bytes_max = bytes_max;
    d->budget = budget;
    if (coding == HTTP_ZSTD) {
        d->zstd = ZSTD_createDCtx();
        assert(d->zstd);
        size_t set = ZSTD_DCtx_setParameter(d->zstd, ZSTD_d_windowLogMax, ZSTD_WINDOW_LOG_MAX);
        assert(!ZSTD_isError(set));
        return d;
    }
    int window = coding == HTTP_GZIP ? MAX_WBITS + GZIP_WRAPPER : has_zlib_header(in) ? MAX_WBITS : -MAX_WBITS;
    int got = inflateInit2(&d->z, window);
    assert(got == Z_OK);
    member_begin(d);
    return d;
}

void http_decoder_free(struct http_decoder *d)
{
    if (!d)
        return;
    if (d->coding == HTTP_ZSTD)
        ZSTD_freeDCtx(d->zstd);
    else
        inflateEnd(&d->z);
    if (d->budget)
        mem_budget_give(d->budget, d->out_capacity);
    mem_free(d->out);
    mem_free(d);
}

struct slice http_decoder_output(const struct http_decoder *d)
{
    return slice_of(d->out, d->out_len);
}

/* Doubles the output, but to no more than one byte past the limit: that byte proves that it is passed. */
static enum err out_grow(struct http_decoder *d, struct errmsg *why)
{
    if (d->out_len > d->bytes_max)
        return err_set(why, ERR_LIMIT, "decoded body is larger than %llu bytes", (unsigned long long)d->bytes_max);
    uint64_t capacity = d->out_capacity ? (uint64_t)d->out_capacity * 2 : OUT_BYTES_MIN;
    if (capacity > d->bytes_max)
        capacity = d->bytes_max + 1;
    size_t more = (size_t)capacity - d->out_capacity;
    if (d->budget && !mem_budget_take(d->budget, more))
        return err_set(why, ERR_NO_MEMORY, "memory limit reached (%s)", d->budget->name);
    uint8_t *out = mem_try_realloc(d->out, (size_t)capacity);
    if (!out) {
        if (d->budget)
            mem_budget_give(d->budget, more);
        return err_set(why, ERR_NO_MEMORY, "out of memory for a decoded body");
    }
    d->out = out;
    d->out_capacity = (size_t)capacity;
    return ERR_OK;
}

/* One bounded step into out[out_len..out_capacity). */
static enum err zlib_step(struct http_decoder *d, struct errmsg *why)
{
    size_t n = d->in.len < IN_STEP_BYTES ? d->in.len : IN_STEP_BYTES;
    size_t room = d->out_capacity - d->out_len;
    room = room < UINT32_MAX ? room : UINT32_MAX;
    d->z.next_in = (z_const Bytef *)(uintptr_t)d->in.data;
    d->z.avail_in = (uInt)n;
    d->z.next_out = d->out + d->out_len;
    d->z.avail_out = (uInt)room;
    int got = inflate(&d->z, Z_NO_FLUSH);
    size_t eaten = n - d->z.avail_in, made = room - d->z.avail_out;
    d->in = slice_from(d->in, eaten);
    d->out_len += made;
    if (got == Z_STREAM_END) {
        d->ended = true;
        if (d->in.len && d->coding != HTTP_GZIP)
            return err_set(why, ERR_INVALID, "%zu bytes after the end of the compressed body", d->in.len);
        int reset = inflateReset(&d->z);
        assert(reset == Z_OK);
        member_begin(d);
        return ERR_OK;
    }
    if (got != Z_OK && got != Z_BUF_ERROR)
        return err_set(why, ERR_INVALID, "damaged %s body: %s", http_coding_name(d->coding),
                       d->z.msg ? d->z.msg : "needs a dictionary");
    if (!eaten && !made && d->in.len == 0)
        return err_set(why, ERR_INVALID, "compressed body is cut off");
    if (d->coding == HTTP_GZIP && d->gzip.done != 1 && d->z.total_in >= IN_STEP_BYTES)
        return err_set(why, ERR_INVALID, "gzip header is longer than %d bytes", IN_STEP_BYTES);
    d->ended = false;
    return ERR_OK;
}

static enum err zstd_step(struct http_decoder *d, struct errmsg *why)
{
    ZSTD_inBuffer from = {d->in.data, d->in.len < IN_STEP_BYTES ? d->in.len : IN_STEP_BYTES, 0};
    ZSTD_outBuffer to = {d->out, d->out_capacity, d->out_len};
    size_t got = ZSTD_decompressStream(d->zstd, &to, &from);
    if (ZSTD_isError(got))
        return err_set(why, ERR_INVALID, "damaged zstd body: %s", ZSTD_getErrorName(got));
    bool moved = from.pos || to.pos > d->out_len;
    d->in = slice_from(d->in, from.pos);
    d->out_len = to.pos;
    d->ended = got == 0;
    if (!moved && d->in.len == 0)
        return err_set(why, ERR_INVALID, "compressed body is cut off");
    return ERR_OK;
}

enum err http_decoder_run(struct http_decoder *d, size_t pause_bytes, bool *done, struct errmsg *why)
{
    for (;;) {
        *done = d->ended && d->in.len == 0 && d->out_len <= d->bytes_max;
        if (*done || d->out_len >= pause_bytes)
            return ERR_OK;
        if (d->out_len == d->out_capacity || d->out_len > d->bytes_max)
            TRY(out_grow(d, why));
        TRY(d->coding == HTTP_ZSTD ? zstd_step(d, why) : zlib_step(d, why));
    }
}
