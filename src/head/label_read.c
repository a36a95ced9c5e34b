/* label_read.c - label names and values, from the index alone. */
#include <stdlib.h>

#include "head/head_internal.h"

struct texts {
    struct slice *list;
    size_t count, capacity;
};

static int by_bytes(const void *a, const void *b)
{
    return slice_cmp(*(const struct slice *)a, *(const struct slice *)b);
}

static void texts_add(struct texts *t, struct slice text)
{
    t->list = mem_grow(t->list, &t->capacity, t->count + 1, sizeof *t->list);
    t->list[t->count++] = text;
}

static void texts_visit(struct texts *t, uint64_t limit, name_visit visit, void *ctx)
{
    if (t->count)
        qsort(t->list, t->count, sizeof *t->list, by_bytes);
    uint64_t shown = 0;
    for (size_t i = 0; i < t->count && (!limit || shown < limit); i++) {
        if (i && slice_eq(t->list[i], t->list[i - 1]))
            continue;
        shown++;
        if (!visit(ctx, t->list[i]))
            break;
    }
    mem_free(t->list);
}

/* Marks in seen[] the pairs that the matching series have. */
static enum err pairs_of_selected(struct head *h, const struct selector *sel, struct cancel *cancel, uint8_t *seen,
                                  uint32_t pairs, struct errmsg *why)
{
    struct refs refs = {0};
    uint32_t ids[LABEL_COUNT_MAX];
    enum err err = select_refs(h, sel, cancel, &refs, why);
    for (size_t i = 0; i < refs.count && err == ERR_OK; i++) {
        uint32_t count = series_pairs(h, refs.list[i], ids);
        for (uint32_t k = 0; k < count; k++)
            if (ids[k] < pairs)
                seen[ids[k]] = 1;
    }
    refs_deinit(&refs);
    return err;
}

static bool name_in_use(struct head *h, const struct label_name *name, const uint8_t *seen, uint32_t pairs)
{
    uint32_t count;
    const uint32_t *ids = vec_read(&name->pairs, &count);
    for (uint32_t i = 0; i < count; i++)
        if (seen ? ids[i] < pairs && seen[ids[i]] : get_relaxed(&pair_of(h, ids[i])->series) > 0)
            return true;
    return false;
}

enum err head_label_names(struct head *h, const struct selector *sel, uint64_t limit, struct cancel *cancel,
                          name_visit visit, void *ctx, struct errmsg *why)
{
    uint32_t pairs = atomic_load(&h->pair_count), names;
    uint8_t *seen = NULL;
    struct texts out = {0};
    if (sel->matcher_count) {
        seen = mem_array(pairs, 1);
        enum err err = pairs_of_selected(h, sel, cancel, seen, pairs, why);
        if (err != ERR_OK) {
            mem_free(seen);
            return err;
        }
    } else if (!head_has_time(h, sel->mint_ms, sel->maxt_ms)) {
        return ERR_OK;
    }
    struct label_name *const *list = vec_read(&h->names, &names);
    for (uint32_t i = 0; i < names; i++)
        if (name_in_use(h, list[i], seen, pairs))
            texts_add(&out, list[i]->text);
    mem_free(seen);
    texts_visit(&out, limit, visit, ctx);
    return ERR_OK;
}

enum err head_label_values(struct head *h, struct slice name, const struct selector *sel, uint64_t limit,
                           struct cancel *cancel, name_visit visit, void *ctx, struct errmsg *why)
{
    uint32_t pairs = atomic_load(&h->pair_count), count;
    const struct label_name *of = name_find(h, name);
    uint8_t *seen = NULL;
    struct texts out = {0};
    if (!of)
        return ERR_OK;
    if (sel->matcher_count) {
        seen = mem_array(pairs, 1);
        enum err err = pairs_of_selected(h, sel, cancel, seen, pairs, why);
        if (err != ERR_OK) {
            mem_free(seen);
            return err;
        }
    } else if (!head_has_time(h, sel->mint_ms, sel->maxt_ms)) {
        return ERR_OK;
    }
    const uint32_t *ids = vec_read(&of->pairs, &count);
    for (uint32_t i = 0; i < count; i++)
        if (seen ? ids[i] < pairs && seen[ids[i]] : get_relaxed(&pair_of(h, ids[i])->series) > 0)
            texts_add(&out, pair_of(h, ids[i])->label.value);
    mem_free(seen);
    texts_visit(&out, limit, visit, ctx);
    return ERR_OK;
}
