/*
 * columns_internal.h - growing arrays of numbers, and streams of them of any length.
 */
#ifndef BLOCK_COLUMNS_INTERNAL_H
#define BLOCK_COLUMNS_INTERNAL_H

#include "base/buf.h"
#include "base/mem.h"
#include "chunk/ints.h"

/* Zeroed = empty. */
struct column {
    int64_t *v;
    size_t count, capacity;
};

static inline void column_add(struct column *c, int64_t v)
{
    if (c->count == c->capacity)
        c->v = (int64_t *)mem_grow(c->v, &c->capacity, c->count + 1, sizeof *c->v);
    c->v[c->count++] = v;
}

static inline void column_reset(struct column *c)
{
    c->count = 0;
}

static inline void column_deinit(struct column *c)
{
    mem_free(c->v);
    *c = (struct column){0};
}

/* Integer streams (chunk/ints.h) one after the other, INTS_COUNT_MAX numbers each; nothing for no numbers. */
void column_put(const struct column *c, struct buf *out);

/* A cursor over a page's raw bytes; p is NULL after the first damage, and everything reads as 0 then. */
struct cursor {
    const uint8_t *p, *end;
};

static inline struct cursor cursor_of(struct slice s)
{
    return (struct cursor){s.data, s.data + s.len};
}

static inline size_t cursor_left(const struct cursor *c)
{
    return c->p ? (size_t)(c->end - c->p) : 0;
}

uint64_t cursor_varint(struct cursor *c, uint64_t max);    /* damage when greater than max */
struct slice cursor_bytes(struct cursor *c, size_t bytes); /* damage when there are fewer */
void cursor_column(struct cursor *c, size_t count, int64_t min, int64_t max, int64_t *out);
int64_t cursor_zigzag(struct cursor *c);

#endif
