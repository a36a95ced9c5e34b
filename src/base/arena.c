/*
 * arena.c - bump allocation; the contract is in arena.h.
 *
 * Blocks form a list, newest first; only the newest is bumped.  An object larger than a quarter of the
 * next block gets a block of its own behind the newest, so that the free rest of that one is not lost.
 */
#include "base/arena.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/assert.h"

enum { ALIGN = 16, BLOCK_BYTES_MIN = 4096, BLOCK_BYTES_MAX = 1 << 20 };

struct arena_block {
    struct arena_block *older;
    size_t bytes; /* with this header */
};
_Static_assert(sizeof(struct arena_block) % ALIGN == 0, "objects after the header stay aligned");

void arena_init(struct arena *a, struct mem_budget *budget)
{
    *a = (struct arena){.budget = budget};
}

void arena_deinit(struct arena *a)
{
    for (struct arena_block *b = a->blocks, *older; b; b = older) {
        older = b->older;
        mem_free(b);
    }
    if (a->budget && a->bytes)
        mem_budget_give(a->budget, a->bytes);
    *a = (struct arena){.budget = a->budget};
}

/* Counts past the limit too: our own small objects must be had, and the next asking caller is refused. */
static void budget_force(struct mem_budget *budget, size_t bytes)
{
    for (struct mem_budget *b = budget; b; b = b->parent)
        atomic_fetch_add(&b->used, (int64_t)bytes);
}

/* Whether it must be had, may be refused, or may be refused and is zeroed. */
enum wish { MUST, MAY, MAY_ZEROED };

static struct arena_block *block_new(struct arena *a, size_t bytes, enum wish wish)
{
    bool may_fail = wish != MUST;
    if (may_fail && a->budget && !mem_budget_take(a->budget, bytes))
        return NULL;
    struct arena_block *b = wish == MUST  ? mem_alloc(bytes)
                            : wish == MAY ? mem_try_alloc(bytes)
                                          : mem_try_zalloc(bytes);
    if (!b) {
        if (a->budget)
            mem_budget_give(a->budget, bytes);
        return NULL;
    }
    if (!may_fail)
        budget_force(a->budget, bytes);
    b->bytes = bytes;
    a->bytes += bytes;
    return b;
}

static void *own_block(struct arena *a, size_t bytes, enum wish wish)
{
    struct arena_block *b = block_new(a, bytes + sizeof *b, wish);
    if (!b)
        return NULL;
    if (a->blocks) {
        b->older = a->blocks->older;
        a->blocks->older = b;
    } else {
        b->older = NULL;
        a->blocks = b;
    }
    return b + 1;
}

static size_t next_block_bytes(const struct arena *a)
{
    size_t bytes = a->blocks ? a->blocks->bytes * 2 : BLOCK_BYTES_MIN;
    return bytes > BLOCK_BYTES_MAX ? BLOCK_BYTES_MAX : bytes < BLOCK_BYTES_MIN ? BLOCK_BYTES_MIN : bytes;
}

static void *arena_slow(struct arena *a, size_t bytes, bool may_fail)
{
    size_t block_bytes = next_block_bytes(a);
    if (bytes > block_bytes / 4)
        return own_block(a, bytes, may_fail ? MAY : MUST);
    struct arena_block *b = block_new(a, block_bytes, may_fail ? MAY : MUST);
    if (!b)
        return NULL;
    b->older = a->blocks;
    a->blocks = b;
    a->next = (uint8_t *)(b + 1) + bytes;
    a->end = (uint8_t *)b + block_bytes;
    return b + 1;
}

static void *arena_take(struct arena *a, size_t bytes, bool may_fail)
{
    if (bytes > SIZE_MAX / 2) {
        assert(may_fail);
        return NULL;
    }
    bytes = (bytes + ALIGN - 1) & ~(size_t)(ALIGN - 1);
    if (bytes <= (size_t)(a->end - a->next) && a->next) {
        void *p = a->next;
        a->next += bytes;
        return p;
    }
    return arena_slow(a, bytes, may_fail);
}

void *arena_alloc(struct arena *a, size_t bytes)
{
    return arena_take(a, bytes, false);
}

void *arena_zalloc(struct arena *a, size_t bytes)
{
    return memset(arena_take(a, bytes, false), 0, bytes);
}

void *arena_try_alloc(struct arena *a, size_t bytes)
{
    return arena_take(a, bytes, true);
}

void *arena_try_zalloc(struct arena *a, size_t bytes)
{
    size_t rounded = (bytes + ALIGN - 1) & ~(size_t)(ALIGN - 1);
    if (bytes <= SIZE_MAX / 2 && bytes > BLOCK_BYTES_MAX / 4 && rounded > (size_t)(a->end - a->next))
        return own_block(a, rounded, MAY_ZEROED);
    void *p = arena_take(a, bytes, true);
    return p ? memset(p, 0, bytes) : NULL;
}

struct slice arena_copy(struct arena *a, struct slice s)
{
    uint8_t *p = arena_alloc(a, s.len);
    if (s.len)
        memcpy(p, s.data, s.len);
    return slice_of(p, s.len);
}

char *arena_strdup(struct arena *a, struct slice s)
{
    char *p = arena_alloc(a, s.len + 1);
    if (s.len)
        memcpy(p, s.data, s.len);
    p[s.len] = 0;
    return p;
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
    va_list args, again;
    va_start(args, fmt);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, fmt, args);
    assert(n >= 0);
    char *p = arena_alloc(a, (size_t)n + 1);
    vsnprintf(p, (size_t)n + 1, fmt, again);
    va_end(again);
    va_end(args);
    return p;
}
