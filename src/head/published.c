/* published.c - growing arrays and the hash index; the contract is in published_internal.h. */
#include "head/published_internal.h"

#include <string.h>

#include "base/assert.h"

enum { TABLE_BITS_MIN = 10, TABLE_RUN_OUT = 1024 };

static struct vec_block *block_new(uint32_t capacity, size_t element)
{
    struct vec_block *b = mem_alloc(sizeof *b + capacity * element);
    b->capacity = capacity;
    atomic_store_explicit(&b->count, 0, memory_order_relaxed);
    return b;
}

static void block_swap(struct vec *v, struct epochs *e, struct vec_block *fresh, size_t element, int64_t *bytes)
{
    struct vec_block *old = atomic_load_explicit(&v->block, memory_order_relaxed);
    if (fresh)
        *bytes += (int64_t)(sizeof *fresh + fresh->capacity * element);
    if (old)
        *bytes -= (int64_t)(sizeof *old + old->capacity * element);
    atomic_store_explicit(&v->block, fresh, memory_order_release);
    epoch_retire(e, old, mem_free);
}

void *vec_reserve_room(struct vec *v, struct epochs *e, uint32_t extra, uint32_t room, size_t element, int64_t *bytes)
{
    struct vec_block *old = atomic_load_explicit(&v->block, memory_order_relaxed);
    uint32_t count = old ? atomic_load_explicit(&old->count, memory_order_relaxed) : 0;
    assert(room >= extra && count <= UINT32_MAX / 2 - room);
    if (!old || old->capacity - count < extra) {
        uint32_t want = count + room; /* in whole steps of what malloc hands out anyway */
        size_t size = ((sizeof *old + want * element + 7) & ~(size_t)15) + 8;
        uint32_t capacity = (uint32_t)((size - sizeof *old) / element);
        struct vec_block *fresh = block_new(capacity, element);
        if (count)
            memcpy(fresh->data, old->data, count * element);
        atomic_store_explicit(&fresh->count, count, memory_order_relaxed);
        block_swap(v, e, fresh, element, bytes);
        old = fresh;
    }
    return old->data + count * element;
}

/* Small ones by half, as each growth costs an allocation and a retirement; large ones by a quarter. */
void *vec_reserve(struct vec *v, struct epochs *e, uint32_t extra, size_t element, int64_t *bytes)
{
    enum { SMALL_BYTES = 1024 };
    uint32_t count = vec_count(v);
    return vec_reserve_room(v, e, extra, extra + count / (count * element < SMALL_BYTES ? 2 : 4), element, bytes);
}

void vec_replace(struct vec *v, struct epochs *e, const void *data, uint32_t count, size_t element, int64_t *bytes)
{
    struct vec_block *fresh = block_new(count, element);
    if (count)
        memcpy(fresh->data, data, count * element);
    atomic_store_explicit(&fresh->count, count, memory_order_relaxed);
    block_swap(v, e, fresh, element, bytes);
}

void vec_drop(struct vec *v, struct epochs *e, size_t element, int64_t *bytes)
{
    block_swap(v, e, NULL, element, bytes);
}

static size_t table_bytes(uint64_t capacity)
{
    return sizeof(struct tag_table) + capacity * sizeof(uint64_t);
}

static struct tag_table *table_new(uint32_t bits, int64_t *bytes)
{
    uint64_t capacity = (UINT64_C(1) << bits) + TABLE_RUN_OUT;
    size_t size = table_bytes(capacity);
    struct tag_table *t = mem_pages(size);
    t->bits = bits;
    t->capacity = capacity;
    *bytes += (int64_t)size;
    return t;
}

static void table_free(void *p)
{
    struct tag_table *t = p;
    mem_pages_free(t, table_bytes(t->capacity));
}

void tags_init(struct tags *t, int64_t *bytes)
{
    atomic_store(&t->table, table_new(TABLE_BITS_MIN, bytes));
}

void tags_deinit(struct tags *t)
{
    table_free(atomic_load(&t->table));
}

/* False when the probe would leave the table. */
static bool table_put(struct tag_table *t, uint64_t entry)
{
    uint64_t i = (entry >> 32) >> (32 - t->bits);
    while (atomic_load_explicit(&t->slot[i], memory_order_relaxed))
        i++;
    if (i + 2 >= t->capacity) /* the last slot stays empty: it ends every walk */
        return false;
    atomic_store_explicit(&t->slot[i], entry, memory_order_release);
    t->used++;
    return true;
}

static uint32_t same_id(void *ctx, uint32_t id)
{
    (void)ctx;
    return id;
}

/* Copies into a table of at least `bits`, larger when it does not fit, and publishes it. */
static void tags_rebuild(struct tags *t, struct epochs *e, uint32_t bits, tags_map map, void *ctx, int64_t *bytes)
{
    struct tag_table *old = atomic_load_explicit(&t->table, memory_order_relaxed);
    for (;; bits++) {
        struct tag_table *fresh = table_new(bits, bytes);
        uint64_t i = 0;
        for (; i < old->capacity; i++) {
            uint64_t s = atomic_load_explicit(&old->slot[i], memory_order_relaxed);
            uint32_t id = s ? map(ctx, (uint32_t)s) : 0;
            if (id && !table_put(fresh, (s >> 32) << 32 | id))
                break;
        }
        if (i == old->capacity) {
            *bytes -= (int64_t)table_bytes(old->capacity);
            atomic_store_explicit(&t->table, fresh, memory_order_release);
            epoch_retire(e, old, table_free);
            return;
        }
        *bytes -= (int64_t)table_bytes(fresh->capacity);
        table_free(fresh);
    }
}

void tags_put(struct tags *t, struct epochs *e, uint64_t hash_lo, uint32_t id, int64_t *bytes)
{
    uint64_t entry = (uint64_t)tag_of(hash_lo) << 32 | id;
    assert(id != 0);
    for (;;) {
        struct tag_table *table = atomic_load_explicit(&t->table, memory_order_relaxed);
        if (table->used < (UINT64_C(3) << table->bits) / 4 && table_put(table, entry))
            return;
        tags_rebuild(t, e, table->bits + 1, same_id, NULL, bytes);
    }
}

void tags_room(struct tags *t, struct epochs *e, uint64_t extra, int64_t *bytes)
{
    const struct tag_table *table = atomic_load_explicit(&t->table, memory_order_relaxed);
    uint32_t bits = table->bits;
    while (table->used + extra >= (UINT64_C(3) << bits) / 4)
        bits++;
    if (bits > table->bits)
        tags_rebuild(t, e, bits, same_id, NULL, bytes);
}

void tags_share(const struct tags *t, unsigned k, unsigned of, uint64_t *low, uint64_t *high)
{
    const struct tag_table *table = atomic_load_explicit(&t->table, memory_order_relaxed);
    *low = (UINT64_C(1) << table->bits) * k / of;
    *high = k + 1 == of ? table->capacity - 2 : (UINT64_C(1) << table->bits) * (k + 1) / of;
}

bool tags_put_in_share(struct tags *t, uint64_t hash_lo, uint32_t id, uint64_t high)
{
    struct tag_table *table = atomic_load_explicit(&t->table, memory_order_relaxed);
    uint64_t i = tag_of(hash_lo) >> (32 - table->bits);
    assert(id != 0);
    while (i < high && atomic_load_explicit(&table->slot[i], memory_order_relaxed))
        i++;
    if (i >= high)
        return false;
    atomic_store_explicit(&table->slot[i], (uint64_t)tag_of(hash_lo) << 32 | id, memory_order_release);
    return true;
}

void tags_used(struct tags *t, uint64_t entries)
{
    atomic_load_explicit(&t->table, memory_order_relaxed)->used += entries;
}

void tags_rewrite(struct tags *t, struct epochs *e, tags_map map, void *ctx, int64_t *bytes)
{
    struct tag_table *table = atomic_load_explicit(&t->table, memory_order_relaxed);
    uint64_t kept = 0;
    for (uint64_t i = 0; i < table->capacity; i++) {
        uint64_t s = atomic_load_explicit(&table->slot[i], memory_order_relaxed);
        kept += s && map(ctx, (uint32_t)s);
    }
    uint32_t bits = TABLE_BITS_MIN;
    while (kept >= (UINT64_C(3) << bits) / 4)
        bits++;
    tags_rebuild(t, e, bits, map, ctx, bytes);
}
