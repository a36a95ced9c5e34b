/*
 * grouping.c - which group of an aggregation a series belongs to; the contract is in grouping.h.
 *
 * A group's key is the hash of its labels, which is a sum over pairs: by() adds the pairs that stay,
 * without() subtracts those that go.  No label set is built but one per group.
 */
#include "promql/grouping.h"

#include <stdlib.h>

#include "base/assert.h"

static int compare_names(const void *a, const void *b)
{
    return slice_cmp(*(const struct slice *)a, *(const struct slice *)b);
}

struct name_set name_set_make(struct arena *arena, const struct name_list *list, const struct slice *extra)
{
    struct name_set set = {0, ARENA_ARRAY(arena, struct slice, list->count + 1),
                           ARENA_ARRAY(arena, uint32_t, list->count + 1)};
    uint32_t n = 0;
    for (uint32_t i = 0; i < list->count; i++)
        set.names[n++] = list->list[i];
    if (extra)
        set.names[n++] = *extra;
    qsort(set.names, n, sizeof *set.names, compare_names);
    for (uint32_t i = 0; i < n; i++)
        if (set.count == 0 || !slice_eq(set.names[set.count - 1], set.names[i]))
            set.names[set.count++] = set.names[i];
    return set;
}

bool name_set_has(const struct name_set *set, struct slice name)
{
    for (uint32_t i = 0; i < set->count; i++)
        if (slice_eq(set->names[i], name))
            return true;
    return false;
}

/* Names are short: two overlapping words decide most of them without a call. */
static inline bool name_eq(struct slice a, struct slice b)
{
    if (a.len != b.len)
        return false;
    if (a.len < 8 || a.len > 16)
        return memcmp(a.data, b.data, a.len) == 0;
    return le64_get(a.data) == le64_get(b.data) && le64_get(a.data + a.len - 8) == le64_get(b.data + b.len - 8);
}

/* The pair of this name, NULL when there is none. */
static inline const struct label *find_hinted(const struct labels *l, struct slice name, uint32_t *hint)
{
    uint32_t i = *hint;
    if (i < l->count && name_eq(l->list[i]->name, name))
        return l->list[i];
    if (i <= l->count && (i == 0 || slice_cmp(l->list[i - 1]->name, name) < 0) &&
        (i == l->count || slice_cmp(l->list[i]->name, name) > 0))
        return NULL;
    for (i = 0; i < l->count && slice_cmp(l->list[i]->name, name) < 0;)
        i++;
    *hint = i;
    return i < l->count && name_eq(l->list[i]->name, name) ? l->list[i] : NULL;
}

struct hash128 name_set_hash(const struct name_set *set, const struct labels *labels)
{
    struct hash128 hash = {0, 0};
    for (uint32_t i = 0; i < set->count; i++) {
        const struct label *pair = find_hinted(labels, set->names[i], &set->hints[i]);
        if (pair)
            hash = hash128_add(hash, pair->hash);
    }
    return hash;
}

struct set_filter {
    const struct name_set *set;
    bool keep;
};

static bool drop_by_set(const struct label *pair, void *ctx)
{
    const struct set_filter *f = ctx;
    return name_set_has(f->set, pair->name) != f->keep;
}

struct labels name_set_keep(const struct name_set *set, const struct labels *labels, struct arena *arena)
{
    struct set_filter f = {set, true};
    struct labels kept = labels_filter(labels, arena, drop_by_set, &f);
    kept.hash = (struct hash128){0, 0}; /* added up: a projected set has the hash of pairs that it does not list, too */
    for (uint32_t i = 0; i < kept.count; i++)
        kept.hash = hash128_add(kept.hash, kept.list[i]->hash);
    return kept;
}

struct labels name_set_drop(const struct name_set *set, const struct labels *labels, struct arena *arena)
{
    struct set_filter f = {set, false};
    return labels_filter(labels, arena, drop_by_set, &f);
}

struct grouping grouping_make(struct arena *arena, const struct aggregate_node *n, const struct slice *extra)
{
    static const struct slice name = {(const uint8_t *)METRIC_NAME, sizeof METRIC_NAME - 1};
    if (!n->without)
        return (struct grouping){false, name_set_make(arena, &n->grouping, extra)};
    return (struct grouping){true, name_set_make(arena, &n->grouping, &name)};
}

struct hash128 grouping_hash(const struct grouping *g, const struct labels *labels)
{
    struct hash128 named = name_set_hash(&g->names, labels);
    return g->without ? hash128_sub(labels->hash, named) : named;
}

struct labels grouping_labels(const struct grouping *g, const struct labels *labels, struct arena *arena)
{
    return g->without ? name_set_drop(&g->names, labels, arena) : name_set_keep(&g->names, labels, arena);
}

static enum err one_group(struct groups *out, struct exec *x)
{
    *out = (struct groups){.count = 1, .labels = ARENA_NEW(&x->arena, struct labels)};
    return ERR_OK;
}

enum err groups_make(struct groups *out, struct oper *child, const struct grouping *g)
{
    struct exec *x = child->x;
    if (!g->without && g->names.count == 0)
        return one_group(out, x);
    struct hash_map map;
    TRY(hash_map_init(&map, x, 64));
    uint32_t capacity = 0;
    *out = (struct groups){.of_row = exec_alloc(x, child->count, sizeof *out->of_row)};
    if (!out->of_row)
        return exec_no_memory(x, x->why);
    for (uint32_t i = 0; i < child->count; i++) {
        TRY(hash_map_put(&map, grouping_hash(g, &child->labels[i]), out->count, &out->of_row[i]));
        TRY(exec_go_on(x, 200));
        if (out->of_row[i] < out->count)
            continue;
        if (out->count == capacity) {
            capacity = capacity ? capacity * 2 : 16;
            struct labels *labels = exec_alloc(x, capacity, sizeof *labels);
            if (!labels)
                return exec_no_memory(x, x->why);
            if (out->count)
                memcpy(labels, out->labels, out->count * sizeof *labels);
            out->labels = labels;
        }
        out->labels[out->count++] = grouping_labels(g, &child->labels[i], &x->arena);
    }
    return ERR_OK;
}

enum err groups_lists(const struct groups *g, struct exec *x, uint32_t row_count, uint32_t **start, uint32_t **rows)
{
    *start = exec_alloc(x, (size_t)g->count + 1, sizeof **start);
    *rows = exec_alloc(x, row_count, sizeof **rows);
    uint32_t *next = exec_alloc(x, g->count, sizeof *next);
    if (!*start || !*rows || !next)
        return exec_no_memory(x, x->why);
    for (uint32_t i = 0; i < row_count; i++)
        (*start)[groups_of(g, i) + 1]++;
    for (uint32_t i = 0; i < g->count; i++) {
        (*start)[i + 1] += (*start)[i];
        next[i] = (*start)[i];
    }
    for (uint32_t i = 0; i < row_count; i++) {
        (*rows)[next[groups_of(g, i)]++] = i;
        TRY(exec_go_on(x, 30));
    }
    return ERR_OK;
}
