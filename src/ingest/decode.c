/* decode.c - the body of a request: its declared size is checked before memory is taken. */
#include <snappy-c.h>

#include "base/assert.h"
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
    if (req->encoding != INGEST_SNAPPY)
        return decode_plain(l, req->body, why);
    TRY(decode_snappy(l, req->body, why));
    memset(l->raw + l->raw_len, 0, RAW_SLACK);
    return ERR_OK;
}
