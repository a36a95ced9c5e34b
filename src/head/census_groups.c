/* census_groups.c - the groups of a census; the contract is in census_internal.h. */
#include "head/census_internal.h"

#include <stdlib.h>

void tally_groups_init(struct tally_groups *g, struct head *h, bool one, struct mem_budget *budget)
{
    *g = (struct tally_groups){.head = h, .one = one};
    arena_init(&g->arena, budget);
}

void tally_groups_deinit(struct tally_groups *g)
{
    arena_deinit(&g->arena);
}

/* Keys and what leads to a difference are a few numbers: cheaper here than by a call. */
static inline bool ids_eq(const uint32_t *a, const uint32_t *b, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (a[i] != b[i])
            return false;
    return true;
}

/* ---- Order ---- */

static int pair_cmp(struct head *h, uint32_t a, uint32_t b)
{
    const struct pair *x = pair_of(h, a), *y = pair_of(h, b);
    int c = x->name == y->name ? 0 : slice_cmp(x->label.name, y->label.name);
    return c ? c : slice_cmp(x->label.value, y->label.value);
}

/* As labels_cmp; *at: the place that decided. */
static int ids_cmp(struct head *h, const uint32_t *a, uint32_t a_count, const uint32_t *b, uint32_t b_count,
                   uint32_t *at)
{
    uint32_t n = a_count < b_count ? a_count : b_count;
    for (*at = 0; *at < n; ++*at)
        if (a[*at] != b[*at])
            return pair_cmp(h, a[*at], b[*at]);
    return (a_count > b_count) - (a_count < b_count);
}

static bool least_set(struct tally_groups *g, struct tally_group *group, const uint32_t *ids, uint32_t count)
{
    if (count > group->least_capacity) {
        uint32_t capacity = count + 8;
        uint32_t *more = arena_try_alloc(&g->arena, capacity * sizeof *more);
        if (!more)
            return false;
        group->least = more;
        group->least_capacity = capacity;
    }
    memcpy(group->least, ids, count * sizeof *ids);
    group->least_count = count;
    group->lost_id = 0;
    return true;
}

/*
 * Keeps the first series.  Those of one target come in runs with the same name, so most are told to be later
 * by the very pair that made the one before them later.
 */
static bool least_note(struct tally_groups *g, struct tally_group *group, const uint32_t *ids, uint32_t count)
{
    uint32_t at = group->lost_at;
    if (group->lost_id && at < count && ids[at] == group->lost_id && ids_eq(ids, group->least, at))
        return true;
    int c = ids_cmp(g->head, ids, count, group->least, group->least_count, &at);
    if (c < 0)
        return least_set(g, group, ids, count);
    if (c > 0 && at < count && at < group->least_count) {
        group->lost_at = at;
        group->lost_id = ids[at];
    }
    return true;
}

/* ---- The table ---- */

static uint64_t key_hash(const uint32_t *key, uint32_t count)
{
    uint64_t h = count;
    for (uint32_t i = 0; i < count; i++) {
        h = (h ^ key[i]) * UINT64_C(0x9e3779b97f4a7c15);
        h ^= h >> 32;
    }
    return h;
}

static bool key_is(const struct tally_group *group, const uint32_t *key, uint32_t count)
{
    return group->key_count == count && ids_eq(group->key, key, count);
}

static bool table_grow(struct tally_groups *g)
{
    uint32_t size = g->size ? g->size * 2 : 64;
    uint32_t *table = arena_try_alloc(&g->arena, size * sizeof *table);
    if (!table)
        return false;
    memset(table, 0, size * sizeof *table);
    for (uint32_t i = 0; i < g->count; i++) {
        uint32_t at = (uint32_t)g->list[i].hash & (size - 1);
        while (table[at])
            at = (at + 1) & (size - 1);
        table[at] = i + 1;
    }
    g->table = table;
    g->size = size;
    return true;
}

static bool list_grow(struct tally_groups *g)
{
    uint32_t capacity = g->capacity ? g->capacity * 2 : 16;
    struct tally_group *list = arena_try_alloc(&g->arena, capacity * sizeof *list);
    if (!list)
        return false;
    if (g->count)
        memcpy(list, g->list, g->count * sizeof *list);
    g->list = list;
    g->capacity = capacity;
    return true;
}

static struct tally_group *group_new(struct tally_groups *g, uint64_t hash, const uint32_t *key, uint32_t key_count,
                                     const uint32_t *ids, uint32_t count)
{
    if (g->count == g->capacity && !list_grow(g))
        return NULL;
    uint32_t *own = arena_try_alloc(&g->arena, (key_count + 1) * sizeof *own);
    struct tally_group *group = &g->list[g->count];
    *group = (struct tally_group){.hash = hash, .key = own, .key_count = key_count};
    if (!own || (!g->one && !least_set(g, group, ids, count)))
        return NULL;
    if (key_count)
        memcpy(own, key, key_count * sizeof *own);
    g->count++;
    return group;
}

/* *fresh: it was not there.  NULL when memory ends. */
static struct tally_group *group_get(struct tally_groups *g, const uint32_t *key, uint32_t key_count,
                                     const uint32_t *ids, uint32_t count, bool *fresh)
{
    *fresh = false;
    if (g->count && key_is(&g->list[g->last], key, key_count))
        return &g->list[g->last];
    if (g->count * 2 >= g->size && !table_grow(g))
        return NULL;
    uint64_t hash = key_hash(key, key_count);
    uint32_t at = (uint32_t)hash & (g->size - 1);
    for (; g->table[at]; at = (at + 1) & (g->size - 1)) {
        uint32_t i = g->table[at] - 1;
        if (g->list[i].hash == hash && key_is(&g->list[i], key, key_count)) {
            g->last = i;
            return &g->list[i];
        }
    }
    struct tally_group *group = group_new(g, hash, key, key_count, ids, count);
    if (!group)
        return NULL;
    *fresh = true;
    g->last = g->count - 1;
    g->table[at] = g->count;
    return group;
}

bool tally_groups_add(struct tally_groups *g, const uint32_t *key, uint32_t key_count, const uint32_t *ids,
                      uint32_t count, uint64_t series)
{
    bool fresh;
    struct tally_group *group = group_get(g, key, key_count, ids, count, &fresh);
    if (!group)
        return false;
    group->series += series;
    return fresh || g->one || least_note(g, group, ids, count);
}

bool tally_groups_merge(struct tally_groups *to, const struct tally_groups *from)
{
    for (uint32_t i = 0; i < from->count; i++) {
        const struct tally_group *group = &from->list[i];
        if (!tally_groups_add(to, group->key, group->key_count, group->least, group->least_count, group->series))
            return false;
    }
    return true;
}

static int by_least(const void *a, const void *b, void *ctx)
{
    const struct tally_group *x = a, *y = b;
    uint32_t at;
    return ids_cmp(ctx, x->least, x->least_count, y->least, y->least_count, &at);
}

void tally_groups_sort(struct tally_groups *g)
{
    if (g->count > 1)
        qsort_r(g->list, g->count, sizeof *g->list, by_least, g->head);
    g->size = 0; /* the table does not fit any more */
}
