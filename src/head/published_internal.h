/*
 * published_internal.h - structures that one writer changes and any number of readers use without a lock.
 *
 * struct vec: an array that grows.  Readers load the block, then its count; the writer appends behind
 * the count or swaps the whole block, and retires the old one.
 *
 * struct tags: a hash index from 128-bit hashes to ids.  A slot is (tag << 32 | id), tag = upper half
 * of hash.lo; slots are ordered by tag (position = its top bits, then linear probing), so doubling the
 * table is one sequential copy that looks at no entry.  Who finds a tag must confirm the hash.
 *
 * Threads: writers hold one lock (head->create); readers are inside an epoch.
 */
#ifndef HEAD_PUBLISHED_INTERNAL_H
#define HEAD_PUBLISHED_INTERNAL_H

#include <stdatomic.h>
#include <stdbool.h>

#include "base/mem.h"
#include "head/epoch_internal.h"

struct vec_block {
    uint32_t capacity; /* elements */
    _Atomic uint32_t count;
    uint8_t data[];
};

struct vec {
    struct vec_block *_Atomic block; /* NULL: empty */
};

static inline uint32_t vec_count(const struct vec *v)
{
    struct vec_block *b = atomic_load_explicit(&v->block, memory_order_acquire);
    return b ? atomic_load_explicit(&b->count, memory_order_acquire) : 0;
}

/* Elements and count as they belong together. */
static inline const void *vec_read(const struct vec *v, uint32_t *count)
{
    struct vec_block *b = atomic_load_explicit(&v->block, memory_order_acquire);
    *count = b ? atomic_load_explicit(&b->count, memory_order_acquire) : 0;
    return b ? b->data : NULL;
}

/* Writer: room for `extra` more elements; returns where they go, then vec_commit.  *bytes: change of memory. */
void *vec_reserve(struct vec *v, struct epochs *e, uint32_t extra, size_t element, int64_t *bytes);
/* The same; when it must grow, then for `room` more elements. */
void *vec_reserve_room(struct vec *v, struct epochs *e, uint32_t extra, uint32_t room, size_t element, int64_t *bytes);
static inline void vec_commit(struct vec *v, uint32_t extra)
{
    struct vec_block *b = atomic_load_explicit(&v->block, memory_order_relaxed);
    atomic_store_explicit(&b->count, atomic_load_explicit(&b->count, memory_order_relaxed) + extra,
                          memory_order_release);
}
/* Writer: other contents altogether. */
void vec_replace(struct vec *v, struct epochs *e, const void *data, uint32_t count, size_t element, int64_t *bytes);
void vec_drop(struct vec *v, struct epochs *e, size_t element,
              int64_t *bytes); /* empty again; readers keep what they have */

struct tag_table {
    uint32_t bits;     /* of the position */
    uint64_t capacity; /* slots: 2^bits and a run-out at the end */
    uint64_t used;     /* writer only */
    _Atomic uint64_t slot[];
};

struct tags {
    struct tag_table *_Atomic table;
};

void tags_init(struct tags *t, int64_t *bytes);
void tags_deinit(struct tags *t);
void tags_put(struct tags *t, struct epochs *e, uint64_t hash_lo, uint32_t id, int64_t *bytes); /* id > 0 */
/*
 * Many entries by several writers at once: tags_room, then each writer puts those whose place is in its share of the
 * table (tags_share) while the others do the same, then tags_used.  False: it would run out of the share; tags_put it
 * afterwards.
 */
void tags_room(struct tags *t, struct epochs *e, uint64_t extra, int64_t *bytes);
void tags_share(const struct tags *t, unsigned k, unsigned of, uint64_t *low, uint64_t *high);
bool tags_put_in_share(struct tags *t, uint64_t hash_lo, uint32_t id, uint64_t high);
void tags_used(struct tags *t, uint64_t entries); /* how many were put so */
/* Writer: every entry gets the id that map() says; 0: it goes. */
typedef uint32_t (*tags_map)(void *ctx, uint32_t id);
void tags_rewrite(struct tags *t, struct epochs *e, tags_map map, void *ctx, int64_t *bytes);

static inline uint32_t tag_of(uint64_t hash_lo)
{
    return (uint32_t)(hash_lo >> 32);
}

/* Walks the entries with the tag of a hash:  for (id = tags_first(&w, t, lo); id; id = tags_next(&w)) */
struct tag_walk {
    const struct tag_table *table;
    uint64_t at;
    uint32_t tag;
};
static inline uint32_t tags_next(struct tag_walk *w)
{
    for (;;) {
        uint64_t s = atomic_load_explicit(&w->table->slot[w->at++], memory_order_acquire);
        if (s == 0)
            return 0;
        if ((uint32_t)(s >> 32) == w->tag)
            return (uint32_t)s;
    }
}
static inline uint32_t tags_first(struct tag_walk *w, const struct tags *t, uint64_t hash_lo)
{
    w->table = atomic_load_explicit(&t->table, memory_order_acquire);
    w->tag = tag_of(hash_lo);
    w->at = w->tag >> (32 - w->table->bits);
    return tags_next(w);
}
static inline bool tags_in_share(const struct tags *t, uint64_t hash_lo, uint64_t low, uint64_t high)
{
    uint64_t at = tag_of(hash_lo) >> (32 - atomic_load_explicit(&t->table, memory_order_relaxed)->bits);
    return at >= low && at < high;
}
static inline void tags_prefetch(const struct tags *t, uint64_t hash_lo)
{
    const struct tag_table *table = atomic_load_explicit(&t->table, memory_order_acquire);
    __builtin_prefetch((const void *)(uintptr_t)&table->slot[tag_of(hash_lo) >> (32 - table->bits)]);
}

#endif
