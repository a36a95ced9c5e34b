/* symbols.c - collecting and sorting; the pages are made in symbols_pages.c. */
#include "block/symbols_internal.h"

#include <stdlib.h>

#include "base/assert.h"

enum { SLOTS_MIN = 1024 };

void symbols_init(struct symbols *s)
{
    *s = (struct symbols){.slot_count = SLOTS_MIN, .lists.own = true};
    arena_init(&s->arena, NULL);
    s->slots = (uint32_t *)mem_array(SLOTS_MIN, sizeof *s->slots);
}

void symbols_deinit(struct symbols *s)
{
    arena_deinit(&s->arena);
    mem_free(s->pairs);
    mem_free(s->names);
    mem_free(s->slots);
    mem_free(s->by_id);
    mem_free(s->name_order);
    buf_deinit(&s->lists);
    column_deinit(&s->group_starts);
    *s = (struct symbols){0};
}

static uint32_t *slot_of(const struct symbols *s, struct hash128 hash)
{
    for (size_t i = hash.lo;; i++) {
        uint32_t *slot = &s->slots[i & (s->slot_count - 1)];
        if (*slot == 0 || hash128_eq(s->pairs[*slot - 1].hash, hash))
            return slot;
    }
}

static void grow_slots(struct symbols *s)
{
    mem_free(s->slots);
    s->slot_count *= 2;
    s->slots = (uint32_t *)mem_array(s->slot_count, sizeof *s->slots);
    for (size_t i = 0; i < s->pair_count; i++)
        *slot_of(s, s->pairs[i].hash) = (uint32_t)i + 1;
}

/* Names are few; series list them in order, so the search starts at the name after the last one found. */
static uint32_t find_name(struct symbols *s, struct slice text, uint32_t hint)
{
    for (uint32_t i = 0; i < s->name_count; i++) {
        uint32_t n = (uint32_t)((hint + i) % s->name_count);
        if (slice_eq(s->names[n].text, text))
            return n;
    }
    s->names = (struct symbol_name *)mem_grow(s->names, &s->name_capacity, s->name_count + 1, sizeof *s->names);
    s->names[s->name_count] = (struct symbol_name){.text = arena_copy(&s->arena, text)};
    return (uint32_t)s->name_count++;
}

static uint32_t find_pair(struct symbols *s, const struct label *label, uint32_t name_hint)
{
    uint32_t *slot = slot_of(s, label->hash);
    if (*slot)
        return *slot - 1;
    if (2 * (s->pair_count + 1) > s->slot_count) {
        grow_slots(s);
        slot = slot_of(s, label->hash);
    }
    uint32_t name = find_name(s, label->name, name_hint);
    s->pairs = (struct symbol_pair *)mem_grow(s->pairs, &s->pair_capacity, s->pair_count + 1, sizeof *s->pairs);
    s->pairs[s->pair_count] =
        (struct symbol_pair){.hash = label->hash, .value = arena_copy(&s->arena, label->value), .name = name};
    s->names[name].pair_count++;
    *slot = (uint32_t)++s->pair_count;
    return *slot - 1;
}

void symbols_add_series(struct symbols *s, const struct labels *labels)
{
    if (s->series_count % LABEL_GROUP_SERIES == 0)
        column_add(&s->group_starts, (int64_t)s->lists.len);
    buf_varint(&s->lists, labels->count);
    uint32_t name = 0;
    for (uint32_t i = 0; i < labels->count; i++) {
        uint32_t pair = find_pair(s, labels->list[i], name);
        assert_slow(slice_eq(s->pairs[pair].value, labels->list[i]->value));
        s->pairs[pair].count++;
        name = s->pairs[pair].name + 1;
        buf_varint(&s->lists, pair);
    }
    s->series_count++;
}

static int compare_names(const void *a, const void *b, void *ctx)
{
    const struct symbols *s = (const struct symbols *)ctx;
    return slice_cmp(s->names[*(const uint32_t *)a].text, s->names[*(const uint32_t *)b].text);
}

static int compare_pairs(const void *a, const void *b, void *ctx)
{
    const struct symbols *s = (const struct symbols *)ctx;
    const struct symbol_pair *x = &s->pairs[*(const uint32_t *)a], *y = &s->pairs[*(const uint32_t *)b];
    uint32_t rx = s->names[x->name].rank, ry = s->names[y->name].rank;
    return rx != ry ? (rx > ry) - (rx < ry) : slice_cmp(x->value, y->value);
}

void symbols_sort(struct symbols *s)
{
    s->name_order = (uint32_t *)mem_array(s->name_count + 1, sizeof *s->name_order);
    s->by_id = (uint32_t *)mem_array(s->pair_count + 1, sizeof *s->by_id);
    for (uint32_t i = 0; i < s->name_count; i++)
        s->name_order[i] = i;
    qsort_r(s->name_order, s->name_count, sizeof *s->name_order, compare_names, s);
    uint32_t first = 0;
    for (uint32_t rank = 0; rank < s->name_count; rank++) {
        struct symbol_name *n = &s->names[s->name_order[rank]];
        n->rank = rank;
        n->first_pair = first;
        first += n->pair_count;
    }
    for (uint32_t i = 0; i < s->pair_count; i++)
        s->by_id[i] = i;
    qsort_r(s->by_id, s->pair_count, sizeof *s->by_id, compare_pairs, s);
    for (uint32_t id = 0; id < s->pair_count; id++)
        s->pairs[s->by_id[id]].id = id;
}
