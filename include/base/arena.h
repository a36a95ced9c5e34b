/*
 * arena.h - memory that lives as long as one request or query and is freed at once.
 *
 * Allocation is a pointer bump; blocks double from 4 KiB to 1 MiB; larger objects get their own.
 * With a budget set, arena_try_alloc refuses (NULL) instead of passing it; arena_alloc is for our own
 * small sizes and counts into the budget without asking.
 *
 * Ownership: arena_deinit frees everything that came from it and gives the budget back.
 * Threads:   one at a time.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include "base/mem.h"
#include "base/slice.h"

struct arena {
    struct arena_block *blocks; /* newest first */
    uint8_t *next, *end;        /* free range of the newest block */
    size_t bytes;               /* allocated from the heap */
    struct mem_budget *budget;  /* borrowed, may be NULL */
};

void arena_init(struct arena *a, struct mem_budget *budget);
void arena_deinit(struct arena *a);
void *arena_alloc(struct arena *a, size_t bytes) __attribute__((returns_nonnull)); /* 16-aligned, not zeroed */
void *arena_zalloc(struct arena *a, size_t bytes) __attribute__((returns_nonnull));
void *arena_try_alloc(struct arena *a, size_t bytes);  /* for sizes that a query or client chose */
void *arena_try_zalloc(struct arena *a, size_t bytes); /* the same, zeroed; many pages only when they are touched */
struct slice arena_copy(struct arena *a, struct slice s);
char *arena_strdup(struct arena *a, struct slice s); /* terminated */
char *arena_printf(struct arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#define ARENA_NEW(a, type)          ((type *)arena_zalloc((a), sizeof(type)))
#define ARENA_ARRAY(a, type, count) ((type *)arena_zalloc((a), sizeof(type) * (count)))

#endif
