/* buf.c - growable bytes with a sticky error; the contract is in buf.h. */
#include "base/buf.h"

#include <stdio.h>

#include "base/mem.h"

void buf_deinit(struct buf *b)
{
    mem_free(b->data);
    *b = (struct buf){.limit = b->limit, .own = b->own};
}

void buf_reset(struct buf *b)
{
    b->len = 0;
    b->failed = false;
}

static bool buf_grow(struct buf *b, size_t need)
{
    size_t capacity = b->capacity ? b->capacity : 64;
    while (capacity < need)
        capacity = capacity > SIZE_MAX / 2 ? need : capacity * 2;
    if (b->limit && capacity > b->limit)
        capacity = b->limit;
    uint8_t *data = b->own ? mem_realloc(b->data, capacity) : mem_try_realloc(b->data, capacity);
    if (!data)
        return false;
    b->data = data;
    b->capacity = capacity;
    return true;
}

uint8_t *buf_reserve(struct buf *b, size_t bytes)
{
    if (b->failed)
        return NULL;
    size_t need = b->len + bytes;
    bool over = need < b->len || (b->limit && need > b->limit);
    if (over || ((need > b->capacity || !b->data) && !buf_grow(b, need))) {
        b->failed = true;
        return NULL;
    }
    return b->data + b->len;
}

void buf_append(struct buf *b, const void *data, size_t bytes)
{
    uint8_t *p = buf_reserve(b, bytes);
    if (p && bytes) {
        memcpy(p, data, bytes);
        b->len += bytes;
    }
}

void buf_slice(struct buf *b, struct slice s)
{
    buf_append(b, s.data, s.len);
}

void buf_str(struct buf *b, const char *text)
{
    buf_append(b, text, strlen(text));
}

void buf_vprintf(struct buf *b, const char *fmt, va_list args)
{
    va_list again;
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, fmt, args);
    uint8_t *p = n < 0 ? NULL : buf_reserve(b, (size_t)n + 1);
    if (p) {
        vsnprintf((char *)p, (size_t)n + 1, fmt, again);
        b->len += (size_t)n;
    }
    va_end(again);
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    buf_vprintf(b, fmt, args);
    va_end(args);
}

const char *buf_cstr(struct buf *b)
{
    uint8_t *p = buf_reserve(b, 1);
    if (!p)
        return "";
    *p = 0;
    return (const char *)b->data;
}

uint8_t *buf_detach(struct buf *b, size_t *len)
{
    uint8_t *data = b->data;
    *len = b->len;
    *b = (struct buf){.limit = b->limit};
    return data;
}
