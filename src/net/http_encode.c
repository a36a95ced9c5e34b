/*
 * http_encode.c - compressed answers; the contract is in http_encode_internal.h.
 *
 * The fastest level of each: answers are JSON that shrinks 10-fold at any level, and the next level
 * up costs half as much CPU again for a few percent.
 */
#include "net/http_encode_internal.h"

#include <zlib.h>
#include <zstd.h>

#include "base/assert.h"
#include "base/mem.h"
#include "net/http_head_internal.h"

enum { ZLIB_LEVEL = 1, ZSTD_LEVEL = 1, GZIP_WRAPPER = 16, OUT_STEP_BYTES = 16384 };

struct http_encoder {
    enum http_coding coding;
    z_stream z;
    ZSTD_CCtx *zstd;
};

/* ---- choice ---- */

static struct slice trim(struct slice s)
{
    while (s.len && (s.data[0] == ' ' || s.data[0] == '\t'))
        s = slice_from(s, 1);
    while (s.len && (s.data[s.len - 1] == ' ' || s.data[s.len - 1] == '\t'))
        s.len--;
    return s;
}

/* Cuts s at the first `separator`; the part after it goes back into s. */
static struct slice cut(struct slice *s, uint8_t separator)
{
    const uint8_t *at = s->len ? memchr(s->data, separator, s->len) : NULL;
    struct slice part = at ? slice_of(s->data, (size_t)(at - s->data)) : *s;
    *s = at ? slice_from(*s, part.len + 1) : (struct slice){0};
    return trim(part);
}

/* "0.75" -> 750; what is not a weight by RFC 9110 12.4.2 counts as 0. */
static int weight_parse(struct slice s)
{
    if (s.len == 0 || s.len > 5 || (s.data[0] != '0' && s.data[0] != '1') || (s.len > 1 && s.data[1] != '.'))
        return 0;
    int weight = (s.data[0] - '0') * 1000, unit = 100;
    for (size_t i = 2; i < s.len; i++, unit /= 10) {
        if (s.data[i] < '0' || s.data[i] > '9')
            return 0;
        weight += (s.data[i] - '0') * unit;
    }
    return weight <= 1000 ? weight : 0;
}

/* One element "gzip;q=0.5": the name is returned, the weight stored. */
static struct slice element_parse(struct slice element, int *weight)
{
    struct slice name = cut(&element, ';');
    *weight = 1000;
    while (element.len) {
        struct slice parameter = cut(&element, ';');
        struct slice key = cut(&parameter, '=');
        if (http_token_eq(key, "q"))
            *weight = weight_parse(trim(parameter));
    }
    return name;
}

enum http_coding http_coding_choose(struct slice accept_encoding)
{
    enum http_coding best = HTTP_IDENTITY;
    int best_weight = 0, star_weight = 0;
    bool gzip_named = false;
    while (accept_encoding.len) {
        int weight;
        struct slice name = element_parse(cut(&accept_encoding, ','), &weight);
        enum http_coding coding = HTTP_IDENTITY;
        if (http_token_eq(name, "gzip") || http_token_eq(name, "x-gzip"))
            coding = HTTP_GZIP;
        else if (http_token_eq(name, "deflate"))
            coding = HTTP_DEFLATE;
        else if (http_token_eq(name, "zstd"))
            coding = HTTP_ZSTD;
        else if (slice_eq_str(name, "*"))
            star_weight = weight;
        else if (!http_token_eq(name, "identity"))
            continue;
        gzip_named = gzip_named || coding == HTTP_GZIP;
        if (weight > best_weight && !slice_eq_str(name, "*")) {
            best = coding;
            best_weight = weight;
        }
    }
    return star_weight > best_weight && !gzip_named ? HTTP_GZIP : best;
}

const char *http_coding_name(enum http_coding coding)
{
    static const char *const names[] = {"", "gzip", "deflate", "zstd"};
    return names[coding];
}

/* ---- streams ---- */

struct http_encoder *http_encoder_new(enum http_coding coding)
{
    assert(coding != HTTP_IDENTITY);
    struct http_encoder *e = MEM_NEW(struct http_encoder);
    e->coding = coding;
    if (coding == HTTP_ZSTD) {
        e->zstd = ZSTD_createCCtx();
        assert(e->zstd);
        size_t set = ZSTD_CCtx_setParameter(e->zstd, ZSTD_c_compressionLevel, ZSTD_LEVEL);
        assert(!ZSTD_isError(set));
        return e;
    }
    int window = MAX_WBITS + (coding == HTTP_GZIP ? GZIP_WRAPPER : 0);
    int got = deflateInit2(&e->z, ZLIB_LEVEL, Z_DEFLATED, window, 8, Z_DEFAULT_STRATEGY);
    assert(got == Z_OK); /* fails only for wrong arguments and when 256 KiB cannot be had */
    return e;
}

void http_encoder_free(struct http_encoder *e)
{
    if (!e)
        return;
    if (e->coding == HTTP_ZSTD)
        ZSTD_freeCCtx(e->zstd);
    else
        deflateEnd(&e->z);
    mem_free(e);
}

static bool zlib_feed(struct http_encoder *e, struct slice in, bool end, struct buf *out)
{
    static uint8_t none[1];
    e->z.next_in = in.len ? (z_const Bytef *)(uintptr_t)in.data : none;
    e->z.avail_in = (uInt)in.len;
    do {
        uint8_t *room = buf_reserve(out, OUT_STEP_BYTES);
        if (!room)
            return false;
        e->z.next_out = room;
        e->z.avail_out = OUT_STEP_BYTES;
        int got = deflate(&e->z, end ? Z_FINISH : Z_NO_FLUSH);
        assert(got != Z_STREAM_ERROR);
        out->len += OUT_STEP_BYTES - e->z.avail_out;
    } while (e->z.avail_out == 0);
    return true;
}

static bool zstd_feed(struct http_encoder *e, struct slice in, bool end, struct buf *out)
{
    ZSTD_inBuffer from = {in.data, in.len, 0};
    size_t left;
    do {
        uint8_t *room = buf_reserve(out, OUT_STEP_BYTES);
        if (!room)
            return false;
        ZSTD_outBuffer to = {room, OUT_STEP_BYTES, 0};
        left = ZSTD_compressStream2(e->zstd, &to, &from, end ? ZSTD_e_end : ZSTD_e_continue);
        assert(!ZSTD_isError(left));
        out->len += to.pos;
    } while (end ? left > 0 : from.pos < from.size);
    return true;
}

bool http_encoder_feed(struct http_encoder *e, struct slice in, bool end, struct buf *out)
{
    assert(in.len <= UINT32_MAX);
    return e->coding == HTTP_ZSTD ? zstd_feed(e, in, end, out) : zlib_feed(e, in, end, out);
}
