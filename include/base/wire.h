/*
 * wire.h - protobuf fields: reading tags and lengths, skipping what is unknown; writing fields into a buf.
 *
 * Every reading function takes where it stands and where the message ends, and returns where it stands
 * afterwards, or NULL when the bytes break the format.
 *
 * Threads: any.
 */
#ifndef BASE_WIRE_H
#define BASE_WIRE_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "base/slice.h"

enum wire_type { WIRE_VARINT, WIRE_FIXED64, WIRE_BYTES, WIRE_GROUP, WIRE_GROUP_END, WIRE_FIXED32 };
enum { WIRE_DEPTH_MAX = 32 };
#define WIRE_TAG(field, type) ((field) << 3 | (int)(type))

/* A tag; field 0 is never valid. */
static inline const uint8_t *wire_tag(const uint8_t *p, const uint8_t *end, uint32_t *tag)
{
    uint64_t v;
    if (p < end && *p < 0x80)
        v = *p++;
    else if (!(p = varint_get(p, end, &v)))
        return NULL;
    *tag = (uint32_t)v;
    return v >> 3 && v >> 3 <= 0x1fffffff ? p : NULL;
}

/* A length that fits into what is left. */
static inline const uint8_t *wire_len(const uint8_t *p, const uint8_t *end, size_t *len)
{
    uint64_t v;
    if (p < end && *p < 0x80) {
        v = *p++;
    } else if (end - p > 1 && p[1] < 0x80) {
        v = (uint64_t)(p[0] & 0x7f) | (uint64_t)p[1] << 7;
        p += 2;
    } else if (!(p = varint_get(p, end, &v))) {
        return NULL;
    }
    *len = (size_t)v;
    return v <= (uint64_t)(end - p) ? p : NULL;
}

static inline const uint8_t *wire_bytes(const uint8_t *p, const uint8_t *end, struct slice *out)
{
    size_t len;
    if (!(p = wire_len(p, end, &len)))
        return NULL;
    *out = slice_of(p, len);
    return p + len;
}

static inline const uint8_t *wire_fixed64(const uint8_t *p, const uint8_t *end, uint64_t *out)
{
    if (end - p < 8)
        return NULL;
    *out = le64_get(p);
    return p + 8;
}

/* Length of a varint when it is written as short as can be. */
static inline size_t wire_varint_bytes(uint64_t v)
{
    return v < 0x80 ? 1 : (70 - (size_t)__builtin_clzll(v)) / 7;
}

/* The value of a field with this tag; groups are skipped when they are balanced. */
const uint8_t *wire_skip(const uint8_t *p, const uint8_t *end, uint32_t tag);

/* Fields, as protobuf 3 writes them; the caller leaves out what has the default value. */
static inline void wire_put_varint(struct buf *out, uint32_t field, uint64_t v)
{
    buf_varint(out, WIRE_TAG(field, WIRE_VARINT));
    buf_varint(out, v);
}

static inline void wire_put_double(struct buf *out, uint32_t field, double v)
{
    buf_varint(out, WIRE_TAG(field, WIRE_FIXED64));
    buf_le64(out, f64_bits(v));
}

static inline void wire_put_bytes(struct buf *out, uint32_t field, struct slice s)
{
    buf_varint(out, WIRE_TAG(field, WIRE_BYTES));
    buf_varint(out, s.len);
    buf_slice(out, s);
}

#endif
