/* decode.c - the body of a request: its declared size is checked before memory is taken. */
#include <snappy-c.h>
#include <zstd.h>

#include "base/assert.h"
#include "base/wire.h"
#include "ingest/ingest_internal.h"

enum { RAW_KEEP = 4 << 20 }; /* a larger buffer is given back after the request */

static enum err raw_reserve(struct lane *l, size_t len, struct errmsg *why)
{
    size_t need = len + RAW_SLACK;
    if (need <= l->raw_capacity && !(l->raw_capacity > RAW_KEEP && need <= RAW_KEEP))
        return ERR_OK;
    size_t capacity = need < RAW_KEEP / 2 ? need * 2 : need;
    uint8_t *raw = mem_try_alloc(capacity);
    if (!raw)
        return err_set(why, ERR_NO_MEMORY, "out of memory: %zu bytes for a request", capacity);
    mem_free(l->raw);
    l->raw = raw;
    l->raw_capacity = capacity;
    return ERR_OK;
}

static enum err decode_snappy(struct lane *l, struct slice body, struct errmsg *why)
{
    size_t len = 0;
    const char *bytes = (const char *)body.data;
    static const uint8_t framed[] = {0xff, 0x06, 0x00, 0x00, 's', 'N', 'a', 'P', 'p', 'Y'};
    if (slice_starts_with(body, slice_of(framed, sizeof framed)))
        return err_set(why, ERR_INVALID, "snappy: framed format, expected the block format");
    if (snappy_uncompressed_length(bytes, body.len, &len) != SNAPPY_OK)
        return err_set(why, ERR_INVALID, "snappy: no valid length at the start of the body");
    if (len > l->ingest->options.body_bytes_max)
        return err_set(why, ERR_INVALID, "snappy: decoded size %zu exceeds %llu", len,
                       (unsigned long long)l->ingest->options.body_bytes_max);
    TRY(raw_reserve(l, len, why));
    l->raw_len = len;
    if (snappy_uncompress(bytes, body.len, (char *)l->raw, &l->raw_len) != SNAPPY_OK || l->raw_len != len)
        return err_set(why, ERR_INVALID, "snappy: corrupt input");
    return ERR_OK;
}

/*
 * VictoriaMetrics' remote write: one frame of zstd, whose header tells its size.  Nothing is taken before the size is
 * known to be allowed, and no window beside it: the frame is decoded into one piece.
 */
static enum err decode_zstd(struct lane *l, struct slice body, struct errmsg *why)
{
    unsigned long long len = ZSTD_getFrameContentSize(body.data, body.len);
    if (len == ZSTD_CONTENTSIZE_ERROR)
        return err_set(why, ERR_INVALID, "zstd: no frame at the start of the body");
    if (len == ZSTD_CONTENTSIZE_UNKNOWN)
        return err_set(why, ERR_INVALID, "zstd: the frame does not tell its decoded size");
    if (len > l->ingest->options.body_bytes_max)
        return err_set(why, ERR_INVALID, "zstd: decoded size %llu exceeds %llu", len,
                       (unsigned long long)l->ingest->options.body_bytes_max);
    if (!l->zstd && !(l->zstd = ZSTD_createDCtx()))
        return err_set(why, ERR_NO_MEMORY, "out of memory: a zstd decoder");
    TRY(raw_reserve(l, (size_t)len, why));
    l->raw_len = ZSTD_decompressDCtx(l->zstd, l->raw, (size_t)len, body.data, body.len);
    if (ZSTD_isError(l->raw_len) || l->raw_len != len)
        return err_set(why, ERR_INVALID, "zstd: corrupt input");
    return ERR_OK;
}

void decode_deinit(struct lane *l)
{
    ZSTD_freeDCtx(l->zstd);
}

static bool is_zstd(struct slice body)
{
    static const uint8_t magic[] = {0x28, 0xb5, 0x2f, 0xfd};
    return slice_starts_with(body, slice_of(magic, sizeof magic));
}

uint64_t ingest_decoded_bytes(enum ingest_encoding encoding, struct slice body)
{
    uint64_t len = 0;
    if (encoding == INGEST_IDENTITY)
        return body.len;
    if (encoding == INGEST_ZSTD && is_zstd(body)) {
        len = ZSTD_getFrameContentSize(body.data, body.len);
        return len == ZSTD_CONTENTSIZE_ERROR || len == ZSTD_CONTENTSIZE_UNKNOWN ? 0 : len;
    }
    return body.len && varint_get(body.data, body.data + body.len, &len) ? len : 0;
}

/* What waited in the queue of a sender that has changed its mind since is named wrongly: the bytes decide then. */
static enum err decode_packed(struct lane *l, enum ingest_encoding encoding, struct slice body, struct errmsg *why)
{
    if (encoding == INGEST_ZSTD)
        return is_zstd(body) ? decode_zstd(l, body, why) : decode_snappy(l, body, why);
    enum err err = decode_snappy(l, body, why);
    return err == ERR_INVALID && is_zstd(body) ? decode_zstd(l, body, why) : err;
}

enum err decode_plain(struct lane *l, struct slice bytes, struct errmsg *why)
{
    if (bytes.len > l->ingest->options.body_bytes_max)
        return err_set(why, ERR_INVALID, "request of %zu bytes exceeds %llu", bytes.len,
                       (unsigned long long)l->ingest->options.body_bytes_max);
    TRY(raw_reserve(l, bytes.len, why));
    if (bytes.len)
        memcpy(l->raw, bytes.data, bytes.len);
    l->raw_len = bytes.len;
    memset(l->raw + l->raw_len, 0, RAW_SLACK);
    return ERR_OK;
}

enum err decode_body(struct lane *l, const struct ingest_request *req, struct errmsg *why)
{
    if (req->body.len == 0)
        return err_set(why, ERR_INVALID, "empty request");
    if (req->encoding == INGEST_IDENTITY)
        return decode_plain(l, req->body, why);
    TRY(decode_packed(l, req->encoding, req->body, why));
    memset(l->raw + l->raw_len, 0, RAW_SLACK);
    return ERR_OK;
}
