/*
 * page_cache_internal.h - what block readers do with the cache.
 *
 *     struct page *p = page_cache_find(cache, key);             // pinned, or NULL
 *     if (!p) {
 *         p = page_make(cache, bytes);                           // NULL: over budget
 *         ... fill p->data ...
 *         p = page_cache_put(cache, key, p);                    // pinned; perhaps the one of a faster thread
 *     }
 *     page_release(p);
 *
 * Threads: any.  A pinned page does not move and does not change.
 */
#ifndef BLOCK_PAGE_CACHE_INTERNAL_H
#define BLOCK_PAGE_CACHE_INTERNAL_H

#include <stdatomic.h>

#include "block/page_cache.h"

struct page_key {
    uint64_t block; /* serial number of the open block */
    uint64_t what;  /* what a reader calls the object, within the block */
};

struct page {
    struct page_key key;
    struct page *next; /* in its bucket; guarded by the shard's lock */
    _Atomic uint32_t pins;
    _Atomic bool referenced; /* since the clock hand came by */
    uint32_t slot;           /* in the shard's clock; guarded by the shard's lock */
    size_t bytes;            /* of data */
    _Alignas(64) uint8_t data[];
};

uint64_t page_cache_serial(struct page_cache *cache); /* a number no other block got */
struct page *page_cache_find(struct page_cache *cache, struct page_key key);
struct page *page_make(struct page_cache *cache, size_t bytes);
void page_discard(struct page_cache *cache, struct page *page); /* one that was never put */
struct page *page_cache_put(struct page_cache *cache, struct page_key key, struct page *page);
void page_cache_drop(struct page_cache *cache, uint64_t block); /* all pages of a block; none may be pinned */

static inline void page_pin(struct page *page) /* one more, of a page that is pinned */
{
    atomic_fetch_add_explicit(&page->pins, 1, memory_order_relaxed);
}

static inline void page_release(struct page *page) /* accepts NULL */
{
    if (page)
        atomic_fetch_sub_explicit(&page->pins, 1, memory_order_release);
}

#endif
