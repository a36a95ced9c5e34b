/*
 * page_cache.c - a sharded hash table of pages with clock eviction.
 *
 * A page is charged when it is made, before it is known to the table; making room evicts from all
 * shards in turn, so one hot shard does not throw out its own while others hold cold pages.  Two
 * threads may load the same page at once: the second one's is dropped.
 */
#include <stdlib.h>

#include "base/assert.h"
#include "base/lock.h"
#include "block/page_cache_internal.h"

enum { SHARDS = 16, BUCKETS_MIN = 64 };

struct shard {
    struct mutex lock;
    struct page **buckets; /* guarded by lock, as all below */
    size_t bucket_count;   /* a power of two */
    struct page **clock;   /* all pages, in no order */
    size_t count, capacity, hand;
};

struct page_cache {
    struct shard shards[SHARDS];
    size_t bytes_max;
    struct mem_budget *budget;
    _Atomic uint64_t serial, hits, misses, evictions, pages;
    _Atomic int64_t bytes;
    _Atomic uint32_t next_victim; /* shard that gives next */
};

struct page_cache *page_cache_new(size_t bytes_max, struct mem_budget *budget)
{
    struct page_cache *cache = MEM_NEW(struct page_cache);
    cache->bytes_max = bytes_max;
    cache->budget = budget;
    for (int i = 0; i < SHARDS; i++) {
        struct shard *s = &cache->shards[i];
        mutex_init(&s->lock);
        s->bucket_count = BUCKETS_MIN;
        s->buckets = (struct page **)mem_array(BUCKETS_MIN, sizeof(struct page *));
    }
    return cache;
}

static void free_page(struct page_cache *cache, struct page *page)
{
    size_t charged = sizeof *page + page->bytes;
    atomic_fetch_sub_explicit(&cache->bytes, (int64_t)charged, memory_order_relaxed);
    if (cache->budget)
        mem_budget_give(cache->budget, charged);
    free(page);
}

void page_cache_free(struct page_cache *cache)
{
    if (!cache)
        return;
    for (int i = 0; i < SHARDS; i++) {
        struct shard *s = &cache->shards[i];
        for (size_t k = 0; k < s->count; k++) {
            assert(atomic_load(&s->clock[k]->pins) == 0);
            free_page(cache, s->clock[k]);
        }
        mem_free(s->buckets);
        mem_free(s->clock);
        mutex_deinit(&s->lock);
    }
    mem_free(cache);
}

void page_cache_stats(struct page_cache *cache, struct page_cache_stats *out)
{
    *out = (struct page_cache_stats){.hits = atomic_load(&cache->hits),
                                     .misses = atomic_load(&cache->misses),
                                     .evictions = atomic_load(&cache->evictions),
                                     .bytes = (uint64_t)atomic_load(&cache->bytes),
                                     .pages = atomic_load(&cache->pages)};
}

uint64_t page_cache_serial(struct page_cache *cache)
{
    return atomic_fetch_add(&cache->serial, 1) + 1;
}

static uint64_t key_hash(struct page_key key)
{
    uint64_t h = (key.block + UINT64_C(0x9e3779b97f4a7c15)) * UINT64_C(0xbf58476d1ce4e5b9) ^ key.what;
    h *= UINT64_C(0x94d049bb133111eb);
    return h ^ h >> 31;
}

static struct shard *shard_of(struct page_cache *cache, uint64_t hash)
{
    return &cache->shards[hash >> 60 & (SHARDS - 1)];
}

static struct page **bucket_of(struct shard *s, uint64_t hash)
{
    return &s->buckets[hash & (s->bucket_count - 1)];
}

static struct page *find_locked(struct shard *s, struct page_key key, uint64_t hash) REQUIRES(s->lock)
{
    struct page *p = *bucket_of(s, hash);
    while (p && (p->key.block != key.block || p->key.what != key.what))
        p = p->next;
    if (p) {
        atomic_fetch_add_explicit(&p->pins, 1, memory_order_relaxed);
        atomic_store_explicit(&p->referenced, true, memory_order_relaxed);
    }
    return p;
}

struct page *page_cache_find(struct page_cache *cache, struct page_key key)
{
    uint64_t hash = key_hash(key);
    struct shard *s = shard_of(cache, hash);
    mutex_lock(&s->lock);
    struct page *p = find_locked(s, key, hash);
    mutex_unlock(&s->lock);
    atomic_fetch_add_explicit(p ? &cache->hits : &cache->misses, 1, memory_order_relaxed);
    return p;
}

static void remove_locked(struct shard *s, struct page *page) REQUIRES(s->lock)
{
    struct page **at = bucket_of(s, key_hash(page->key));
    while (*at != page)
        at = &(*at)->next;
    *at = page->next;
    s->clock[page->slot] = s->clock[--s->count];
    s->clock[page->slot]->slot = page->slot;
}

/* Frees one page that nobody uses and that was not used since the hand came by; false when there is none. */
static bool evict_one(struct page_cache *cache, struct shard *s)
{
    struct page *victim = NULL;
    mutex_lock(&s->lock);
    for (size_t steps = s->count; steps > 0 && !victim; steps--) {
        s->hand = s->hand + 1 < s->count ? s->hand + 1 : 0;
        struct page *p = s->clock[s->hand];
        if (atomic_load_explicit(&p->pins, memory_order_acquire) == 0 &&
            !atomic_exchange_explicit(&p->referenced, false, memory_order_relaxed))
            victim = p;
    }
    if (victim)
        remove_locked(s, victim);
    mutex_unlock(&s->lock);
    if (!victim)
        return false;
    free_page(cache, victim);
    atomic_fetch_add_explicit(&cache->evictions, 1, memory_order_relaxed);
    atomic_fetch_sub_explicit(&cache->pages, 1, memory_order_relaxed);
    return true;
}

static bool evict_any(struct page_cache *cache)
{
    for (int i = 0; i < 2 * SHARDS; i++) { /* twice: the first time around may only clear marks */
        uint32_t turn = atomic_fetch_add_explicit(&cache->next_victim, 1, memory_order_relaxed);
        if (evict_one(cache, &cache->shards[turn % SHARDS]))
            return true;
    }
    return false;
}

/* Charges the bytes; what is pinned may exceed bytes_max (queries bound that), but never the budget. */
static bool charge(struct page_cache *cache, size_t bytes)
{
    while (atomic_load_explicit(&cache->bytes, memory_order_relaxed) + (int64_t)bytes > (int64_t)cache->bytes_max &&
           evict_any(cache))
        ;
    while (cache->budget && !mem_budget_take(cache->budget, bytes))
        if (!evict_any(cache))
            return false;
    atomic_fetch_add_explicit(&cache->bytes, (int64_t)bytes, memory_order_relaxed);
    return true;
}

struct page *page_make(struct page_cache *cache, size_t bytes)
{
    size_t whole = sizeof(struct page) + bytes;
    if (!charge(cache, whole))
        return NULL;
    struct page *p = (struct page *)aligned_alloc(64, (whole + 63) / 64 * 64);
    if (!p) {
        atomic_fetch_sub_explicit(&cache->bytes, (int64_t)whole, memory_order_relaxed);
        if (cache->budget)
            mem_budget_give(cache->budget, whole);
        return NULL;
    }
    *p = (struct page){.bytes = bytes, .pins = 1};
    return p;
}

void page_discard(struct page_cache *cache, struct page *page)
{
    if (page)
        free_page(cache, page);
}

static void grow_locked(struct shard *s) REQUIRES(s->lock)
{
    struct page **old = s->buckets;
    size_t old_count = s->bucket_count;
    s->bucket_count *= 2;
    s->buckets = (struct page **)mem_array(s->bucket_count, sizeof(struct page *));
    for (size_t i = 0; i < old_count; i++)
        for (struct page *p = old[i], *next; p; p = next) {
            struct page **bucket = bucket_of(s, key_hash(p->key));
            next = p->next;
            p->next = *bucket;
            *bucket = p;
        }
    mem_free(old);
}

struct page *page_cache_put(struct page_cache *cache, struct page_key key, struct page *page)
{
    uint64_t hash = key_hash(key);
    struct shard *s = shard_of(cache, hash);
    mutex_lock(&s->lock);
    struct page *other = find_locked(s, key, hash);
    if (!other) {
        if (s->count >= s->bucket_count)
            grow_locked(s);
        s->clock = (struct page **)mem_grow(s->clock, &s->capacity, s->count + 1, sizeof *s->clock);
        page->key = key;
        page->slot = (uint32_t)s->count;
        s->clock[s->count++] = page;
        page->next = *bucket_of(s, hash);
        *bucket_of(s, hash) = page;
    }
    mutex_unlock(&s->lock);
    if (other) {
        free_page(cache, page);
        return other;
    }
    atomic_fetch_add_explicit(&cache->pages, 1, memory_order_relaxed);
    return page;
}

void page_cache_drop(struct page_cache *cache, uint64_t block)
{
    for (int i = 0; i < SHARDS; i++) {
        struct shard *s = &cache->shards[i];
        mutex_lock(&s->lock);
        for (size_t k = s->count; k-- > 0;) {
            struct page *p = s->clock[k];
            if (p->key.block != block)
                continue;
            assert(atomic_load_explicit(&p->pins, memory_order_acquire) == 0);
            remove_locked(s, p);
            free_page(cache, p);
            atomic_fetch_sub_explicit(&cache->pages, 1, memory_order_relaxed);
        }
        mutex_unlock(&s->lock);
    }
}
