/*
 * buf.h - a byte string that grows: output of encoders, text, wire messages.
 *
 * A zeroed struct is an empty, usable buf.  A buf with `limit` set stops growing there and remembers
 * it: appends past it are dropped, `failed` stays true; check once at the end (sticky error).
 *
 * Ownership: buf_deinit frees the bytes; buf_detach hands them to the caller (mem_free).
 * Threads:   one at a time.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdarg.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/slice.h"

struct buf {
    uint8_t *data;
    size_t len;      /* bytes in use */
    size_t capacity; /* bytes allocated */
    size_t limit;    /* 0 = none */
    bool failed;     /* an append would have passed the limit, or memory ended */
    bool own;        /* sizes are ours and bounded: memory that cannot be had aborts, as in mem_alloc */
};

void buf_deinit(struct buf *b);
void buf_reset(struct buf *b); /* empty again, capacity kept, failed cleared */
/* Makes room for `bytes` more and returns where they go (then add to b->len); NULL past the limit. */
uint8_t *buf_reserve(struct buf *b, size_t bytes);
void buf_append(struct buf *b, const void *data, size_t bytes);
void buf_slice(struct buf *b, struct slice s);
void buf_str(struct buf *b, const char *text);
void buf_printf(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);
void buf_vprintf(struct buf *b, const char *fmt, va_list args) PRINTF_LIKE(2, 0);
const char *buf_cstr(struct buf *b); /* terminates (not counted in len) and returns the text */
uint8_t *buf_detach(struct buf *b, size_t *len);

static inline void buf_u8(struct buf *b, uint8_t v)
{
    uint8_t *p = buf_reserve(b, 1);
    if (p) {
        *p = v;
        b->len++;
    }
}

static inline void buf_varint(struct buf *b, uint64_t v)
{
    uint8_t *p = buf_reserve(b, VARINT_BYTES_MAX);
    if (p)
        b->len = (size_t)(varint_put(p, v) - b->data);
}

static inline void buf_le32(struct buf *b, uint32_t v)
{
    uint8_t *p = buf_reserve(b, 4);
    if (p) {
        le32_put(p, v);
        b->len += 4;
    }
}

static inline void buf_le64(struct buf *b, uint64_t v)
{
    uint8_t *p = buf_reserve(b, 8);
    if (p) {
        le64_put(p, v);
        b->len += 8;
    }
}

static inline struct slice buf_view(const struct buf *b)
{
    return (struct slice){b->data, b->len};
}

#endif
