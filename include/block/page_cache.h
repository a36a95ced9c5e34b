/*
 * page_cache.h - decoded pages of block files, shared by all open blocks, within a budget.
 *
 * A page is read, checked, decompressed once and kept while there is room (clock eviction, sharded by
 * key).  A pinned page is not evicted; readers pin the one or two pages they are looking at.
 *
 * Ownership: the cache owns pages; page_release ends a pin.
 * Threads:   any.
 */
#ifndef BLOCK_PAGE_CACHE_H
#define BLOCK_PAGE_CACHE_H

#include "base/err.h"
#include "base/mem.h"
#include "base/slice.h"

struct page_cache;

struct page_cache_stats {
    uint64_t hits, misses, evictions, bytes, pages;
};

/* bytes_max bounds what is kept; the budget (borrowed, may be NULL) is charged for all of it. */
struct page_cache *page_cache_new(size_t bytes_max, struct mem_budget *budget);
void page_cache_free(struct page_cache *cache); /* no page may be pinned */
void page_cache_stats(struct page_cache *cache, struct page_cache_stats *out);

#endif
