/*
 * detach.c - a result lets go of the storage while it is still being read.
 *
 * Labels of a result are the storage's own, so its querier stays open, and an open querier keeps the head from
 * giving back what a flush has written.  A client may read for hours: what it has not read yet is copied, each
 * pair once (series share most of them, and the storage hands out one pointer for a pair).
 */
#include "promql/run.h"

struct copies {
    const struct label **from, **to; /* open addressing by address; capacity a power of two */
    size_t count, capacity;
};

static size_t place_of(const struct copies *c, const struct label *pair)
{
    size_t at = (size_t)((uintptr_t)pair * UINT64_C(0x9e3779b97f4a7c15) >> 20) & (c->capacity - 1);
    while (c->from[at] && c->from[at] != pair)
        at = (at + 1) & (c->capacity - 1);
    return at;
}

static void grow(struct copies *c)
{
    struct copies old = *c;
    c->capacity = old.capacity ? old.capacity * 2 : 1024;
    c->from = mem_array(c->capacity, sizeof *c->from);
    c->to = mem_array(c->capacity, sizeof *c->to);
    for (size_t i = 0; i < old.capacity; i++)
        if (old.from[i]) {
            size_t at = place_of(c, old.from[i]);
            c->from[at] = old.from[i];
            c->to[at] = old.to[i];
        }
    mem_free(old.from);
    mem_free(old.to);
}

static const struct label *copy_of(struct copies *c, const struct label *pair, struct arena *arena)
{
    if (c->count * 2 >= c->capacity)
        grow(c);
    size_t at = place_of(c, pair);
    if (!c->from[at]) {
        c->from[at] = pair;
        c->to[at] = label_new(arena, pair->name, pair->value);
        c->count++;
    }
    return c->to[at];
}

bool promql_result_detach(struct result *result, uint64_t first)
{
    struct run *r = (struct run *)result;
    struct copies c = {0};
    bool fits = true;
    if (!r->x.querier)
        return true;
    for (uint64_t i = first; i < result->series_count && fits; i++) {
        struct labels *l = &result->series[i].labels;
        const struct label **list = arena_try_alloc(&r->x.arena, (l->count + 1) * sizeof *list);
        fits = list != NULL;
        for (uint32_t k = 0; k < l->count && fits; k++)
            list[k] = copy_of(&c, l->list[k], &r->x.arena);
        if (fits)
            l->list = list;
    }
    mem_free(c.from);
    mem_free(c.to);
    if (fits) {
        r->x.querier->ops->close(r->x.querier);
        r->x.querier = NULL;
    }
    return fits;
}
