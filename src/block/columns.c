/* columns.c - see columns_internal.h. */
#include "block/columns_internal.h"

void column_put(const struct column *c, struct buf *out)
{
    for (size_t i = 0; i < c->count; i += INTS_COUNT_MAX) {
        size_t n = c->count - i;
        ints_encode(c->v + i, (uint32_t)(n < INTS_COUNT_MAX ? n : INTS_COUNT_MAX), out);
    }
}

uint64_t cursor_varint(struct cursor *c, uint64_t max)
{
    uint64_t v = 0;
    if (c->p)
        c->p = varint_get(c->p, c->end, &v);
    if (v > max)
        c->p = NULL;
    return c->p ? v : 0;
}

int64_t cursor_zigzag(struct cursor *c)
{
    return zigzag_get(cursor_varint(c, UINT64_MAX));
}

struct slice cursor_bytes(struct cursor *c, size_t bytes)
{
    if (!c->p || (size_t)(c->end - c->p) < bytes) {
        c->p = NULL;
        return (struct slice){0};
    }
    struct slice s = slice_of(c->p, bytes);
    c->p += bytes;
    return s;
}

void cursor_column(struct cursor *c, size_t count, int64_t min, int64_t max, int64_t *out)
{
    for (size_t i = 0; c->p && i < count; i += INTS_COUNT_MAX) {
        size_t n = count - i < INTS_COUNT_MAX ? count - i : INTS_COUNT_MAX, used;
        if (ints_decode(slice_of(c->p, (size_t)(c->end - c->p)), (uint32_t)n, out + i, &used) != ERR_OK) {
            c->p = NULL;
            return;
        }
        c->p += used;
        bool inside = true;
        for (size_t k = i; k < i + n; k++)
            inside &= out[k] >= min && out[k] <= max;
        if (!inside)
            c->p = NULL;
    }
}
