/* head_querier.c - the storage contract over the head; what matchers mean is in select.c. */
#include <stdlib.h>

#include "head/head_internal.h"

struct head_set {
    struct series_set base;
    struct head *head;
    const series_ref *refs;
};

struct head_querier {
    struct querier base;
    struct head *head;
    struct epoch_slot epoch; /* entered while the querier is open */
};

static struct series_reader *set_reader(struct series_set *base)
{
    struct head_set *set = (struct head_set *)base;
    return head_reader_new(set->head, set->refs);
}

static const struct series_set_ops set_ops = {set_reader};

struct sort_entry {
    struct labels labels;
    series_ref ref;
};

static int by_labels(const void *a, const void *b)
{
    return labels_cmp(&((const struct sort_entry *)a)->labels, &((const struct sort_entry *)b)->labels);
}

/* Labels of the refs, in the wanted order. */
static enum err set_fill(struct head *h, const struct refs *refs, bool sorted, struct arena *arena,
                         struct cancel *cancel, struct head_set *set, struct errmsg *why)
{
    struct labels *labels = arena_try_alloc(arena, (refs->count + 1) * sizeof *labels);
    series_ref *list = arena_try_alloc(arena, (refs->count + 1) * sizeof *list);
    struct sort_entry *entries = arena_try_alloc(arena, (refs->count + 1) * sizeof *entries);
    if (!labels || !list || !entries)
        return err_set(why, ERR_LIMIT, "select: %zu series do not fit into the memory of the query", refs->count);
    for (size_t i = 0; i < refs->count; i++) {
        if (i % 4096 == 0)
            TRY(cancel_check(cancel));
        entries[i] = (struct sort_entry){series_labels(h, refs->list[i], arena), refs->list[i]};
    }
    if (sorted && refs->count > 1)
        qsort(entries, refs->count, sizeof *entries, by_labels);
    for (size_t i = 0; i < refs->count; i++) {
        labels[i] = entries[i].labels;
        list[i] = entries[i].ref;
    }
    set->base.count = (uint32_t)refs->count;
    set->base.labels = labels;
    set->refs = list;
    return ERR_OK;
}

static enum err querier_select(struct querier *base, const struct selector *sel, struct arena *arena,
                               struct cancel *cancel, struct series_set **out, struct errmsg *why)
{
    struct head_querier *q = (struct head_querier *)base;
    struct head_set *set = ARENA_NEW(arena, struct head_set);
    struct refs refs = {0};
    *set = (struct head_set){.base.ops = &set_ops, .head = q->head};
    enum err err = select_refs(q->head, sel, cancel, &refs, why);
    if (err == ERR_OK && sel->series_max && refs.count > sel->series_max)
        err = err_set(why, ERR_LIMIT, "select: more than %llu series", (unsigned long long)sel->series_max);
    if (err == ERR_OK)
        err = set_fill(q->head, &refs, sel->sorted, arena, cancel, set, why);
    refs_deinit(&refs);
    if (err == ERR_OK)
        *out = &set->base;
    return err;
}

static enum err querier_names(struct querier *base, const struct selector *sel, uint64_t limit, struct cancel *cancel,
                              name_visit visit, void *ctx, struct errmsg *why)
{
    return head_label_names(((struct head_querier *)base)->head, sel, limit, cancel, visit, ctx, why);
}

static enum err querier_values(struct querier *base, struct slice name, const struct selector *sel, uint64_t limit,
                               struct cancel *cancel, name_visit visit, void *ctx, struct errmsg *why)
{
    return head_label_values(((struct head_querier *)base)->head, name, sel, limit, cancel, visit, ctx, why);
}

static void querier_close(struct querier *base)
{
    struct head_querier *q = (struct head_querier *)base;
    epoch_leave(&q->epoch);
    epoch_slot_remove(&q->head->epochs, &q->epoch);
    mem_free(q);
}

static const struct querier_ops querier_ops = {querier_select, querier_names, querier_values, querier_close};

enum err head_querier(struct head *h, int64_t mint_ms, int64_t maxt_ms, struct querier **out, struct errmsg *why)
{
    struct head_querier *q = MEM_NEW(struct head_querier);
    (void)why;
    q->base = (struct querier){.ops = &querier_ops, .mint_ms = mint_ms, .maxt_ms = maxt_ms};
    q->head = h;
    epoch_slot_add(&h->epochs, &q->epoch);
    epoch_enter(&h->epochs, &q->epoch);
    *out = &q->base;
    return ERR_OK;
}
